import CClip
import ClipBase

/// Tokens that Hugging Face's tokenizer finds in the text itself, before it splits words.
struct SpecialTokens {
  struct Token {
    let name: Name
    let id: Int32
    /// Whether it is searched for in normalised text instead of the text as written.
    var isNormalized = false
    /// Whether it takes the white space before it, and after it.
    var stripsLeft = false
    var stripsRight = false
    /// Whether a match must not have a word character beside it.
    var isWord = false
  }

  private struct Pattern {
    let scalars: Scalars
    let token: Token
  }

  /// In lexical order.
  private var written: [Pattern] = []
  private var normalized: [Pattern] = []
  /// The first characters of all patterns, in lower case.
  private var firsts: Scalars = []

  /// In characters. The search at each character of a text tries all tokens.
  private static var longestName: Int { 256 }

  /// `normalize` is the tokenizer's normalisation.
  init(_ tokens: [Token], normalize: (Scalars) throws(ClipError) -> Scalars) throws(ClipError) {
    for token in tokens {
      var scalars = Scalars()
      token.name.utf8.withUnsafeBufferPointer { scalars = UTF8Text.scalars($0) }
      guard scalars.count <= SpecialTokens.longestName else {
        throw ClipError(
          CLIP_LIMIT,
          "expected an added token of at most \(SpecialTokens.longestName) characters, found one of \(scalars.count)")
      }
      if token.isNormalized { scalars = try normalize(scalars) }
      if scalars.isEmpty { continue }
      let first = lowercased(scalars[0])
      if !firsts.contains(first) { firsts.append(first) }
      let pattern = Pattern(scalars: scalars, token: token)
      if token.isNormalized { normalized.append(pattern) } else { written.append(pattern) }
    }
    SpecialTokens.sort(&normalized)
    SpecialTokens.sort(&written)
  }

  private static func sort(_ patterns: inout [Pattern]) {
    patterns.sort { $0.scalars.lexicographicallyPrecedes($1.scalars) }
  }

  /// Whether a token's name may begin with `scalar`, ignoring case.
  func mayBegin(with scalar: UInt32) -> Bool {
    for first in firsts where first == lowercased(scalar) { return true }
    return false
  }

  enum Part {
    case text(ArraySlice<UInt32>)
    case token(Int32)
  }

  /// The tokens in `text` and what is between them. Of tokens that overlap the leftmost counts, the longest if several
  /// start there.
  func split(_ text: ArraySlice<UInt32>, normalized isNormalized: Bool) -> [Part] {
    let patterns = isNormalized ? normalized : written
    if patterns.isEmpty { return text.isEmpty ? [] : [.text(text)] }
    var parts: [Part] = []
    var begin = text.startIndex
    var at = text.startIndex
    while at < text.endIndex {
      guard let pattern = longest(in: text, at: at, patterns) else {
        at += 1
        continue
      }
      var (start, end) = (at, at + pattern.scalars.count)
      at = end
      let token = pattern.token
      if token.isWord {
        let isInWord =
          (start > text.startIndex && isWordCharacter(text[start - 1]))
          || (end < text.endIndex && isWordCharacter(text[end]))
        if isInWord { continue }
      }
      if token.stripsLeft { while start > begin, CharacterKind(text[start - 1]) == .space { start -= 1 } }
      if token.stripsRight { while end < text.endIndex, CharacterKind(text[end]) == .space { end += 1 } }
      if begin < start { parts.append(.text(text[begin..<start])) }
      parts.append(.token(token.id))
      begin = end
    }
    if begin < text.endIndex { parts.append(.text(text[begin...])) }
    return parts
  }

  /// The longest pattern that `text` has at `at`.
  private func longest(in text: ArraySlice<UInt32>, at: Int, _ patterns: [Pattern]) -> Pattern? {
    var (low, high) = (0, patterns.count)
    var found: Pattern?
    var depth = 0
    while low < high, at + depth < text.endIndex {
      // The patterns low..<high agree with the text in their first `depth` characters.
      let scalar = text[at + depth]
      low = SpecialTokens.first(patterns, low, high) { $0.count > depth && $0[depth] >= scalar }
      high = SpecialTokens.first(patterns, low, high) { $0.count > depth && $0[depth] > scalar }
      depth += 1
      if low < high, patterns[low].scalars.count == depth { found = patterns[low] }
    }
    return found
  }

  /// The first index in low..<high from which on `isAfter`; `high` if there is none.
  private static func first(_ patterns: [Pattern], _ low: Int, _ high: Int, _ isAfter: (Scalars) -> Bool) -> Int {
    var (low, high) = (low, high)
    while low < high {
      let middle = (low + high) / 2
      if isAfter(patterns[middle].scalars) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
