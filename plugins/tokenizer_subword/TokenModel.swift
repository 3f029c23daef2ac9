import ClipBase

/// The "model" of tokenizer.json, which converts a piece of text to ids.
enum TokenModel {
  case bytePairs(BytePairModel)
  case unigram(UnigramModel)
  case wordPiece(WordPieceModel)
  case wordLevel(WordLevelModel)

  func append(_ piece: ArraySlice<UInt32>, _ output: inout TokenOutput) {
    switch self {
    case .bytePairs(let model): model.append(piece, &output)
    case .unigram(let model): model.append(piece, &output)
    case .wordPiece(let model): model.append(piece, &output)
    case .wordLevel(let model): model.append(piece, &output)
    }
  }

  var vocabulary: Vocabulary {
    switch self {
    case .bytePairs(let model): model.vocabulary
    case .unigram(let model): model.vocabulary
    case .wordPiece(let model): model.vocabulary
    case .wordLevel(let model): model.vocabulary
    }
  }
}

/// A piece is a token of the vocabulary, or the unknown token.
struct WordLevelModel {
  let vocabulary: Vocabulary
  let unknownToken: Int32

  func append(_ piece: ArraySlice<UInt32>, _ output: inout TokenOutput) {
    output.setBytes(piece)
    output.append(output.bytes.withUnsafeBufferPointer { vocabulary.id($0) } ?? unknownToken)
  }
}

/// WordPiece (Devlin et al., 2019, https://arxiv.org/abs/1810.04805): a word is split greedily, from its start, into the
/// longest pieces of the vocabulary; a word that cannot be split is one unknown token.
struct WordPieceModel {
  let vocabulary: Vocabulary
  let unknownToken: Int32
  /// The prefix of the names of all pieces of a word except its first.
  var continuation: Name = "##"
  /// In characters. A longer word is the unknown token.
  var longestWord = 100

  func append(_ word: ArraySlice<UInt32>, _ output: inout TokenOutput) {
    guard word.count <= longestWord else { return output.append(unknownToken) }
    // For each piece but the first, the prefix overwrites the bytes before the piece, which are no longer needed.
    let prefix = continuation.utf8
    output.bytes.removeAll(keepingCapacity: true)
    output.bytes += prefix
    for scalar in word { UTF8Text.append(scalar, to: &output.bytes) }
    output.symbols.removeAll(keepingCapacity: true)
    var at = prefix.count
    while at < output.bytes.count {
      let isFirst = at == prefix.count
      let begin = isFirst ? at : at - prefix.count
      if !isFirst { output.bytes.replaceSubrange(begin..<at, with: prefix) }
      let piece = output.bytes.withUnsafeBufferPointer {
        vocabulary.longest(
          startOf: UnsafeBufferPointer(rebasing: $0[begin...]), beyond: isFirst ? 0 : prefix.count)
      }
      guard let piece else { return output.append(unknownToken) }
      output.symbols.append(piece.id)
      at = begin + piece.count
    }
    for symbol in output.symbols { output.append(symbol) }
  }
}

/// The names of the tokens that stand for the bytes of a character that the vocabulary does not have: "<0x0A>".
enum ByteFallback {
  /// One element for each byte; nil for a byte without a token.
  static func tokens(_ vocabulary: Vocabulary) -> [Int32?] {
    let digits: StaticString = "0123456789ABCDEF"
    return (0..<256).map { byte in
      let (high, low) = (digits.utf8Start[byte >> 4], digits.utf8Start[byte & 15])
      return vocabulary.id(Name("<0x") + Name(utf8: [high, low, UInt8(ascii: ">")]))
    }
  }

  /// The tokens of all bytes; nil if one of them has none.
  static func encode(_ bytes: ArraySlice<UInt8>, _ tokens: [Int32?]) -> [Int32]? {
    var ids: [Int32] = []
    for byte in bytes {
      guard let id = tokens[Int(byte)] else { return nil }
      ids.append(id)
    }
    return ids
  }
}
