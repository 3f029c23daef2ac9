import CClip
import ClipBase

/// SentencePiece's model file with the cleaning of its family. For SigLIP this is the cleaning of transformers'
/// SiglipTokenizer: lower case, no ASCII punctuation, one space for each run of white space.
final class SentencePieceTokenizer: Tokenizer {
  private let model: SentencePieceModel
  private let siglip: Siglip?
  private let endToken: Int32
  private let textRepair = TextRepair()

  /// SigLIP's special tokens and cleaning.
  struct Siglip {
    let specials: SpecialTokens
    let lowercases: Bool
    /// The unknown token's name, which transformers puts before a text so that the model keeps a space at the start. Its
    /// `count` tokens are removed from the result.
    let prefix: [UInt8]
    let count: Int
  }

  /// Reads spiece.model of a model folder, and tokenizer_config.json and special_tokens_map.json if present. The
  /// vocabulary must have at most `vocabularySize` tokens, the rows of the model's token embedding.
  convenience init(
    _ files: ModelFiles, isSiglip: Bool, contextLength: Int, _ vocabularySize: Int
  ) throws(ClipError) {
    let path = files.path("spiece.model")
    guard let bytes = try files.bytes("spiece.model", ModelFiles.byteLimit(vocabularySize)) else {
      throw ClipError(CLIP_NOT_FOUND, "\(path): expected SentencePiece's model file, found nothing")
    }
    let model = try SentencePieceModel(try SentencePieceFile(bytes, path))
    guard model.count <= vocabularySize else {
      throw ClipError(
        CLIP_MISMATCH,
        "\(path): expected at most \(vocabularySize) tokens, the rows of the token embedding, found \(model.count)")
    }
    let names = try SpecialNames(files, .siglip)
    func required(_ name: Name, _ role: StaticString) throws(ClipError) -> Int32 {
      guard let id = model.id(name) else {
        throw ClipError(
          CLIP_FORMAT, "\(path): expected the \(role) token \"\(name.string)\" in the vocabulary, found none")
      }
      return id
    }
    var siglip: Siglip?
    if isSiglip {
      var specials: [SpecialTokens.Token] = []
      for name in names.addedTokens.map({ $0.name }) + [names.end, names.unknown, names.pad] {
        guard let id = model.id(name), !specials.contains(where: { $0.name == name }) else { continue }
        specials.append(SpecialTokens.Token(name: name, id: id, isNormalized: false))
      }
      siglip = Siglip(
        specials: try SpecialTokens(specials) { $0 },
        lowercases: try TokenizerConfig(files).config.bool("do_lower_case", true), prefix: names.unknown.utf8,
        count: try model.encode(names.unknown.utf8).count)
    }
    self.init(
      model, siglip, contextLength: contextLength, endToken: try required(names.end, "end"),
      padToken: try required(names.pad, "pad"))
  }

  private init(
    _ model: SentencePieceModel, _ siglip: Siglip?, contextLength: Int, endToken: Int32, padToken: Int32
  ) {
    self.model = model
    self.siglip = siglip
    self.endToken = endToken
    super.init(contextLength: contextLength, start: [], end: [endToken], padToken: padToken)
  }

  /// SentencePiece's character for a space.
  private static var mark: UInt32 { 0x2581 }

  override func encode(_ text: Scalars, cleaning: TextCleaning, limit: Int) throws(ClipError) -> [Int32] {
    let text = try textRepair.clean(text, cleaning)
    var output = TokenOutput(limit: limit)
    guard let siglip else {
      output.setBytes(text[...])
      for id in try model.encode(output.bytes, limit: limit) { output.append(id) }
      return output.tokens
    }
    let whole = [SentencePieceTokenizer.mark] + text.map { $0 == SentencePieceTokenizer.mark ? 0x20 : $0 }
    var isFirst = true
    let parts = siglip.specials.split(whole[...], normalized: false)
    for part in parts where !output.isFull {
      switch part {
      case .token(let id): output.append(id)
      case .text(let plain):
        let cleaned = siglip.cleaned(plain)
        // A space alone before a special token is dropped.
        if isFirst, parts.count > 1, cleaned == [SentencePieceTokenizer.mark] { break }
        output.bytes = siglip.prefix
        for scalar in cleaned { UTF8Text.append(scalar, to: &output.bytes) }
        let ids = try model.encode(output.bytes, limit: limit > Int.max - siglip.count ? limit : limit + siglip.count)
        for id in ids.dropFirst(ids.count >= siglip.count ? siglip.count : 0) { output.append(id) }
      }
      isFirst = false
    }
    // The caller appends the end token.
    if output.tokens.last == endToken { output.tokens.removeLast() }
    return output.tokens
  }
}

extension SentencePieceTokenizer.Siglip {
  /// The text after SigLIP's cleaning.
  func cleaned(_ text: ArraySlice<UInt32>) -> Scalars {
    var result = Scalars()
    result.reserveCapacity(text.count)
    var needsSpace = false
    for scalar in lowercases ? lowercased(Array(text), finalSigma: true) : Array(text) {
      if scalar < 0x80, BertCharacters.isPunctuation(scalar) { continue }
      if isPythonSpace(scalar) {
        needsSpace = !result.isEmpty
        continue
      }
      if needsSpace { result.append(0x20) }
      needsSpace = false
      result.append(scalar)
    }
    return result
  }
}
