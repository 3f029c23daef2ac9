import CClip

/// CLIP's tokenizer: byte-level byte-pair encoding with `</w>` at the end of each word
/// (Radford et al., 2021). Immutable after `load`: any number of threads may encode at once.
final class BytePairTokenizer: Tokenizer {
  private let startToken: Int32
  private let pairs: BytePairs
  /// The symbol of each byte within a word, and of each byte at a word's end.
  private let byteSymbols: [Int32]
  private let lastByteSymbols: [Int32]
  private let specials: SpecialTokens
  private let splitsSpecials: Bool
  private let textRepair = TextRepair()

  init(_ parts: BytePairParts, contextLength: Int) {
    startToken = parts.startToken
    pairs = parts.pairs
    byteSymbols = parts.byteSymbols
    lastByteSymbols = parts.lastByteSymbols
    specials = parts.specials
    splitsSpecials = parts.splitsSpecials
    super.init(contextLength: contextLength, endToken: parts.endToken, padToken: parts.padToken)
  }

  override func encode(_ text: Scalars, cleaning: TextCleaning, limit: Int) throws(ClipError) -> [Int32] {
    var output = TokenOutput(limit: limit)
    output.tokens.append(startToken)
    switch cleaning {
    case .openAI:
      let cleaned = try textRepair.clean(text)
      var splitter = WordSplitter(.openAI)
      append(cleaned[...], &splitter, &output)
    case .huggingFace:
      var splitter = WordSplitter(splitsSpecials ? .huggingFaceWithSpecials : .huggingFace)
      var rest = text[...]
      while !output.isFull, let part = specials.next(&rest, normalized: false) {
        switch part {
        case .token(let id): output.append(id)
        case .text(let plain): try appendNormalized(plain, &splitter, &output)
        }
      }
    }
    return output.tokens
  }

  private func appendNormalized(
    _ text: ArraySlice<UInt32>, _ splitter: inout WordSplitter, _ output: inout TokenOutput
  ) throws(ClipError) {
    let normal = lowercased(try normalizedNFC(Array(text)), finalSigma: false)
    var rest = normal[...]
    while !output.isFull, let part = specials.next(&rest, normalized: true) {
      switch part {
      case .token(let id): output.append(id)
      case .text(let plain): append(plain, &splitter, &output)
      }
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
