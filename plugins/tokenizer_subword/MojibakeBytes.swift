import ClipBase

/// Repairs of mojibake that work on its original bytes.

/// Restores the byte A0, a no-break space in single-byte encodings, from a plain space, if it makes the bytes around it
/// UTF-8.
func restoreNoBreakSpaces(_ bytes: inout [UInt8]) {
  guard bytes.contains(0x20) else { return }
  // C3 20 is usually the French or Portuguese word "à" (C3 A0) and a space.
  var restored: [UInt8] = []
  restored.reserveCapacity(bytes.count)
  var at = 0
  while at < bytes.count {
    restored.append(bytes[at])
    if bytes[at] == 0xC3, at + 1 < bytes.count, bytes[at + 1] == 0x20, !joinsNextWord(bytes, at + 2) {
      restored.append(0xA0)
      restored.append(0x20)
      at += 1
    }
    at += 1
  }
  at = 0
  while at < restored.count {
    let length = lengthOfSpacedSequence(restored, at)
    for index in at..<(at + length) where restored[index] == 0x20 { restored[index] = 0xA0 }
    at += max(length, 1)
  }
  bytes = restored
}

/// Whether no space is to be inserted after "à": a space follows, or the rest of Portuguese àquele, àquela, àquilo, às.
private func joinsNextWord(_ bytes: [UInt8], _ at: Int) -> Bool {
  func has(_ word: StaticString) -> Bool {
    guard at + word.utf8CodeUnitCount <= bytes.count else { return false }
    for offset in 0..<word.utf8CodeUnitCount where bytes[at + offset] != word.utf8Start[offset] { return false }
    return true
  }
  return has(" ") || has("quele") || has("quela") || has("quilo") || has("s ")
}

/// The length of a UTF-8 sequence at `at` with a space instead of A0 that decodes to a likely character; 0 for none.
private func lengthOfSpacedSequence(_ bytes: [UInt8], _ at: Int) -> Int {
  func byte(_ offset: Int) -> UInt8 { at + offset < bytes.count ? bytes[at + offset] : 0 }
  func isSpace(_ offset: Int) -> Bool { byte(offset) == 0x20 }
  func isContinuation(_ offset: Int) -> Bool { byte(offset) & 0xC0 == 0x80 }
  func isLikely(_ offset: Int) -> Bool { isContinuation(offset) && byte(offset) != 0x85 && byte(offset) != 0xA0 }
  switch byte(0) {
  case 0xC2, 0xC3, 0xC5, 0xCE, 0xD0, 0xD9:
    return isSpace(1) ? 2 : 0
  case 0xE0...0xE3:
    if byte(0) >= 0xE2, isSpace(1), isLikely(2) { return 3 }
    return isLikely(1) && isSpace(2) ? 3 : 0
  case 0xF0:
    if isSpace(1), isContinuation(2), isContinuation(3) { return 4 }
    if isContinuation(1), isSpace(2), isContinuation(3) { return 4 }
    return isContinuation(1) && isContinuation(2) && isSpace(3) ? 4 : 0
  default:
    return 0
  }
}

/// Replaces each UTF-8 sequence in which a byte was replaced by 1A or by a question mark with U+FFFD.
func replaceLossySequences(_ bytes: inout [UInt8]) {
  guard bytes.contains(where: { $0 == 0x1A || $0 == 0x3F }) else { return }
  var result: [UInt8] = []
  result.reserveCapacity(bytes.count)
  var at = 0
  while at < bytes.count {
    let length = lengthOfLossySequence(bytes, at)
    if length > 0 {
      result += [0xEF, 0xBF, 0xBD]
      at += length
    } else {
      result.append(bytes[at])
      at += 1
    }
  }
  bytes = result
}

/// The length of such a sequence at `at`; 0 for none.
private func lengthOfLossySequence(_ bytes: [UInt8], _ at: Int) -> Int {
  func byte(_ offset: Int) -> UInt8 { at + offset < bytes.count ? bytes[at + offset] : 0 }
  func isLost(_ offset: Int) -> Bool { byte(offset) == 0x1A || byte(offset) == 0x3F }
  func isContinuation(_ offset: Int) -> Bool { byte(offset) == 0x1A || byte(offset) & 0xC0 == 0x80 }
  func isSurrogateTail(_ offset: Int) -> Bool { byte(offset) & 0xC0 == 0x80 || isLost(offset) }
  let lead = byte(0)
  if lead == 0x1A { return 1 }
  if lead >= 0xC2, lead <= 0xDF, byte(1) == 0x1A || (lead <= 0xC3 && byte(1) == 0x3F) { return 2 }
  // A surrogate pair in CESU-8 has six bytes.
  if lead == 0xED, byte(1) & 0xF0 == 0xA0, byte(3) == 0xED, byte(4) & 0xF0 == 0xB0,
    (isLost(2) && isSurrogateTail(5)) || (isSurrogateTail(2) && isLost(5))
  {
    return 6
  }
  if lead >= 0xE0, lead <= 0xEF, (isLost(1) && isContinuation(2)) || (isContinuation(1) && isLost(2)) { return 3 }
  if lead >= 0xF0, lead <= 0xF4,
    (isLost(1) && isContinuation(2) && isContinuation(3)) || (isContinuation(1) && isLost(2) && isContinuation(3))
      || (isContinuation(1) && isContinuation(2) && isLost(3))
  {
    return 4
  }
  return 0
}

/// Decodes UTF-8 that may contain CESU-8 surrogate pairs and Java's two-byte zero; nil if `bytes` are malformed.
func decodeUTF8Variants(_ bytes: [UInt8]) -> Scalars? {
  // ftfy's patterns end in `$`, which also matches before a final line break.
  func isEnd(_ at: Int) -> Bool { at == bytes.count || (at == bytes.count - 1 && bytes[at] == 0x0A) }
  func isWithin(_ at: Int, _ low: UInt8, _ high: UInt8) -> Bool {
    at < bytes.count && bytes[at] >= low && bytes[at] <= high
  }
  var result = Scalars()
  result.reserveCapacity(bytes.count)
  return bytes.withUnsafeBufferPointer { buffer -> Scalars? in
    var at = 0
    while at < buffer.count {
      if buffer[at] == 0xC0, at + 1 < buffer.count, buffer[at + 1] == 0x80 || isEnd(at + 1) {
        result.append(0)
        at += 2
      } else if buffer[at] == 0xED, at + 5 < buffer.count, isWithin(at + 1, 0xA0, 0xAF), isWithin(at + 2, 0x80, 0xBF),
        buffer[at + 3] == 0xED, isWithin(at + 4, 0xB0, 0xBF), isWithin(at + 5, 0x80, 0xBF) || isEnd(at + 5)
      {
        let high = UInt32(buffer[at + 1] & 0x0F) << 16 | UInt32(buffer[at + 2] & 0x3F) << 10
        result.append(0x1_0000 + (high | UInt32(buffer[at + 4] & 0x0F) << 6 | UInt32(buffer[at + 5] & 0x3F)))
        at += 6
      } else if let (value, length) = UTF8Text.scalar(buffer, at: at) {
        result.append(value)
        at += length
      } else {
        return nil
      }
    }
    return result
  }
}
