import CClip
import CUtf8proc
import ClipPluginKit

/// A word; in a script without spaces, one grapheme cluster.
struct Word {
  var span: Span
  /// Whether the script has spaces between words.
  var isSpaced: Bool
}

/// A text as words and the gaps between them. A word consists of whole grapheme clusters and contains apostrophes and
/// hyphens between letters. New words are appended to the text's bytes.
final class Text {
  private(set) var bytes: [UInt8]
  var words: [Word] = []
  /// `gaps[i]` comes before word i, and the last gap after the last word.
  var gaps: [Span] = []

  init(_ text: UnsafeBufferPointer<UInt8>) {
    bytes = Array(text)
    var at = 0
    var gap = 0
    while at < text.count {
      let end = clusterEnd(text, at)
      switch kind(codePoint(text, at).value) {
      case .punctuation, .space: at = end
      case .alone:
        add(Word(span: Span(from: at, to: end), isSpaced: false), after: Span(from: gap, to: at))
        at = end
        gap = end
      case .letter:
        let wordEnd = Text.wordEnd(text, end)
        add(Word(span: Span(from: at, to: wordEnd), isSpaced: true), after: Span(from: gap, to: at))
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

  /// Appends new bytes and returns their span.
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

  /// Gaps and words in order.
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

  /// Appends `pieces` to the sink. If two of them would join to one grapheme cluster, as the halves of two flags do,
  /// appends `original` instead.
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

  /// Whether all of `starts` are boundaries of grapheme clusters.
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

/// EDA's number of changes (Wei and Zou, 2019): alpha times the number of words, rounded down but at least one; 0 if
/// alpha is 0.
func changes(_ alpha: Double, _ words: Int) -> Int {
  alpha > 0 && words > 0 ? max(1, Int(exactly: (alpha * Double(words)).rounded(.down)) ?? 0) : 0
}
