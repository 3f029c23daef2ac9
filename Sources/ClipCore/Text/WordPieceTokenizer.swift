import CClip

/// BERT's tokenizer (Devlin et al., 2019, https://arxiv.org/abs/1810.04805) as Hugging Face's `tokenizers`
/// implements it. Each word is split greedily, from its start, into the longest pieces of the vocabulary; a word
/// that cannot be split is one unknown token.
final class WordPieceTokenizer: Tokenizer {
  private let parts: WordPieceParts

  init(_ parts: WordPieceParts, contextLength: Int) {
    self.parts = parts
    super.init(contextLength: contextLength, endToken: parts.endToken, padToken: parts.padToken)
  }

  override func encode(_ text: Scalars, cleaning: TextCleaning, limit: Int) throws(ClipError) -> [Int32] {
    var output = TokenOutput(limit: limit)
    output.tokens.append(parts.startToken)
    let text = parts.lowersFirst ? lowercased(text, finalSigma: true) : text
    var rest = text[...]
    while !output.isFull, let part = parts.specials.next(&rest, normalized: false) {
      switch part {
      case .token(let id): output.append(id)
      case .text(let plain): appendNormalized(plain, &output)
      }
    }
    return output.tokens
  }

  private func appendNormalized(_ text: ArraySlice<UInt32>, _ output: inout TokenOutput) {
    let normal = parts.normalizer.normalize(text)
    var rest = normal[...]
    while !output.isFull, let part = parts.specials.next(&rest, normalized: true) {
      switch part {
      case .token(let id): output.append(id)
      case .text(let plain): append(plain, &output)
      }
    }
  }

  /// Splits at white space. Each punctuation mark is a word.
  private func append(_ text: ArraySlice<UInt32>, _ output: inout TokenOutput) {
    var at = text.startIndex
    while at < text.endIndex, !output.isFull {
      let start = at
      at += 1
      if isWhiteSpace(text[start]) { continue }
      if !BertCharacters.isPunctuation(text[start]) {
        while at < text.endIndex, !isWhiteSpace(text[at]), !BertCharacters.isPunctuation(text[at]) { at += 1 }
      }
      append(word: text[start..<at], &output)
    }
  }

  private func isWhiteSpace(_ scalar: UInt32) -> Bool { CharacterKind(scalar) == .space }

  private func append(word: ArraySlice<UInt32>, _ output: inout TokenOutput) {
    guard word.count <= parts.longestWord else { return output.append(parts.unknownToken) }
    // For each piece but the first, the prefix overwrites the bytes before the piece, which are no longer needed.
    let prefix = parts.continuation.utf8
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
        parts.vocabulary.longest(
          startOf: UnsafeBufferPointer(rebasing: $0[begin...]), beyond: isFirst ? 0 : prefix.count)
      }
      guard let piece else { return output.append(parts.unknownToken) }
      output.symbols.append(piece.id)
      at = begin + piece.count
    }
    for symbol in output.symbols { output.append(symbol) }
  }
}
