import CClip

/// How CLIP's tokenizer cleans a text before it splits words. Other tokenizers ignore it.
enum TextCleaning {
  /// As Hugging Face's tokenizer: NFC, lower case letter by letter, special tokens recognised in the text.
  case huggingFace
  /// As OpenAI and open_clip: ftfy's repairs, HTML entities decoded, Python's lower case.
  case openAI
}

/// Encodes texts as rows of token ids. Immutable: any number of threads may encode at once.
class Tokenizer {
  /// Tokens of one row, including start and end token.
  let contextLength: Int
  let endToken: Int32
  let padToken: Int32

  init(contextLength: Int, endToken: Int32, padToken: Int32) {
    self.contextLength = contextLength
    self.endToken = endToken
    self.padToken = padToken
  }

  /// The start token, if there is one, and the tokens of the text; at most `limit` in all.
  func encode(_ text: Scalars, cleaning: TextCleaning, limit: Int) throws(ClipError) -> [Int32] { [] }

  /// A faster `encode` for a text that cleaning changes in nothing but case: reads `scratch.scalars`, writes
  /// `scratch.output`. Returns false, and leaves the text unchanged, if it needs `encode`.
  func encodePlain(_ scratch: TokenScratch, cleaning: TextCleaning, limit: Int) -> Bool { false }

  /// Writes one row of `contextLength` tokens: the text's tokens, the end token, padding. Returns the number
  /// of tokens before the padding. A text that is too long is CLIP_LIMIT, or with `truncate` is cut so that
  /// the end token comes last.
  final func encodeRow(
    _ text: UnsafeBufferPointer<UInt8>, cleaning: TextCleaning, truncate: Bool, into row: UnsafeMutablePointer<Int32>,
    _ scratch: TokenScratch
  ) throws(ClipError) -> Int {
    let limit = truncate ? contextLength - 1 : Int.max - 1
    try UTF8Text.decode(try Tokenizer.limited(text, truncate: truncate), into: &scratch.scalars)
    if !encodePlain(scratch, cleaning: cleaning, limit: limit) {
      scratch.output.tokens = try encode(scratch.scalars, cleaning: cleaning, limit: limit)
    }
    let count = scratch.output.tokens.count + 1
    guard count <= contextLength else {
      throw ClipError(
        CLIP_LIMIT,
        "text: expected at most \(contextLength) tokens, start and end counted, found \(count); "
          + "shorten it or ask for truncation")
    }
    for (index, token) in scratch.output.tokens.enumerated() { row[index] = token }
    row[count - 1] = endToken
    for index in count..<contextLength { row[index] = padToken }
    return count
  }

  /// The most bytes of a text. Cleaning processes a text as a whole, so that its length is limited, far above
  /// what a row of tokens can hold.
  private static var mostBytes: Int { 1 << 20 }

  /// The text, or with `truncate` its longest prefix of whole characters within the limit.
  private static func limited(
    _ text: UnsafeBufferPointer<UInt8>, truncate: Bool
  ) throws(ClipError) -> UnsafeBufferPointer<UInt8> {
    if text.count <= mostBytes { return text }
    guard truncate else {
      throw ClipError(
        CLIP_LIMIT,
        "text: expected at most \(mostBytes) bytes, found \(text.count); shorten it or ask for truncation")
    }
    var end = mostBytes
    while end > mostBytes - 3, text[end] & 0xC0 == 0x80 { end -= 1 }
    return UnsafeBufferPointer(rebasing: text[..<end])
  }

  /// Checks a model's sizes: at least `least` tokens in a row, and a vocabulary whose ids have 32 bits.
  static func check(
    _ folder: String, contextLength: Int, least: Int, vocabularySize: Int
  ) throws(ClipError) {
    guard contextLength >= least else {
      throw ClipError(
        CLIP_FORMAT, "\(folder): expected a context length of at least \(least) tokens, found \(contextLength)")
    }
    guard vocabularySize > 0, vocabularySize <= Int(Int32.max) else {
      throw ClipError(
        CLIP_FORMAT, "\(folder): expected 1 to \(Int32.max) tokens in the vocabulary, found \(vocabularySize)")
    }
  }
}

/// The tokens of a text, at most `limit`, and buffers for the bytes and symbols of one word.
struct TokenOutput {
  private(set) var limit: Int
  var tokens: [Int32] = []
  var bytes: [UInt8] = []
  var symbols: [Int32] = []

  init(limit: Int) { self.limit = limit }

  var isFull: Bool { tokens.count >= limit }

  mutating func restart(limit: Int) {
    self.limit = limit
    tokens.removeAll(keepingCapacity: true)
  }

  mutating func append(_ token: Int32) { if !isFull { tokens.append(token) } }
}
