import CClip

/// Text between decoding and byte pairs: Unicode scalar values. Swift's String is not used, since
/// its comparisons and case mappings need tables that Embedded Swift would link in a second time.
package typealias Scalars = [UInt32]

package enum UTF8Text {
  /// Replaces control characters (C0 except tab and line feed, DEL, C1) with "?": names of files reach logs and
  /// terminals. Scalars that stand for bytes (ExactString) become \xNN, of the same length.
  package static func hideControls(_ text: UnsafeMutablePointer<CChar>, _ count: Int) {
    let digits = StaticString("0123456789ABCDEF").cString
    for index in 0..<count {
      let bytes = UnsafeRawBufferPointer(start: text, count: count).bindMemory(to: UInt8.self)
      if let byte = ExactString.byte(bytes, index) {
        (text[index], text[index + 1]) = (CChar(UInt8(ascii: "\\")), CChar(UInt8(ascii: "x")))
        (text[index + 2], text[index + 3]) = (digits[Int(byte >> 4)], digits[Int(byte & 15)])
      }
      let byte = UInt8(bitPattern: text[index])
      let isC1 = byte & 0xE0 == 0x80 && index > 0 && UInt8(bitPattern: text[index - 1]) == 0xC2
      if byte == 0x7F || isC1 || (byte < 0x20 && byte != 9 && byte != 10) { text[index] = CChar(UInt8(ascii: "?")) }
      if isC1 { text[index - 1] = CChar(UInt8(ascii: "?")) }
    }
  }

  /// One scalar value at `at` and its length in bytes; nil if the bytes are not well formed
  /// (Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF).
  @inline(__always)
  package static func scalar(_ bytes: UnsafeBufferPointer<UInt8>, at: Int) -> (value: UInt32, length: Int)? {
    let first = bytes[at]
    if first < 0x80 { return (UInt32(first), 1) }
    let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
    guard first >= 0xC2, first <= 0xF4, at + length <= bytes.count else { return nil }
    var value = UInt32(first) & (0x7F >> UInt32(length))
    for offset in 1..<length {
      let byte = bytes[at + offset]
      guard byte & 0xC0 == 0x80 else { return nil }
      value = value << 6 | UInt32(byte & 0x3F)
    }
    if length == 3, value < 0x800 || value & 0xF800 == 0xD800 { return nil }
    if length == 4, value < 0x1_0000 || value > 0x10_FFFF { return nil }
    return (value, length)
  }

  /// Decodes a caller's text. CLIP_INVALID_ARGUMENT gives the offset of the first byte that is not UTF-8.
  package static func decode(_ bytes: UnsafeBufferPointer<UInt8>, into scalars: inout Scalars) throws(ClipError) {
    scalars.removeAll(keepingCapacity: true)
    scalars.reserveCapacity(bytes.count)
    var at = 0
    while at < bytes.count {
      guard let (value, length) = scalar(bytes, at: at) else {
        throw ClipError(CLIP_INVALID_ARGUMENT, "text: expected UTF-8, found byte \(bytes[at]) at offset \(at)")
      }
      scalars.append(value)
      at += length
    }
  }

  /// The scalars of a literal or of a token's name, up to the first malformed byte.
  package static func scalars(_ bytes: UnsafeBufferPointer<UInt8>) -> Scalars {
    var scalars = Scalars()
    var at = 0
    while at < bytes.count, let (value, length) = scalar(bytes, at: at) {
      scalars.append(value)
      at += length
    }
    return scalars
  }

  package static func scalars(_ literal: StaticString) -> Scalars {
    scalars(UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
  }

  @inline(__always)
  package static func append(_ scalar: UInt32, to bytes: inout [UInt8]) {
    if scalar < 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: scalar))
      return
    }
    if scalar < 0x800 {
      bytes.append(UInt8(truncatingIfNeeded: 0xC0 | scalar >> 6))
    } else {
      if scalar < 0x1_0000 {
        bytes.append(UInt8(truncatingIfNeeded: 0xE0 | scalar >> 12))
      } else {
        bytes.append(UInt8(truncatingIfNeeded: 0xF0 | scalar >> 18))
        bytes.append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 12 & 0x3F))
      }
      bytes.append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 6 & 0x3F))
    }
    bytes.append(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
  }
}

extension UTF8Text {
  package static func isValid(_ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBufferPointer { bytes in
      var at = 0
      while at < bytes.count {
        guard let (_, length) = scalar(bytes, at: at) else { return false }
        at += length
      }
      return true
    }
  }
}
