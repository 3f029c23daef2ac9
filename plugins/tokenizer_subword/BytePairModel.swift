import ClipBase

/// Byte-pair encoding of tokenizer.json: the characters of a piece are its first symbols.
struct BytePairModel {
  let vocabulary: Vocabulary
  let pairs: BytePairs
  /// The prefix of the names of all symbols except a piece's first, and the suffix of its last.
  let prefix: Name
  let suffix: Name
  /// nil if unknown characters have no token.
  let unknownToken: Int32?
  let fusesUnknown: Bool
  /// The tokens of bytes; empty without byte fallback.
  let byteTokens: [Int32?]
  /// Whether a piece that is a token stays whole, without merges.
  let ignoresMerges: Bool
  /// The symbols of the first characters of Unicode, if they are the same at all places of a piece; -1 for none.
  private let symbols: [Int32]

  init(
    vocabulary: Vocabulary, pairs: BytePairs, prefix: Name, suffix: Name, unknownToken: Int32?, fusesUnknown: Bool,
    byteTokens: [Int32?], ignoresMerges: Bool
  ) {
    self.vocabulary = vocabulary
    self.pairs = pairs
    self.prefix = prefix
    self.suffix = suffix
    self.unknownToken = unknownToken
    self.fusesUnknown = fusesUnknown
    self.byteTokens = byteTokens
    self.ignoresMerges = ignoresMerges
    var symbols: [Int32] = []
    if prefix.isEmpty && suffix.isEmpty {
      for scalar in UInt32(0)..<0x200 {
        var name: [UInt8] = []
        UTF8Text.append(scalar, to: &name)
        symbols.append(vocabulary.id(Name(utf8: name)) ?? -1)
      }
    }
    self.symbols = symbols
  }

  func append(_ piece: ArraySlice<UInt32>, _ output: inout TokenOutput) {
    if ignoresMerges {
      output.setBytes(piece)
      if let id = output.bytes.withUnsafeBufferPointer({ vocabulary.id($0) }) { return output.append(id) }
    }
    output.symbols.removeAll(keepingCapacity: true)
    // An unknown token that is not yet in `symbols`. As in `tokenizers`, tokens of bytes do not end it.
    var pending: Int32?
    for index in piece.indices {
      let scalar = piece[index]
      if scalar < symbols.count, symbols[Int(scalar)] >= 0 {
        if let token = pending { output.symbols.append(token) }
        pending = nil
        output.symbols.append(symbols[Int(scalar)])
        continue
      }
      output.bytes.removeAll(keepingCapacity: true)
      if index > piece.startIndex { output.bytes += prefix.utf8 }
      UTF8Text.append(scalar, to: &output.bytes)
      if index + 1 == piece.endIndex { output.bytes += suffix.utf8 }
      if let id = output.bytes.withUnsafeBufferPointer({ vocabulary.id($0) }) {
        if let token = pending { output.symbols.append(token) }
        pending = nil
        output.symbols.append(id)
      } else if !byteTokens.isEmpty, let ids = ByteFallback.encode(output.bytes[...], byteTokens) {
        output.symbols += ids
      } else if let unknownToken {
        if let token = pending, !fusesUnknown { output.symbols.append(token) }
        pending = unknownToken
      }
    }
    if let token = pending { output.symbols.append(token) }
    pairs.merge(&output.symbols)
    for symbol in output.symbols { output.append(symbol) }
  }
}
