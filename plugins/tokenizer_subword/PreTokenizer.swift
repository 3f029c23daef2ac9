import CClip
import ClipBase

/// One step of the "pre_tokenizer" of tokenizer.json, with the semantics of Hugging Face's `tokenizers`.
enum PreTokenizer {
  /// What happens to a match of a pattern.
  enum Behavior { case removed, isolated, contiguous, mergedWithPrevious, mergedWithNext }

  enum Pattern {
    case expression(RegularExpression)
    /// Matches one character.
    case character((UInt32) -> Bool)
  }

  enum Prefix { case always, first, never }

  /// With `inverts`, the text between two matches counts as the match.
  case split(Pattern, Behavior, inverts: Bool)
  case metaspace(mark: UInt32, prefix: Prefix, splits: Bool)
  /// Puts a space before a piece that has none at its start.
  case prependSpace
  /// Replaces each byte by a printable character.
  case bytes

  func apply(to pieces: Pieces) throws(ClipError) -> Pieces {
    var result = Pieces()
    result.text.reserveCapacity(pieces.text.count)
    for index in pieces.ends.indices {
      let isFirst = index == 0 && pieces.isAtStart
      let piece = pieces[index]
      switch self {
      case .split(let pattern, let behavior, let inverts):
        try PreTokenizer.split(piece, pattern, behavior, inverts, isFirst, &result)
      case .metaspace(let mark, let prefix, let splits):
        var marked = piece.map { $0 == 0x20 ? mark : $0 }
        if prefix == .always || (prefix == .first && isFirst), marked.first != mark { marked.insert(mark, at: 0) }
        if splits {
          try PreTokenizer.split(marked[...], .character { $0 == mark }, .mergedWithNext, false, isFirst, &result)
        } else {
          result.append(marked[...], isAtStart: isFirst)
        }
      case .prependSpace:
        if piece.first != 0x20 { result.text.append(0x20) }
        result.append(piece, isAtStart: isFirst)
      case .bytes: result.append(byteCharacters(piece)[...], isAtStart: isFirst)
      }
    }
    return result
  }

  private static func split(
    _ piece: ArraySlice<UInt32>, _ pattern: Pattern, _ behavior: Behavior, _ inverts: Bool, _ isFirst: Bool,
    _ result: inout Pieces
  ) throws(ClipError) {
    var parts: [(range: Range<Int>, isMatch: Bool)] = []
    var start = piece.startIndex
    func add(_ match: Range<Int>) {
      if start < match.lowerBound { parts.append((start..<match.lowerBound, inverts)) }
      parts.append((match, !inverts))
      start = match.upperBound
    }
    switch pattern {
    case .expression(let expression): for match in try expression.matches(in: piece) { add(match) }
    case .character(let matches): for at in piece.indices where matches(piece[at]) { add(at..<(at + 1)) }
    }
    if start < piece.endIndex { parts.append((start..<piece.endIndex, inverts)) }

    // Whether a part is joined to the one before it.
    func isJoined(_ index: Int) -> Bool {
      switch behavior {
      case .removed, .isolated: return false
      case .contiguous: return parts[index].isMatch == parts[index - 1].isMatch
      case .mergedWithPrevious: return parts[index].isMatch && !parts[index - 1].isMatch
      case .mergedWithNext: return parts[index - 1].isMatch && !parts[index].isMatch
      }
    }
    var index = 0
    while index < parts.count {
      let begin = index
      index += 1
      while index < parts.count, isJoined(index) { index += 1 }
      if behavior == .removed, parts[begin].isMatch { continue }
      let range = parts[begin].range.lowerBound..<parts[index - 1].range.upperBound
      result.append(piece[range], isAtStart: isFirst && range.lowerBound == piece.startIndex)
    }
  }
}

/// The pieces of a text in order.
struct Pieces {
  var text: Scalars = []
  /// Piece i ends at ends[i].
  private(set) var ends: [Int] = []
  /// Whether the first piece is at the start of the whole text.
  private(set) var isAtStart = false

  init() {}

  init(_ text: Scalars, isAtStart: Bool) {
    self.text = text
    if !text.isEmpty { ends = [text.count] }
    self.isAtStart = isAtStart
  }

  subscript(_ index: Int) -> ArraySlice<UInt32> { text[(index == 0 ? 0 : ends[index - 1])..<ends[index]] }

  mutating func append(_ piece: ArraySlice<UInt32>, isAtStart: Bool) {
    text += piece
    guard text.count > ends.last ?? 0 else { return }
    if ends.isEmpty { self.isAtStart = isAtStart }
    ends.append(text.count)
  }
}
