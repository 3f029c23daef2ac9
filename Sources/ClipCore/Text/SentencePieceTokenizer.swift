import CClip
import CSystem

/// A tokenizer of a plugin, with what its family does around it. SigLIP's cleaning is that of
/// transformers' SiglipTokenizer: lower case, no ASCII punctuation, one space for white space.
final class SentencePieceTokenizer: Tokenizer {
  private let model: SentencePiece
  private let siglip: Siglip?
  private let lead: Lead

  /// What SigLIP adds to the model's own pieces.
  struct Siglip {
    let specials: SpecialTokens
    let lowercases: Bool
  }

  /// The unknown token's name, put before a text so that the model does not drop a space at its start, as
  /// transformers does. The tokens that it makes alone are taken off again.
  struct Lead {
    let name: Name
    let count: Int
    let unknownToken: Int32?
  }

  init(
    _ model: SentencePiece, _ siglip: Siglip?, _ lead: Lead, contextLength: Int, endToken: Int32, padToken: Int32
  ) {
    self.model = model
    self.siglip = siglip
    self.lead = lead
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

  /// In characters. libsentencepiece takes quadratic time over those that it does not know, so a longer
  /// text goes through it in parts, cut at a space where there is one.
  private static var longestPart: Int { 8192 }

  private func append(_ text: ArraySlice<UInt32>, _ output: inout TokenOutput) throws(ClipError) {
    var at = text.startIndex
    repeat {
      var end = min(text.endIndex, at + SentencePieceTokenizer.longestPart)
      if end < text.endIndex { end = text[at..<end].lastIndex(of: 0x20).map { $0 > at ? $0 : end } ?? end }
      let isFirst = at == text.startIndex
      try append(part: text[at..<end], hasLead: siglip != nil || !isFirst, joins: !isFirst, &output)
      at = end
    } while at < text.endIndex && !output.isFull
  }

  /// `joins`: a run of unknown characters, which is one token, may have begun before.
  private func append(
    part: ArraySlice<UInt32>, hasLead: Bool, joins: Bool, _ output: inout TokenOutput
  ) throws(ClipError) {
    output.bytes.removeAll(keepingCapacity: true)
    if hasLead { output.bytes += lead.name.utf8 }
    for scalar in part { UTF8Text.append(scalar, to: &output.bytes) }
    var ids = try model.encode(output.bytes)[...]
    if hasLead, ids.count >= lead.count { ids = ids.dropFirst(lead.count) }
    if joins, let unknown = lead.unknownToken, ids.first == unknown, output.tokens.last == unknown {
      ids = ids.dropFirst()
    }
    for id in ids { output.append(id) }
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
    let lead = Lead(
      name: names.unknown, count: try model.encode(names.unknown.utf8).count, unknownToken: model.id(names.unknown))
    return SentencePieceTokenizer(
      model, siglip, lead, contextLength: contextLength, endToken: try model.required(names.end, "end", path),
      padToken: try model.required(names.pad, "pad", path))
  }
}
