import CClip

/// How a text is made ready for the split into words.
enum TextCleaning {
  /// Hugging Face's CLIP tokenizer: NFC, lower case letter by letter, special tokens recognised in the text.
  case huggingFace
  /// OpenAI's and open_clip's: ftfy's repairs, HTML entities, Python's lower case.
  case openAI
}

/// CLIP's tokenizer: byte-level byte-pair encoding with `</w>` at the end of each word
/// (Radford et al., 2021). Immutable after `load`: any number of threads may encode at once.
final class Tokenizer {
  /// Tokens of one row, start and end counted.
  let contextLength: Int
  let startToken: Int32
  let endToken: Int32
  let padToken: Int32

  private let pairs: BytePairs
  /// The symbol of each byte within a word, and of each byte at a word's end.
  private let byteSymbols: [Int32]
  private let lastByteSymbols: [Int32]
  private let specials: SpecialTokens
  private let splitsSpecials: Bool
  private let textRepair = TextRepair()

  init(_ parts: TokenizerParts, contextLength: Int) {
    self.contextLength = contextLength
    startToken = parts.startToken
    endToken = parts.endToken
    padToken = parts.padToken
    pairs = parts.pairs
    byteSymbols = parts.byteSymbols
    lastByteSymbols = parts.lastByteSymbols
    specials = parts.specials
    splitsSpecials = parts.splitsSpecials
  }

  /// All tokens of a UTF-8 text, start and end token around them, however many they are.
  func encode(_ text: UnsafeBufferPointer<UInt8>, cleaning: TextCleaning) throws(ClipError) -> [Int32] {
    var tokens = try encode(text, cleaning, atMost: Int.max - 1)
    tokens.append(endToken)
    return tokens
  }

  /// Writes one row of `contextLength` tokens: start token, text, end token, padding. Returns how many
  /// stand before the padding. A text that is too long is CLIP_LIMIT, or with `truncate` is cut so that
  /// the end token comes last.
  func encodeRow(
    _ text: UnsafeBufferPointer<UInt8>, cleaning: TextCleaning, truncate: Bool, into row: UnsafeMutablePointer<Int32>
  ) throws(ClipError) -> Int {
    var tokens = try encode(text, cleaning, atMost: truncate ? contextLength - 1 : Int.max - 1)
    tokens.append(endToken)
    guard tokens.count <= contextLength else {
      throw ClipError(
        CLIP_LIMIT,
        "text: expected at most \(contextLength) tokens, start and end counted, found \(tokens.count); "
          + "shorten it or ask for truncation")
    }
    for (index, token) in tokens.enumerated() { row[index] = token }
    for index in tokens.count..<contextLength { row[index] = padToken }
    return tokens.count
  }

  /// The start token and the text's, `atMost` of them together.
  private func encode(
    _ text: UnsafeBufferPointer<UInt8>, _ cleaning: TextCleaning, atMost: Int
  ) throws(ClipError) -> [Int32] {
    var output = TokenOutput(limit: atMost)
    output.tokens.append(startToken)
    let scalars = try UTF8Text.decode(text)
    switch cleaning {
    case .openAI:
      let cleaned = try textRepair.clean(scalars)
      var splitter = WordSplitter(.openAI)
      append(cleaned[...], &splitter, &output)
    case .huggingFace:
      var splitter = WordSplitter(splitsSpecials ? .huggingFaceWithSpecials : .huggingFace)
      var at = 0
      while at < scalars.count, !output.isFull {
        let found = specials.first(in: scalars[at...], normalized: false)
        let plain = scalars[at..<(found?.range.lowerBound ?? scalars.count)]
        if !plain.isEmpty { try appendNormalized(plain, &splitter, &output) }
        if let found { output.append(found.id) }
        at = found?.range.upperBound ?? scalars.count
      }
    }
    return output.tokens
  }

  private func appendNormalized(
    _ text: ArraySlice<UInt32>, _ splitter: inout WordSplitter, _ output: inout TokenOutput
  ) throws(ClipError) {
    let normal = lowercased(try normalizedNFC(Array(text)), finalSigma: false)
    var at = 0
    while at < normal.count, !output.isFull {
      let found = specials.first(in: normal[at...], normalized: true)
      append(normal[at..<(found?.range.lowerBound ?? normal.count)], &splitter, &output)
      if let found { output.append(found.id) }
      at = found?.range.upperBound ?? normal.count
    }
  }

  /// Splits into words and appends the tokens of each.
  private func append(_ text: ArraySlice<UInt32>, _ splitter: inout WordSplitter, _ output: inout TokenOutput) {
    splitter.begin(text)
    while !output.isFull, let word = splitter.next() {
      switch word {
      case .start: output.append(startToken)
      case .end: output.append(endToken)
      case .plain(let range):
        output.bytes.removeAll(keepingCapacity: true)
        for scalar in text[range] { UTF8Text.append(scalar, to: &output.bytes) }
        output.symbols.removeAll(keepingCapacity: true)
        for byte in output.bytes { output.symbols.append(byteSymbols[Int(byte)]) }
        if let last = output.bytes.last { output.symbols[output.symbols.count - 1] = lastByteSymbols[Int(last)] }
        pairs.merge(&output.symbols)
        for symbol in output.symbols { output.append(symbol) }
      }
    }
  }
}

/// The tokens so far, and room for one word that is reused.
private struct TokenOutput {
  let limit: Int
  var tokens: [Int32] = []
  var bytes: [UInt8] = []
  var symbols: [Int32] = []

  init(limit: Int) { self.limit = limit }

  var isFull: Bool { tokens.count >= limit }

  mutating func append(_ token: Int32) { if !isFull { tokens.append(token) } }
}
