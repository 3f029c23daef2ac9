import CClip
import CUtf8proc
import ClipPluginKit

/// A word, or where a script has no spaces a grapheme cluster.
struct Word {
  var span: Span
  /// Whether spaces stand between it and its neighbours of the same kind.
  var spaced: Bool
}

/// A text as words and what stands between them. Words are cut at grapheme clusters alone; apostrophes and
/// hyphens between letters belong to a word. New pieces are written behind the text's own bytes.
final class Text {
  private(set) var bytes: [UInt8]
  var words: [Word] = []
  /// `gaps[i]` stands before word i, the last one at the end: one more than words.
  var gaps: [Span] = []

  init(_ text: UnsafeBufferPointer<UInt8>) {
    bytes = Array(text)
    var at = 0
    var gap = 0
    while at < text.count {
      let end = clusterEnd(text, at)
      switch kind(codePoint(text, at).value) {
      case .mark, .space: at = end
      case .alone:
        add(Word(span: Span(from: at, to: end), spaced: false), after: Span(from: gap, to: at))
        at = end
        gap = end
      case .letter:
        let wordEnd = Text.wordEnd(text, end)
        add(Word(span: Span(from: at, to: wordEnd), spaced: true), after: Span(from: gap, to: at))
        at = wordEnd
        gap = wordEnd
      }
    }
    gaps.append(Span(from: gap, to: text.count))
  }

  private func add(_ word: Word, after gap: Span) {
    gaps.append(gap)
    words.append(word)
  }

  /// The end of the word whose first cluster ends at `from`.
  private static func wordEnd(_ text: UnsafeBufferPointer<UInt8>, _ from: Int) -> Int {
    var at = from
    while at < text.count {
      var (code, _) = codePoint(text, at)
      var end = clusterEnd(text, at)
      if code == 0x27 || code == 0x2019 || code == 0x2D, end < text.count {
        code = codePoint(text, end).value
        end = clusterEnd(text, end)
      }
      guard kind(code) == .letter else { break }
      at = end
    }
    return at
  }

  subscript(_ span: Span) -> ArraySlice<UInt8> { bytes[span.from..<span.to] }

  /// Keeps new bytes and says where they are.
  func write(_ new: some Sequence<UInt8>) -> Span {
    let from = bytes.count
    bytes.append(contentsOf: new)
    return Span(from: from, to: bytes.count)
  }

  /// The grapheme clusters of a span.
  func clusters(_ span: Span) -> [Span] {
    var result: [Span] = []
    bytes.withUnsafeBufferPointer { all in
      let part = UnsafeBufferPointer(rebasing: all[span.from..<span.to])
      var at = 0
      while at < part.count {
        let end = clusterEnd(part, at)
        result.append(Span(from: span.from + at, to: span.from + end))
        at = end
      }
    }
    return result
  }

  /// The first code point of a span.
  func first(_ span: Span) -> Int32 {
    bytes.withUnsafeBufferPointer { codePoint(UnsafeBufferPointer(rebasing: $0[span.from..<span.to]), 0).value }
  }

  /// Gaps and words in turn.
  var pieces: [Span] {
    var result: [Span] = []
    result.reserveCapacity(words.count * 2 + 1)
    for (index, word) in words.enumerated() {
      result.append(gaps[index])
      result.append(word.span)
    }
    if let last = gaps.last { result.append(last) }
    return result
  }

  /// Appends `pieces` to the sink. Where two that meet would become one grapheme cluster, as half a flag
  /// before another does, the text stays as `original` is.
  func put(_ pieces: [Span], _ original: UnsafeBufferPointer<UInt8>, _ sink: TextSink) throws(PluginFailure) {
    var result: [UInt8] = []
    result.reserveCapacity(original.count + original.count / 8)
    var starts: [Int] = []
    for piece in pieces where piece.count > 0 {
      starts.append(result.count)
      result.append(contentsOf: bytes[piece.from..<piece.to])
    }
    if Text.areBoundaries(starts, result) { try sink.append(result) } else { try sink.append(original) }
  }

  private static func areBoundaries(_ starts: [Int], _ text: [UInt8]) -> Bool {
    text.withUnsafeBufferPointer { text in
      var at = 0
      for start in starts {
        while at < start { at = clusterEnd(text, at) }
        if at != start { return false }
      }
      return true
    }
  }
}

/// EDA's number of changes (Wei and Zou, 2019): alpha of the words, at least one; none where alpha is 0.
func changes(_ alpha: Double, _ words: Int) -> Int {
  alpha > 0 && words > 0 ? max(1, Int(exactly: (alpha * Double(words)).rounded(.down)) ?? 0) : 0
}
