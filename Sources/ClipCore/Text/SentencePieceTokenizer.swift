import CClip
import CSystem

/// A SentencePiece model with the cleaning of its family. For SigLIP this is the cleaning of transformers'
/// SiglipTokenizer: lower case, no ASCII punctuation, one space for each run of white space.
final class SentencePieceTokenizer: Tokenizer {
  private let model: SentencePiece
  private let siglip: Siglip?
  private let prefix: Prefix
  private let endToken: Int32
  private let textRepair = TextRepair()

  /// SigLIP's special tokens and cleaning.
  struct Siglip {
    let specials: SpecialTokens
    let lowercases: Bool
  }

  /// The unknown token's name, which is put before a text so that the model keeps a space at the text's
  /// start, as transformers does. Its `count` tokens are removed from the result.
  struct Prefix {
    let name: Name
    let count: Int
    let unknownToken: Int32?
  }

  init(
    _ model: SentencePiece, _ siglip: Siglip?, _ prefix: Prefix, contextLength: Int, endToken: Int32, padToken: Int32
  ) {
    self.model = model
    self.siglip = siglip
    self.prefix = prefix
    self.endToken = endToken
    super.init(contextLength: contextLength, start: [], end: [endToken], padToken: padToken)
  }

  /// SentencePiece's character for a space.
  private static var mark: UInt32 { 0x2581 }

  override func encode(_ text: Scalars, cleaning: TextCleaning, limit: Int) throws(ClipError) -> [Int32] {
    let text = try textRepair.clean(text, cleaning)
    var output = TokenOutput(limit: limit)
    guard let siglip else {
      try append(text[...], &output)
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
        try append(cleaned[...], &output)
      }
      isFirst = false
    }
    // The caller appends the end token.
    if output.tokens.last == endToken { output.tokens.removeLast() }
    return output.tokens
  }

  /// In characters. libsentencepiece takes quadratic time for unknown characters, so that a longer text is
  /// encoded in parts, which end at a space if possible.
  private static var longestPart: Int { 8192 }

  private func append(_ text: ArraySlice<UInt32>, _ output: inout TokenOutput) throws(ClipError) {
    var at = text.startIndex
    repeat {
      var end = min(text.endIndex, at + SentencePieceTokenizer.longestPart)
      if end < text.endIndex { end = text[at..<end].lastIndex(of: 0x20).map { $0 > at ? $0 : end } ?? end }
      let isFirst = at == text.startIndex
      try append(part: text[at..<end], addsPrefix: siglip != nil || !isFirst, joins: !isFirst, &output)
      at = end
    } while at < text.endIndex && !output.isFull
  }

  /// With `joins`, an unknown token at the start is merged with one at the end of the part before: a run of
  /// unknown characters is one token.
  private func append(
    part: ArraySlice<UInt32>, addsPrefix: Bool, joins: Bool, _ output: inout TokenOutput
  ) throws(ClipError) {
    output.bytes.removeAll(keepingCapacity: true)
    if addsPrefix { output.bytes += prefix.name.utf8 }
    for scalar in part { UTF8Text.append(scalar, to: &output.bytes) }
    var ids = try model.encode(output.bytes)[...]
    if addsPrefix, ids.count >= prefix.count { ids = ids.dropFirst(prefix.count) }
    if joins, let unknown = prefix.unknownToken, ids.first == unknown, output.tokens.last == unknown {
      ids = ids.dropFirst()
    }
    for id in ids { output.append(id) }
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

extension SentencePieceTokenizer {
  /// Reads spiece.model of a model folder, and tokenizer_config.json and special_tokens_map.json if
  /// present. The vocabulary must have at most `vocabularySize` tokens, the rows of the model's token embedding.
  static func load(
    folder: String, cleansForSiglip: Bool, contextLength: Int, vocabularySize: Int, plugins: PluginRegistry
  ) throws(ClipError) -> SentencePieceTokenizer {
    try check(folder, contextLength: contextLength, least: 1, vocabularySize: vocabularySize)
    let path = folder + "/spiece.model"
    guard try TokenizerFile.exists(path) else {
      let found = try TokenizerFile.exists(folder + "/tokenizer.json") ? "tokenizer.json alone" : "nothing"
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
        try TokenizerFile.exists(configPath) ? try ConfigReader(path: configPath).bool("do_lower_case", true) : true
      var specials: [SpecialTokens.Token] = []
      for name in names.addedTokens.map({ $0.name }) + [names.end, names.unknown, names.pad] {
        guard let id = model.id(name), !specials.contains(where: { $0.name == name }) else { continue }
        specials.append(SpecialTokens.Token(name: name, id: id, isNormalized: false))
      }
      siglip = Siglip(specials: try SpecialTokens(specials) { $0 }, lowercases: lowercases)
    }
    let prefix = Prefix(
      name: names.unknown, count: try model.encode(names.unknown.utf8).count, unknownToken: model.id(names.unknown))
    return SentencePieceTokenizer(
      model, siglip, prefix, contextLength: contextLength, endToken: try model.required(names.end, "end", path),
      padToken: try model.required(names.pad, "pad", path))
  }
}
