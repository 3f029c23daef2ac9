import CClip
import ClipBase

/// SentencePiece (Kudo and Richardson, 2018, https://arxiv.org/abs/1808.06226), with the ids and the float arithmetic of
/// the library. Immutable.
struct SentencePieceModel {
  private let algorithm: SentencePieceFile.Algorithm
  private let normalizer: SentencePieceNormalizer
  /// The pieces that a text may be split into.
  private let pieces: Vocabulary
  /// Control, unknown and byte pieces.
  private let reserved: Vocabulary
  private let scores: [Float]
  private let kinds: [SentencePieceFile.Kind]
  /// The tokens of bytes; empty without byte fallback.
  private let byteTokens: [Int32?]
  let unknownToken: Int32
  private let smallest: Float
  private let largest: Float
  /// Whether "▁" only occurs at the start of pieces, so that no piece spans two words.
  private let splitsAtMarks: Bool

  var count: Int { scores.count }

  init(_ file: SentencePieceFile) throws(ClipError) {
    var pieces = try Vocabulary(size: file.pieces.count, capacity: file.pieces.count)
    var reserved = try Vocabulary(size: file.pieces.count, capacity: 16)
    var userDefined = try Vocabulary(size: file.pieces.count, capacity: 16)
    var scores: [Float] = []
    var kinds: [SentencePieceFile.Kind] = []
    var unknown: Int32?
    var (smallest, largest) = (Float.greatestFiniteMagnitude, Float.leastNormalMagnitude)
    var splitsAtMarks = !file.marksEnds && file.escapesSpaces
    for (id, piece) in file.pieces.enumerated() {
      let isReserved = piece.kind == .control || piece.kind == .unknown || piece.kind == .byte
      guard pieces.id(piece.name) == nil, reserved.id(piece.name) == nil else {
        throw file.error(CLIP_FORMAT, "piece \(id): expected each name once, found \"\(piece.name.string)\" again")
      }
      if isReserved { try reserved.add(piece.name, id, file.place) } else { try pieces.add(piece.name, id, file.place) }
      switch piece.kind {
      case .unknown:
        guard unknown == nil else { throw file.error(CLIP_FORMAT, "piece \(id): expected one unknown piece") }
        unknown = Int32(truncatingIfNeeded: id)
      case .userDefined: try userDefined.add(piece.name, id, file.place)
      case .normal: (smallest, largest) = (min(smallest, piece.score), max(largest, piece.score))
      case .byte:
        guard file.hasByteFallback else {
          throw file.error(CLIP_FORMAT, "piece \(id): expected no byte without trainer_spec.byte_fallback")
        }
      case .control, .unused: break
      }
      if !isReserved, SentencePieceModel.continues(piece.name.utf8) { splitsAtMarks = false }
      try scores.add(piece.score, for: "scores")
      try kinds.add(piece.kind, for: "pieces")
    }
    guard let unknown else { throw file.error(CLIP_FORMAT, "expected an unknown piece, found none") }
    let byteTokens = file.hasByteFallback ? ByteFallback.tokens(reserved) : []
    guard !byteTokens.contains(where: { $0 == nil }) else {
      throw file.error(CLIP_FORMAT, "trainer_spec.byte_fallback: expected a piece for each of 256 bytes")
    }
    try pieces.indexPrefixes()
    try userDefined.indexPrefixes()
    normalizer = SentencePieceNormalizer(
      charsmap: file.charsmap, userDefined: userDefined.count == 0 ? nil : userDefined, addsPrefix: file.addsPrefix,
      collapsesSpaces: file.collapsesSpaces, escapesSpaces: file.escapesSpaces, marksEnds: file.marksEnds)
    algorithm = file.algorithm
    self.pieces = pieces
    self.reserved = reserved
    self.scores = scores
    self.kinds = kinds
    self.byteTokens = byteTokens
    unknownToken = unknown
    self.smallest = smallest
    self.largest = largest
    self.splitsAtMarks = splitsAtMarks && file.algorithm != .characters
  }

  /// Whether "▁" is in a name after its start.
  private static func continues(_ name: [UInt8]) -> Bool {
    for index in name.indices.dropFirst() where isMark(name[index...]) { return true }
    return false
  }

  private static func isMark(_ bytes: ArraySlice<UInt8>) -> Bool { bytes.starts(with: [0xE2, 0x96, 0x81]) }

  func id(_ name: Name) -> Int32? { reserved.id(name) ?? pieces.id(name) }

  /// The ids of a UTF-8 text, or at least the first `limit` of them.
  func encode(_ text: [UInt8], limit: Int = .max) throws(ClipError) -> [Int32] {
    let text = try text.withUnsafeBufferPointer { text throws(ClipError) in try normalizer.normalize(text) }
    var ids: [Int32] = []
    var state = State()
    var start = 0
    while start < text.count, ids.count < limit {
      var end = splitsAtMarks ? start + 1 : text.count
      while end < text.count, !SentencePieceModel.isMark(text[end...]) { end += 1 }
      try requireMemory("text")
      try text.withUnsafeBufferPointer { text throws(ClipError) in
        let word = UnsafeBufferPointer(rebasing: text[start..<end])
        switch algorithm {
        case .unigram: try unigram(word, &state, &ids)
        case .bytePairs: try bytePairs(word, &state, &ids)
        case .words: try append(word, 0..<word.count, &state, &ids)
        case .characters: for symbol in try symbols(word) { try append(word, symbol.range, &state, &ids) }
        }
      }
      start = end
    }
    return ids
  }

  /// The state between two words.
  private struct State {
    /// The score of the best path up to here.
    var score: Float = 0
    var isAfterUnknown = false
  }

  private func id(_ piece: UnsafeBufferPointer<UInt8>) -> Int32 {
    reserved.id(piece) ?? pieces.id(piece) ?? unknownToken
  }

  /// Unknown pieces are their bytes with byte fallback, else one token for each run of them.
  private func append(
    _ piece: UnsafeBufferPointer<UInt8>, _ id: Int32, _ state: inout State, _ ids: inout [Int32]
  ) throws(ClipError) {
    let isUnknown = id == unknownToken
    if isUnknown, !byteTokens.isEmpty {
      for byte in piece { try ids.add(byteTokens[Int(byte)] ?? unknownToken, for: "tokens") }
    } else if !isUnknown || !state.isAfterUnknown {
      try ids.add(id, for: "tokens")
    }
    state.isAfterUnknown = isUnknown
  }

  private static func characterLength(_ lead: UInt8) -> Int { lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4 }

  private func append(
    _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ state: inout State, _ ids: inout [Int32]
  ) throws(ClipError) {
    let piece = UnsafeBufferPointer(rebasing: text[range])
    try append(piece, id(piece), &state, &ids)
  }

  // MARK: Byte pairs

  private struct Symbol {
    /// Empty once it is merged into the one before.
    var range: Range<Int>
    /// Whether it is a user-defined piece, which is never merged.
    let isWhole: Bool
    var previous: Int
    var next: Int
  }

  /// The user-defined pieces and characters of a text.
  private func symbols(_ text: UnsafeBufferPointer<UInt8>) throws(ClipError) -> [Symbol] {
    var symbols: [Symbol] = []
    var at = 0
    while at < text.count {
      let known = normalizer.userDefined?.longest(startOf: UnsafeBufferPointer(rebasing: text[at...]), beyond: 0)
      let count = known?.count ?? SentencePieceModel.characterLength(text[at])
      let end = min(text.count, at + count)
      let index = symbols.count
      let next = end == text.count ? -1 : index + 1
      try symbols.add(
        Symbol(range: at..<end, isWhole: known != nil, previous: index - 1, next: next), for: "text")
      at = end
    }
    return symbols
  }

  /// Two symbols that make a piece.
  private struct Pair: Comparable {
    let score: Float
    let left: Int
    let right: Int
    let end: Int

    /// The pair with the largest score comes first, of equal ones the one to the left.
    static func < (one: Pair, other: Pair) -> Bool {
      one.score != other.score ? one.score > other.score : one.left < other.left
    }
  }

  /// The length in bytes of the first of the two parts of an unused piece. The last split is used.
  private struct Split: Comparable {
    let id: Int32
    let order: Int
    let count: Int

    static func < (one: Split, other: Split) -> Bool { (one.id, one.order) < (other.id, other.order) }
  }

  private func bytePairs(
    _ text: UnsafeBufferPointer<UInt8>, _ state: inout State, _ ids: inout [Int32]
  ) throws(ClipError) {
    var symbols = try symbols(text)
    var queue = Heap<Pair>()
    var splits: [Split] = []
    func add(_ left: Int, _ right: Int) throws(ClipError) {
      guard left >= 0, right >= 0, !symbols[left].isWhole, !symbols[right].isWhole else { return }
      let range = symbols[left].range.lowerBound..<symbols[right].range.upperBound
      guard let id = pieces.id(UnsafeBufferPointer(rebasing: text[range])) else { return }
      try queue.insert(Pair(score: scores[Int(id)], left: left, right: right, end: range.upperBound))
      guard kinds[Int(id)] == .unused else { return }
      try splits.add(Split(id: id, order: splits.count, count: symbols[left].range.count), for: "text")
    }
    for index in symbols.indices.dropFirst() { try add(index - 1, index) }
    while let pair = queue.removeFirst() {
      let (left, right) = (symbols[pair.left], symbols[pair.right])
      guard !left.range.isEmpty, !right.range.isEmpty, left.next == pair.right, right.range.upperBound == pair.end
      else {
        continue
      }
      symbols[pair.left].range = left.range.lowerBound..<right.range.upperBound
      symbols[pair.left].next = right.next
      if right.next >= 0 { symbols[right.next].previous = pair.left }
      symbols[pair.right].range = right.range.upperBound..<right.range.upperBound
      try add(left.previous, pair.left)
      try add(pair.left, right.next)
    }
    splits.sort()
    var index = symbols.isEmpty ? -1 : 0
    var rest: [Range<Int>] = []
    while index >= 0 {
      rest.append(symbols[index].range)
      while let range = rest.popLast() {
        let id = id(UnsafeBufferPointer(rebasing: text[range]))
        guard kinds[Int(id)] == .unused, let count = SentencePieceModel.last(splits, id) else {
          try append(text, range, &state, &ids)
          continue
        }
        let middle = range.lowerBound + count
        rest.append(middle..<range.upperBound)
        rest.append(range.lowerBound..<middle)
      }
      index = symbols[index].next
    }
  }

  /// The `count` of the last split of a piece.
  private static func last(_ splits: [Split], _ id: Int32) -> Int? {
    var (low, high) = (0, splits.count)
    while low < high {
      let middle = (low + high) / 2
      if splits[middle].id <= id { low = middle + 1 } else { high = middle }
    }
    return low > 0 && splits[low - 1].id == id ? splits[low - 1].count : nil
  }

  // MARK: Unigram

  private struct Node {
    var score: Float = 0
    var start = -1
    var id: Int32 = 0
  }

  /// Viterbi's algorithm; of equal sums the first counts. The score of an unknown character is below all others.
  private func unigram(
    _ text: UnsafeBufferPointer<UInt8>, _ state: inout State, _ ids: inout [Int32]
  ) throws(ClipError) {
    var nodes = try filled(Node(), text.count + 1, "text")
    nodes[0].score = state.score
    var start = 0
    while start < text.count {
      let length = min(SentencePieceModel.characterLength(text[start]), text.count - start)
      let before = nodes[start].score
      var hasCharacter = false
      pieces.prefixes(of: UnsafeBufferPointer(rebasing: text[start...])) { id, count in
        let kind = kinds[Int(id)]
        if kind == .unused { return }
        // User-defined pieces are always chosen.
        let score = kind == .userDefined ? Double(Float(count) * largest) - 0.1 : Double(scores[Int(id)])
        let sum = score + Double(before)
        if nodes[start + count].start < 0 || sum > Double(nodes[start + count].score) {
          nodes[start + count] = Node(score: Float(sum), start: start, id: id)
        }
        if count == length { hasCharacter = true }
      }
      let sum = smallest - 10 + before
      if !hasCharacter, nodes[start + length].start < 0 || sum > nodes[start + length].score {
        nodes[start + length] = Node(score: sum, start: start, id: unknownToken)
      }
      start += length
    }
    var path: [Int] = []
    var end = text.count
    while end > 0 {
      try path.add(end, for: "text")
      end = nodes[end].start
    }
    for end in path.reversed() {
      try append(UnsafeBufferPointer(rebasing: text[nodes[end].start..<end]), nodes[end].id, &state, &ids)
    }
    state.score = nodes[text.count].score
  }
}
