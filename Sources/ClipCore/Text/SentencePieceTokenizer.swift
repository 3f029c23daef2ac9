import CClip
import CSystem

/// A tokenizer of a plugin, with what its family does around it. SigLIP's cleaning is that of
/// transformers' SiglipTokenizer: lower case, no ASCII punctuation, one space for white space.
final class SentencePieceTokenizer: Tokenizer {
  private let model: SentencePiece
  private let siglip: Siglip?

  /// What SigLIP adds to the model's own pieces.
  struct Siglip {
    let specials: SpecialTokens
    let lowercases: Bool
    /// Stands before each text, so that the model does not drop a space at its start; the tokens that it
    /// makes alone are taken off again.
    let lead: Name
    let leadCount: Int
  }

  init(_ model: SentencePiece, _ siglip: Siglip?, contextLength: Int, endToken: Int32, padToken: Int32) {
    self.model = model
    self.siglip = siglip
    super.init(contextLength: contextLength, endToken: endToken, padToken: padToken)
  }

  /// SentencePiece's mark of a space.
  private static var mark: UInt32 { 0x2581 }

  override func encode(_ text: Scalars, cleaning: TextCleaning, limit: Int) throws(ClipError) -> [Int32] {
    var output = TokenOutput(limit: limit)
    guard let siglip else {
      try append(text[...], &output)
      return output.tokens
    }
    let whole = [SentencePieceTokenizer.mark] + text.map { $0 == SentencePieceTokenizer.mark ? 0x20 : $0 }
    var rest = whole[...]
    var isFirst = true
    while !output.isFull, let part = siglip.specials.next(&rest, normalized: false) {
      switch part {
      case .token(let id): output.append(id)
      case .text(let plain):
        let cleaned = siglip.cleaned(plain)
        // The mark alone, before a special token, is dropped.
        if isFirst, !rest.isEmpty, cleaned == [SentencePieceTokenizer.mark] { break }
        try append(cleaned[...], &output)
      }
      isFirst = false
    }
    // The end token follows, and is not written twice.
    if output.tokens.last == endToken { output.tokens.removeLast() }
    return output.tokens
  }

  private func append(_ text: ArraySlice<UInt32>, _ output: inout TokenOutput) throws(ClipError) {
    output.bytes.removeAll(keepingCapacity: true)
    if let siglip { output.bytes += siglip.lead.utf8 }
    for scalar in text { UTF8Text.append(scalar, to: &output.bytes) }
    let ids = try model.encode(output.bytes)
    let skip = siglip.map { ids.count >= $0.leadCount ? $0.leadCount : 0 } ?? 0
    for id in ids[skip...] { output.append(id) }
  }
}

extension SentencePieceTokenizer.Siglip {
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

extension SentencePieceTokenizer {
  /// Reads spiece.model of a model's folder, and tokenizer_config.json and special_tokens_map.json if
  /// present. The vocabulary must have at most `vocabularySize` tokens, the rows of the model's embedding.
  static func load(
    folder: String, cleansForSiglip: Bool, contextLength: Int, vocabularySize: Int, plugins: PluginRegistry
  ) throws(ClipError) -> SentencePieceTokenizer {
    try check(folder, contextLength: contextLength, least: 1, vocabularySize: vocabularySize)
    let path = folder + "/spiece.model"
    guard TokenizerFile.exists(path) else {
      let found = TokenizerFile.exists(folder + "/tokenizer.json") ? "tokenizer.json alone" : "nothing"
      throw ClipError(CLIP_NOT_FOUND, "\(path): expected SentencePiece's model file, found \(found)")
    }
    let file = try TokenizerFile.contents(path, TokenizerFile.byteLimit(vocabularySize))
    defer { withExtendedLifetime(file) {} }
    let model = try SentencePiece(file, plugins)
    guard model.count <= vocabularySize else {
      throw ClipError(
        CLIP_MISMATCH,
        "\(path): expected at most \(vocabularySize) tokens, the rows of the token embedding, found \(model.count)")
    }
    let names = try SpecialNames(folder: folder, .siglip)
    var siglip: Siglip?
    if cleansForSiglip {
      let configPath = folder + "/tokenizer_config.json"
      let lowercases =
        TokenizerFile.exists(configPath) ? try ConfigReader(path: configPath).bool("do_lower_case", true) : true
      var specials: [SpecialTokens.Token] = []
      for name in names.addedTokens.map({ $0.name }) + [names.end, names.unknown, names.pad] {
        guard let id = model.id(name), !specials.contains(where: { $0.name == name }) else { continue }
        specials.append(SpecialTokens.Token(name: name, id: id, isNormalized: false))
      }
      siglip = Siglip(
        specials: try SpecialTokens(specials) { $0 }, lowercases: lowercases, lead: names.unknown,
        leadCount: try model.encode(names.unknown.utf8).count)
    }
    return SentencePieceTokenizer(
      model, siglip, contextLength: contextLength, endToken: try model.required(names.end, "end", path),
      padToken: try model.required(names.pad, "pad", path))
  }
}
