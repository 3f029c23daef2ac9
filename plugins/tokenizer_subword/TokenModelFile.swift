import CClip
import ClipBase

/// Reads the "model" of a tokenizer.json.
struct TokenModelFile {
  private let model: ConfigReader
  private let place: String
  private let size: Int

  /// In a vocabulary with ids, these must be below `size`. A list may be longer than the token embedding: its last
  /// tokens are never used then.
  init(_ model: ConfigReader, size: Int) {
    self.model = model
    self.size = size
    place = model.place
  }

  func read() throws(ClipError) -> TokenModel {
    switch try kind() {
    case "BPE": return .bytePairs(try bytePairs())
    case "Unigram": return .unigram(try unigram())
    case "WordPiece": return .wordPiece(try wordPiece())
    case "WordLevel":
      let vocabulary = try vocabulary()
      return .wordLevel(WordLevelModel(vocabulary: vocabulary, unknownToken: try unknown(vocabulary, "<unk>")))
    default:
      throw model.error(CLIP_UNSUPPORTED, "type", "\"BPE\", \"Unigram\", \"WordPiece\" or \"WordLevel\"")
    }
  }

  /// Old files lack the type.
  private func kind() throws(ClipError) -> Name {
    if model.has("type") { return try model.string("type", "") }
    if model.has("merges") { return "BPE" }
    if model.json["vocab"]?.array != nil { return "Unigram" }
    return model.has("max_input_chars_per_word") ? "WordPiece" : "WordLevel"
  }

  private func vocabulary() throws(ClipError) -> Vocabulary {
    guard let tokens = model.json["vocab"] else { throw model.error(CLIP_FORMAT, "vocab", "an object") }
    return try Vocabulary(tokens, size: size, place: place + ": \"model.vocab\"")
  }

  /// The token "unk_token", which must be in the vocabulary.
  private func unknown(_ vocabulary: Vocabulary, _ fallback: Name) throws(ClipError) -> Int32 {
    try vocabulary.required(try model.string("unk_token", fallback), "unknown", place)
  }

  private func wordPiece() throws(ClipError) -> WordPieceModel {
    var vocabulary = try vocabulary()
    try vocabulary.indexPrefixes()
    return WordPieceModel(
      vocabulary: vocabulary, unknownToken: try unknown(vocabulary, "[UNK]"),
      continuation: try model.string("continuing_subword_prefix", "##"),
      longestWord: try model.int("max_input_chars_per_word", 100, 1...1000))
  }

  private func bytePairs() throws(ClipError) -> BytePairModel {
    let vocabulary = try vocabulary()
    if let dropout = model.json["dropout"], dropout.number != 0 {
      throw model.error(CLIP_UNSUPPORTED, "dropout", "null")
    }
    guard let list = model.json["merges"]?.array else { throw model.error(CLIP_FORMAT, "merges", "an array") }
    let prefix = try model.string("continuing_subword_prefix", "")
    let unknown = try model.string("unk_token", "")
    return BytePairModel(
      vocabulary: vocabulary,
      pairs: try MergeList(json: list, path: place).table(vocabulary, prefix: prefix.utf8.count),
      prefix: prefix, suffix: try model.string("end_of_word_suffix", ""),
      // If the vocabulary lacks the token, only a text that needs it fails.
      unknownToken: model.has("unk_token") && !unknown.isEmpty
        ? try vocabulary.required(unknown, "unknown", place) : nil,
      fusesUnknown: try model.bool("fuse_unk", false),
      byteTokens: try model.bool("byte_fallback", false) ? ByteFallback.tokens(vocabulary) : [],
      ignoresMerges: try model.bool("ignore_merges", false))
  }

  /// The longest token, in bytes, that is searched for at each byte of a text.
  private static var longestPiece: Int { 512 }

  /// [["<unk>", 0], ["▁a", -2.5], …]: the index is the id.
  private func unigram() throws(ClipError) -> UnigramModel {
    guard let pieces = model.json["vocab"]?.array else { throw model.error(CLIP_FORMAT, "vocab", "an array") }
    var vocabulary = try Vocabulary(size: Int(Int32.max), capacity: pieces.count)
    var scores: [Double] = []
    scores.reserveCapacity(pieces.count)
    for (id, piece) in pieces.enumerated() {
      guard let pair = piece.array, pair.count == 2, let name = pair[0].string, let score = pair[1].number,
        name.utf8.count <= TokenModelFile.longestPiece
      else {
        throw ClipError(
          CLIP_FORMAT,
          "\(place): \(model.prefix)vocab.\(id): expected a token of at most \(TokenModelFile.longestPiece) bytes and its "
            + "score, found \(piece.kind)")
      }
      try vocabulary.put(name, id, place)
      scores.append(score)
    }
    guard !pieces.isEmpty, let id = model.json["unk_id"]?.int, id >= 0, id < pieces.count else {
      throw model.error(CLIP_FORMAT, "unk_id", "an index of \"vocab\"")
    }
    try vocabulary.indexPrefixes()
    return UnigramModel(
      vocabulary: vocabulary, scores: scores, unknownToken: Int32(truncatingIfNeeded: id),
      byteTokens: try model.bool("byte_fallback", false) ? ByteFallback.tokens(vocabulary) : [])
  }
}

enum Base64 {
  /// nil for malformed text (RFC 4648, with padding).
  static func decode(_ text: [UInt8]) -> [UInt8]? {
    guard text.count % 4 == 0 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 4 * 3)
    var padding = 0
    var word: UInt32 = 0
    for (index, character) in text.enumerated() {
      var value: UInt8 = 0
      switch character {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = character - 65
      case UInt8(ascii: "a")...UInt8(ascii: "z"): value = character - 71
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = character + 4
      case UInt8(ascii: "+"): value = 62
      case UInt8(ascii: "/"): value = 63
      case UInt8(ascii: "=") where index + 2 >= text.count: padding += 1
      default: return nil
      }
      if padding > 0, character != UInt8(ascii: "=") { return nil }
      word = word << 6 | UInt32(value)
      if index % 4 == 3 {
        bytes.append(UInt8(truncatingIfNeeded: word >> 16))
        bytes.append(UInt8(truncatingIfNeeded: word >> 8))
        bytes.append(UInt8(truncatingIfNeeded: word))
      }
    }
    bytes.removeLast(padding)
    return bytes
  }
}
