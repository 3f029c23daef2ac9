import ClipBase

/// Unigram (Kudo, 2018, https://arxiv.org/abs/1804.10959): the split of a piece into tokens with the largest sum of
/// scores, by Viterbi's algorithm. Of equal sums the one found first is used.
struct UnigramModel {
  let vocabulary: Vocabulary
  /// By id.
  let scores: [Double]
  let unknownToken: Int32
  let byteTokens: [Int32?]
  private let unknownScore: Double

  /// The score of an unknown character, below the smallest of the vocabulary.
  private static var penalty: Double { 10 }

  init(vocabulary: Vocabulary, scores: [Double], unknownToken: Int32, byteTokens: [Int32?]) {
    self.vocabulary = vocabulary
    self.scores = scores
    self.unknownToken = unknownToken
    self.byteTokens = byteTokens
    unknownScore = (scores.min() ?? 0) - UnigramModel.penalty
  }

  private struct Node {
    var score = 0.0
    var start: Int32 = -1
    var id: Int32 = 0
  }

  func append(_ piece: ArraySlice<UInt32>, _ output: inout TokenOutput) {
    output.setBytes(piece)
    let bytes = output.bytes
    var nodes = [Node](repeating: Node(), count: bytes.count + 1)
    let unknown = unknownToken
    var start = 0
    bytes.withUnsafeBufferPointer { text in
      while start < text.count {
        let first = text[start]
        let length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
        let before = nodes[start].score
        var hasCharacter = false
        func reach(_ end: Int, _ id: Int32, _ score: Double) {
          if nodes[end].start < 0 || score > nodes[end].score {
            nodes[end] = Node(score: score, start: Int32(truncatingIfNeeded: start), id: id)
          }
        }
        vocabulary.prefixes(of: UnsafeBufferPointer(rebasing: text[start...])) { id, count in
          reach(start + count, id, scores[Int(id)] + before)
          if count == length { hasCharacter = true }
        }
        if !hasCharacter { reach(min(start + length, text.count), unknown, unknownScore + before) }
        start += length
      }
    }
    // Follows the best path back from the end. Consecutive unknown characters become one token.
    output.symbols.removeAll(keepingCapacity: true)
    var end = bytes.count
    while end > 0 {
      let id = nodes[end].id
      var start = Int(nodes[end].start)
      if id == unknown { while start > 0, nodes[start].id == unknown { start = Int(nodes[start].start) } }
      if id != unknown {
        output.symbols.append(id)
      } else {
        output.symbols += tokens(ofUnknown: bytes[start..<end]).reversed()
      }
      end = start
    }
    for symbol in output.symbols.reversed() { output.append(symbol) }
  }

  private func tokens(ofUnknown bytes: ArraySlice<UInt8>) -> [Int32] {
    if let id = vocabulary.id(Name(utf8: Array(bytes))) { return [id] }
    if !byteTokens.isEmpty, let ids = ByteFallback.encode(bytes, byteTokens) { return ids }
    return [unknownToken]
  }
}
