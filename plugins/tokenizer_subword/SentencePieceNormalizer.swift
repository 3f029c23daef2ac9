import ClipBase

/// SentencePiece's normalizer: the longest beginning in the map of characters is replaced, runs of spaces become one,
/// and spaces "▁". Texts are valid UTF-8.
struct SentencePieceNormalizer {
  let charsmap: CharacterMap?
  /// Pieces that stay as they are, wherever they are.
  let userDefined: Vocabulary?
  let addsPrefix: Bool
  let collapsesSpaces: Bool
  let escapesSpaces: Bool
  /// Whether "▁" is put after the text and not before.
  let marksEnds: Bool

  private static var mark: [UInt8] { [0xE2, 0x96, 0x81] }
  private static var space: UInt8 { 0x20 }

  /// The first bytes of `text`, normalized, and how many they were.
  private func first(
    _ text: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Void
  ) -> Int {
    if let known = userDefined?.longest(startOf: text, beyond: 0) {
      body(UnsafeBufferPointer(rebasing: text[..<known.count]))
      return known.count
    }
    if let charsmap, let (count, start) = charsmap.longest(startOf: text) {
      charsmap.replacement(start).withUnsafeBufferPointer(body)
      return count
    }
    let lead = text[0]
    let count = min(text.count, lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4)
    body(UnsafeBufferPointer(rebasing: text[..<count]))
    return count
  }

  func normalize(_ text: UnsafeBufferPointer<UInt8>) throws(ClipError) -> [UInt8] {
    let space = SentencePieceNormalizer.space
    // A replacement or a user-defined piece of spaces alone.
    let mostAtOnce = 3 * CharacterMap.longestReplacement
    let mark = escapesSpaces ? SentencePieceNormalizer.mark : [space]
    var at = 0
    while collapsesSpaces, at < text.count {
      var isSpace = false
      let count = first(UnsafeBufferPointer(rebasing: text[at...])) { isSpace = $0.count == 1 && $0[0] == space }
      if !isSpace { break }
      at += count
    }
    var result: [UInt8] = []
    if at == text.count { return result }
    try result.reserve(text.count + mostAtOnce, for: "text")
    if addsPrefix, !marksEnds { result += mark }
    var isAfterSpace = collapsesSpaces
    while at < text.count {
      if result.capacity - result.count < mostAtOnce { try result.reserve(2 * result.count + mostAtOnce, for: "text") }
      at += first(UnsafeBufferPointer(rebasing: text[at...])) { bytes in
        var isAtStart = true
        for byte in bytes {
          if isAtStart, isAfterSpace, byte == space { continue }
          isAtStart = false
          if byte == space { result += mark } else { result.append(byte) }
        }
        if !isAtStart { isAfterSpace = collapsesSpaces && bytes[bytes.count - 1] == space }
      }
    }
    while collapsesSpaces, result.count >= mark.count, result.suffix(mark.count) == mark[...] {
      result.removeLast(mark.count)
    }
    if addsPrefix, marksEnds { result += mark }
    return result
  }
}
