import CClip

/// Undoes mojibake: text that was UTF-8 and was read in a single-byte encoding, once or more.
/// The steps and their order are those of ftfy 6.3's fix_encoding.
struct EncodingRepair {
  private let characters = MojibakeCharacters()
  private let badness = Badness()

  /// Repeats until nothing more is found. `work` is reduced by the characters looked at.
  func repair(_ text: Scalars, _ work: inout WorkLimit) throws(ClipError) -> Scalars {
    var text = text
    while true {
      try work.spend(text.count)
      guard let fixed = try step(text, &work), fixed != text else { return text }
      text = fixed
    }
  }

  /// One reading undone; nil where there is nothing to do.
  private func step(_ text: Scalars, _ work: inout WorkLimit) throws(ClipError) -> Scalars? {
    var isASCII = true
    for scalar in text where scalar >= 0x80 { isASCII = false }
    if isASCII || !badness.isBad(text[...], characters) { return nil }

    var isLatin1 = false
    for encoding in SingleByteEncoding.allCases {
      guard var bytes = encode(text, in: encoding) else { continue }
      if encoding == .latin1 { isLatin1 = true }
      if encoding != .macRoman { restoreNoBreakSpaces(&bytes) }
      if encoding.isSloppy { replaceLossySequences(&bytes) }
      if let decoded = decodeUTF8Variants(bytes) { return decoded }
    }

    let fixed = try repairWithin(text, &work)
    if fixed != text { return fixed }

    if isLatin1, let decoded = decodeAsWindows1252(text), decoded != text { return decoded }
    return fixC1Controls(text)
  }

  private func encode(_ text: Scalars, in encoding: SingleByteEncoding) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    for scalar in text {
      guard let byte = characters.byte(scalar, in: encoding) else { return nil }
      bytes.append(byte)
    }
    return bytes
  }

  /// Repairs the stretches that look like UTF-8, each by itself.
  private func repairWithin(_ text: Scalars, _ work: inout WorkLimit) throws(ClipError) -> Scalars {
    let sets = text.map { characters.sets($0) }
    var result = Scalars()
    result.reserveCapacity(text.count)
    var at = 0
    while at < text.count {
      let end = at > 0 && sets[at - 1].contains(.strictContinuation) ? at : endOfSequences(sets, at)
      if end == at {
        result.append(text[at])
        at += 1
        continue
      }
      let part = text[at..<end]
      if part.count < text.count, badness.isBad(part, characters) {
        result += try repair(Array(part), &work)
      } else {
        result += part
      }
      at = end
    }
    return result
  }

  /// Where a run of sequences of two, three or four characters ends that would be UTF-8's bytes.
  private func endOfSequences(_ sets: [CharacterSets], _ start: Int) -> Int {
    func continues(_ at: Int, _ count: Int) -> Bool {
      guard at + count < sets.count else { return false }
      for offset in 1...count where !sets[at + offset].contains(.continuation) { return false }
      return true
    }
    var at = start
    while at < sets.count {
      if sets[at].contains(.firstOf2), continues(at, 1) {
        at += 2
      } else if sets[at].contains(.firstOf3), continues(at, 2) {
        at += 3
      } else if sets[at].contains(.firstOf4), continues(at, 3) {
        at += 4
      } else {
        break
      }
    }
    return at
  }

  /// Latin-1 read as strict windows-1252; nil where a byte has no meaning there.
  private func decodeAsWindows1252(_ text: Scalars) -> Scalars? {
    for scalar in text where !SingleByteEncoding.isAssignedInWindows1252(scalar) { return nil }
    return fixC1Controls(text)
  }

  /// The controls U+0080 to U+009F as windows-1252 has them.
  func fixC1Controls(_ text: Scalars) -> Scalars {
    guard text.contains(where: { $0 >= 0x80 && $0 <= 0x9F }) else { return text }
    let windows = UTF8Text.scalars(SingleByteEncoding.windows1252.upperHalf)
    return text.map { $0 >= 0x80 && $0 <= 0x9F && Int($0 - 0x80) < windows.count ? windows[Int($0 - 0x80)] : $0 }
  }
}

/// Bounds the work spent on one text: entities inside entities and mojibake of mojibake are
/// undone one layer at a time, which a hostile text could make quadratic.
struct WorkLimit {
  private var left: Int
  private let length: Int

  /// Any text up to 8,000 characters can be undone to its last layer, a longer one in 64 passes or more.
  init(length: Int) {
    self.length = length
    let (passes, overflow) = length.multipliedReportingOverflow(by: 64)
    left = overflow ? Int.max : max(passes, 64 << 20)
  }

  mutating func spend(_ count: Int) throws(ClipError) {
    left -= count
    guard left >= 0 else {
      throw ClipError(
        CLIP_LIMIT, "text: found too many layers of entities or mojibake to undo in \(length) characters")
    }
  }
}
