import CClip

/// How a text is made ready for CLIP's split into words; other tokenizers have one way each.
enum TextCleaning {
  /// Hugging Face's CLIP tokenizer: NFC, lower case letter by letter, special tokens recognised in the text.
  case huggingFace
  /// OpenAI's and open_clip's: ftfy's repairs, HTML entities, Python's lower case.
  case openAI
}

/// Texts to rows of token ids. Immutable after loading: any number of threads may encode at once.
class Tokenizer {
  /// Tokens of one row, those at its start and end counted.
  let contextLength: Int
  let endToken: Int32
  let padToken: Int32

  init(contextLength: Int, endToken: Int32, padToken: Int32) {
    self.contextLength = contextLength
    self.endToken = endToken
    self.padToken = padToken
  }

  /// The start token, if there is one, and the text's, `limit` of them together at most.
  func encode(_ text: Scalars, cleaning: TextCleaning, limit: Int) throws(ClipError) -> [Int32] { [] }

  /// The same to `scratch.output`, from the text in `scratch.scalars`, for a text that needs no cleaning but
  /// lower case; false, with the text as it was, for one that needs more.
  func encodePlain(_ scratch: TokenScratch, cleaning: TextCleaning, limit: Int) -> Bool { false }

  /// Writes one row of `contextLength` tokens: the text's, end token, padding. Returns how many stand
  /// before the padding. A text that is too long is CLIP_LIMIT, or with `truncate` is cut so that the end
  /// token comes last.
  final func encodeRow(
    _ text: UnsafeBufferPointer<UInt8>, cleaning: TextCleaning, truncate: Bool, into row: UnsafeMutablePointer<Int32>,
    _ scratch: TokenScratch
  ) throws(ClipError) -> Int {
    let limit = truncate ? contextLength - 1 : Int.max - 1
    try UTF8Text.decode(try Tokenizer.readable(text, truncate: truncate), into: &scratch.scalars)
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

  /// Cleaning looks at a text as a whole, so that its length is limited: no row of tokens comes near it.
  private static var mostBytes: Int { 1 << 20 }

  /// The text, or with `truncate` what is read of one that is longer than the limit: whole characters.
  private static func readable(
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

  /// That a model's sizes leave room for a text: `least` tokens in a row, and ids of 32 bits.
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

/// The tokens so far, and room for one word that is reused.
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
