import ClipBase

/// Splits cleaned text into words by CLIP's pattern,
/// `'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`.
struct WordSplitter {
  enum Pattern {
    case huggingFace
    /// The pattern begins with `<|startoftext|>|<|endoftext|>|`.
    case huggingFaceWithSpecials
    /// The pattern begins with `<start_of_text>|<end_of_text>|` and ignores case.
    case openAI
  }

  enum Word {
    /// A range of indices in the text.
    case plain(Range<Int>)
    case start, end
  }

  private let pattern: Pattern
  private let startName: Scalars
  private let endName: Scalars
  private var text: ArraySlice<UInt32> = []
  private var at = 0
  /// The end of the special token's name that is now split into words; 0 for none.
  private var endOfSpecial = 0

  init(_ pattern: Pattern) {
    self.pattern = pattern
    startName = UTF8Text.scalars(pattern == .openAI ? "<start_of_text>" : "<|startoftext|>")
    endName = UTF8Text.scalars(pattern == .openAI ? "<end_of_text>" : "<|endoftext|>")
  }

  mutating func begin(_ text: ArraySlice<UInt32>) {
    self.text = text
    at = text.startIndex
    endOfSpecial = 0
  }

  mutating func next() -> Word? {
    while at < text.endIndex, kind(at) == .space { at += 1 }
    guard at < text.endIndex else { return nil }
    if at >= endOfSpecial, pattern != .huggingFace, let word = special() { return word }
    let start = at
    at = endOfWord(start)
    return .plain(start..<at)
  }

  /// Matches a special token's name at `at`. OpenAI's pattern ignores case, but only the exact name is the token.
  /// Hugging Face's byte-level step splits the name again into words, which do not extend beyond it.
  private mutating func special() -> Word? {
    for name in [startName, endName] where matches(name) {
      let end = at + name.count
      if pattern == .huggingFaceWithSpecials {
        endOfSpecial = end
        return nil
      }
      let isExact = text[at..<end].elementsEqual(name)
      defer { at = end }
      return isExact ? (name == startName ? .start : .end) : .plain(at..<end)
    }
    return nil
  }

  private func matches(_ name: Scalars) -> Bool {
    guard text.endIndex - at >= name.count else { return false }
    for (offset, scalar) in name.enumerated() where !equals(text[at + offset], scalar) { return false }
    return true
  }

  /// The text is in lower case, so ignoring case only matters for ſ, which equals s.
  private func equals(_ found: UInt32, _ expected: UInt32) -> Bool {
    found == expected || (pattern == .openAI && expected == 0x73 && found == 0x17F)
  }

  private func endOfWord(_ start: Int) -> Int {
    let limit = start < endOfSpecial ? endOfSpecial : text.endIndex
    if let end = endOfContraction(start, limit) { return end }
    let first = kind(start)
    var end = start + 1
    if first == .number { return end }
    while end < limit, kind(end) == first { end += 1 }
    return end
  }

  /// The end of 's, 't, 're, 've, 'm, 'll or 'd at `start`; nil if there is none.
  private func endOfContraction(_ start: Int, _ limit: Int) -> Int? {
    guard text[start] == 0x27, start + 1 < limit else { return nil }
    let letter = text[start + 1]
    if equals(letter, 0x73) || letter == 0x74 || letter == 0x6D || letter == 0x64 { return start + 2 }
    guard start + 2 < limit else { return nil }
    switch (letter, text[start + 2]) {
    case (0x72, 0x65), (0x76, 0x65), (0x6C, 0x6C): return start + 3
    default: return nil
    }
  }

  private func kind(_ index: Int) -> CharacterKind {
    let scalar = text[index]
    // The combining iota U+0345 is not a letter, but equals iota ignoring case, so no part of the pattern matches it.
    if scalar == 0x345, pattern == .openAI { return .space }
    return CharacterKind(scalar)
  }
}
