import CClip
import ClipBase

/// How a text is cleaned before its words are split: clip_text_cleaning.
enum TextCleaning: UInt32 {
  /// Hugging Face's: only the tokenizer's own normalisation.
  case huggingFace = 0
  /// OpenAI's and open_clip's: ftfy's repairs, HTML entities decoded, white space collapsed, Python's lower case. Names
  /// of special tokens count as text, except CLIP's two in their exact spelling.
  case openAI
  /// openAI without lower case: open_clip's cleaning before Hugging Face's tokenizers.
  case whitespace
  /// openAI without ASCII punctuation: SigLIP's cleaning.
  case canonical
}

/// Encodes texts as rows of token ids. Immutable: any number of threads may encode at once.
class Tokenizer {
  /// Tokens of one row, including those before and after the text.
  let contextLength: Int
  /// The tokens before and after each text.
  let start: [Int32]
  let end: [Int32]
  let padToken: Int32
  /// Whether a text that is too long is truncated at its start, and whether padding comes first.
  var truncatesLeft = false
  var padsLeft = false
  /// The cleaning if the caller names none.
  var cleaning = TextCleaning.huggingFace
  var takesCleaning: Bool { false }
  /// This token is replaced by 0 in each row; -1 for none.
  var strippedToken: Int32 = -1
  /// Upper limit of ids, exclusive.
  var idLimit = Int32.max
  private let idle = IdlePool<TokenScratch>()

  init(contextLength: Int, start: [Int32], end: [Int32], padToken: Int32) {
    self.contextLength = contextLength
    self.start = start
    self.end = end
    self.padToken = padToken
  }

  /// The tokens of the text without those of `start` and `end`; the first `limit` of them.
  func encode(_ text: Scalars, cleaning: TextCleaning, limit: Int) throws(ClipError) -> [Int32] { [] }

  /// A faster `encode` for texts in which cleaning changes only case: reads `scratch.scalars` and writes
  /// `scratch.output`. Returns false, and leaves the text unchanged, if `encode` is needed.
  func encodePlain(_ scratch: TokenScratch, cleaning: TextCleaning, limit: Int) -> Bool { false }

  /// Writes one row of `contextLength` tokens: `start`, the text, `end`, padding. Returns the number of tokens without
  /// the padding at the end. A text that is too long is CLIP_LIMIT, or with `truncate` truncated.
  final func encodeRow(
    _ text: UnsafeBufferPointer<UInt8>, cleaning: TextCleaning?, truncate: Bool, into row: UnsafeMutablePointer<Int32>
  ) throws(ClipError) -> Int {
    let scratch = idle.take() ?? TokenScratch()
    defer { idle.give(scratch) }
    let room = max(0, contextLength - start.count - end.count)
    let limit = truncate && !truncatesLeft ? room : Int.max - 1
    let cleaning = takesCleaning ? cleaning ?? self.cleaning : self.cleaning
    try UTF8Text.decode(try Tokenizer.limited(text, truncate: truncate), into: &scratch.scalars)
    if !encodePlain(scratch, cleaning: cleaning, limit: limit) {
      scratch.output.tokens = try encode(scratch.scalars, cleaning: cleaning, limit: limit)
    }
    let found = scratch.output.tokens.count
    guard truncate || found <= room else {
      throw ClipError(
        CLIP_LIMIT,
        "text: expected at most \(contextLength) tokens, start and end counted, found "
          + "\(found + start.count + end.count); shorten it or ask for truncation")
    }
    let tokens = scratch.output.tokens[max(0, found - room)...]
    let count = min(start.count + tokens.count + end.count, contextLength)
    var at = padsLeft ? contextLength - count : 0
    for index in 0..<at { row[index] = padToken }
    func append(_ token: Int32) {
      // False only if the context is shorter than `start` and `end`.
      guard at < contextLength else { return }
      row[at] = token == strippedToken ? 0 : token
      at += 1
    }
    for token in start { append(token) }
    for token in tokens {
      guard token < idLimit else {
        throw ClipError(
          CLIP_INVALID_ARGUMENT,
          "text: token \(token) of the tokenizer is not below \(idLimit), the rows of the token embedding")
      }
      append(token)
    }
    for token in end { append(token) }
    let length = at
    for index in at..<contextLength { row[index] = padToken }
    return length
  }

  /// The most bytes of a text, far more than a row of tokens can hold: cleaning processes a text as a whole.
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

  mutating func setBytes(_ text: ArraySlice<UInt32>) {
    bytes.removeAll(keepingCapacity: true)
    for scalar in text { UTF8Text.append(scalar, to: &bytes) }
  }

  mutating func append(_ token: Int32) { if !isFull { tokens.append(token) } }
}
