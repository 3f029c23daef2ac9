import CClip
import ClipBase

/// CLIP's tokenizer: byte-level byte-pair encoding with `</w>` at the end of each word
/// (Radford et al., 2021). Immutable: any number of threads may encode at once.
final class BytePairTokenizer: Tokenizer {
  private let isOpenAI: Bool
  private let startToken: Int32
  private let endToken: Int32
  private let pairs: BytePairs
  /// The symbol of each byte within a word, and of each byte at a word's end.
  private let byteSymbols: [Int32]
  private let lastByteSymbols: [Int32]
  private let specials: SpecialTokens
  private let textRepair = TextRepair()
  private let splitter: WordSplitter
  private let openAISplitter = WordSplitter(.openAI)

  /// With `isOpenAI`, words are split as by open_clip's SimpleTokenizer, with any cleaning.
  init(_ parts: BytePairParts, isOpenAI: Bool, contextLength: Int) {
    self.isOpenAI = isOpenAI
    startToken = parts.startToken
    endToken = parts.endToken
    pairs = parts.pairs
    byteSymbols = parts.byteSymbols
    lastByteSymbols = parts.lastByteSymbols
    specials = parts.specials
    splitter = WordSplitter(parts.splitsSpecials ? .huggingFaceWithSpecials : .huggingFace)
    super.init(
      contextLength: contextLength, start: [parts.startToken], end: [parts.endToken], padToken: parts.padToken)
  }

  override var takesCleaning: Bool { true }

  override func encode(_ text: Scalars, cleaning: TextCleaning, limit: Int) throws(ClipError) -> [Int32] {
    var output = TokenOutput(limit: limit)
    let cleaned = try textRepair.clean(text, cleaning)
    if splitsAsOpenAI(cleaning) {
      var splitter = openAISplitter
      append(cleaned[...], &splitter, &output)
    } else {
      var splitter = splitter
      for part in specials.split(cleaned[...], normalized: false) where !output.isFull {
        switch part {
        case .token(let id): output.append(id)
        case .text(let plain): try appendNormalized(plain, &splitter, &output)
        }
      }
    }
    return output.tokens
  }

  override func encodePlain(_ scratch: TokenScratch, cleaning: TextCleaning, limit: Int) -> Bool {
    for scalar in scratch.scalars {
      switch cleaning {
      case .openAI: if !PlainText.isPrintableASCII(scalar) { return false }
      case .huggingFace:
        if scalar == 0x130 || !PlainText.isNormal(scalar) || specials.mayBegin(with: scalar) { return false }
      case .whitespace, .canonical: return false
      }
    }
    for index in scratch.scalars.indices { scratch.scalars[index] = lowercased(scratch.scalars[index]) }
    scratch.output.restart(limit: limit)
    var splitter = splitsAsOpenAI(cleaning) ? openAISplitter : splitter
    append(scratch.scalars[...], &splitter, &scratch.output)
    return true
  }

  private func splitsAsOpenAI(_ cleaning: TextCleaning) -> Bool {
    cleaning == .openAI || (isOpenAI && cleaning != .huggingFace)
  }

  private func appendNormalized(
    _ text: ArraySlice<UInt32>, _ splitter: inout WordSplitter, _ output: inout TokenOutput
  ) throws(ClipError) {
    let normal = lowercased(try normalizedNFC(Array(text)), finalSigma: false)
    for part in specials.split(normal[...], normalized: true) where !output.isFull {
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
