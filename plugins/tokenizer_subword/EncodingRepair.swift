import CClip
import ClipBase

/// Repairs mojibake: UTF-8 text that was decoded as a single-byte encoding, once or several times.
/// The steps and their order are those of ftfy 6.3's fix_encoding.
struct EncodingRepair {
  private let characters = MojibakeCharacters()
  private let heuristic = MojibakeHeuristic()

  /// Repairs until nothing more is found. Counts the characters of every pass against `work`.
  func repair(_ text: Scalars, _ work: inout WorkLimit) throws(ClipError) -> Scalars {
    var text = text
    while true {
      try work.spend(text.count)
      guard let fixed = try step(text, &work), fixed != text else { return text }
      text = fixed
    }
  }

  /// Undoes one wrong decoding; nil if there is none.
  private func step(_ text: Scalars, _ work: inout WorkLimit) throws(ClipError) -> Scalars? {
    var isASCII = true
    for scalar in text where scalar >= 0x80 { isASCII = false }
    if isASCII || !heuristic.isMojibake(text[...], characters) { return nil }

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

  /// The bytes of `text` in `encoding`; nil if it lacks a character.
  private func encode(_ text: Scalars, in encoding: SingleByteEncoding) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    for scalar in text {
      guard let byte = characters.byte(scalar, in: encoding) else { return nil }
      bytes.append(byte)
    }
    return bytes
  }

  /// Repairs each run of characters that looks like misread UTF-8 by itself.
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
      if part.count < text.count, heuristic.isMojibake(part, characters) {
        result += try repair(Array(part), &work)
      } else {
        result += part
      }
      at = end
    }
    return result
  }

  /// The end of the run at `start` whose characters look like UTF-8 sequences of two, three or four bytes.
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

  /// Latin-1 text decoded as strict windows-1252; nil if a byte is unassigned there.
  private func decodeAsWindows1252(_ text: Scalars) -> Scalars? {
    for scalar in text where !SingleByteEncoding.isAssignedInWindows1252(scalar) { return nil }
    return fixC1Controls(text)
  }

  /// Replaces the controls U+0080 to U+009F by the characters of these bytes in windows-1252.
  func fixC1Controls(_ text: Scalars) -> Scalars {
    guard text.contains(where: { $0 >= 0x80 && $0 <= 0x9F }) else { return text }
    let windows = UTF8Text.scalars(SingleByteEncoding.windows1252.upperHalf)
    return text.map { $0 >= 0x80 && $0 <= 0x9F && Int($0 - 0x80) < windows.count ? windows[Int($0 - 0x80)] : $0 }
  }
}

/// Bounds the work spent on one text. Nested entities and repeated mojibake are undone one layer in a pass, so
/// that a hostile text could take quadratic time.
struct WorkLimit {
  private var remaining: Int
  private let length: Int

  /// Allows 64 passes over the text, and at least 64 Mi characters: every possible layer of a text of up to
  /// 8,000 characters.
  init(length: Int) {
    self.length = length
    let (passes, overflow) = length.multipliedReportingOverflow(by: 64)
    remaining = overflow ? Int.max : max(passes, 64 << 20)
  }

  /// Counts `count` characters of work. CLIP_LIMIT if no work remains.
  mutating func spend(_ count: Int) throws(ClipError) {
    remaining -= count
    guard remaining >= 0 else {
      throw ClipError(
        CLIP_LIMIT, "text: found too many layers of entities or mojibake to undo in \(length) characters")
    }
  }
}
