/// Tokens that Hugging Face's tokenizer finds in the text itself, before words are split.
struct SpecialTokens {
  struct Token {
    let name: Name
    let id: Int32
    /// Whether it is looked for in normalised text, after NFC and lower case, instead of as written.
    let isNormalized: Bool
  }

  private struct Pattern {
    let scalars: Scalars
    let id: Int32
  }

  private var written: [Pattern] = []
  private var normalized: [Pattern] = []

  init(_ tokens: [Token]) throws(ClipError) {
    for token in tokens {
      var scalars = Scalars()
      token.name.utf8.withUnsafeBufferPointer { scalars = UTF8Text.scalars($0) }
      if token.isNormalized { scalars = lowercased(try normalizedNFC(scalars), finalSigma: false) }
      if scalars.isEmpty { continue }
      let pattern = Pattern(scalars: scalars, id: token.id)
      if token.isNormalized { normalized.append(pattern) } else { written.append(pattern) }
    }
  }

  /// The leftmost token in `text`, the longest of those that start there; its range is in text's indices.
  func first(in text: ArraySlice<UInt32>, normalized isNormalized: Bool) -> (range: Range<Int>, id: Int32)? {
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
