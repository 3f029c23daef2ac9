/// Tokens that Hugging Face's tokenizer finds in the text itself, before it splits words.
struct SpecialTokens {
  struct Token {
    let name: Name
    let id: Int32
    /// Whether it is searched for in normalised text instead of the text as written.
    let isNormalized: Bool
  }

  private struct Pattern {
    let scalars: Scalars
    let id: Int32
  }

  private var written: [Pattern] = []
  private var normalized: [Pattern] = []
  /// The first characters of all patterns, in lower case.
  private var firsts: Scalars = []

  /// `normalize` is the tokenizer's normalisation.
  init(_ tokens: [Token], normalize: (Scalars) throws(ClipError) -> Scalars) throws(ClipError) {
    for token in tokens {
      var scalars = Scalars()
      token.name.utf8.withUnsafeBufferPointer { scalars = UTF8Text.scalars($0) }
      if token.isNormalized { scalars = try normalize(scalars) }
      if scalars.isEmpty { continue }
      firsts.append(lowercased(scalars[0]))
      let pattern = Pattern(scalars: scalars, id: token.id)
      if token.isNormalized { normalized.append(pattern) } else { written.append(pattern) }
    }
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

  /// Removes the text before the first token from `text`, or that token if it comes first, and returns it;
  /// nil at the end.
  func next(_ text: inout ArraySlice<UInt32>, normalized isNormalized: Bool) -> Part? {
    if text.isEmpty { return nil }
    let found = first(in: text, normalized: isNormalized)
    let end = found?.range.lowerBound ?? text.endIndex
    if end > text.startIndex {
      defer { text = text[end...] }
      return .text(text[..<end])
    }
    guard let found else { return nil }
    text = text[found.range.upperBound...]
    return .token(found.id)
  }

  /// The leftmost token in `text`, the longest if several start there, and its range in `text`.
  private func first(in text: ArraySlice<UInt32>, normalized isNormalized: Bool) -> (range: Range<Int>, id: Int32)? {
    let patterns = isNormalized ? normalized : written
    if patterns.isEmpty { return nil }
    for at in text.indices {
      var best: Pattern?
      for pattern in patterns where pattern.scalars[0] == text[at] && pattern.scalars.count > best?.scalars.count ?? 0 {
        if text[at...].starts(with: pattern.scalars) { best = pattern }
      }
      if let best { return (at..<(at + best.scalars.count), best.id) }
    }
    return nil
  }
}
