import CClip

/// The JSON object that describes a pair. Only its strings count. Python's json also writes what JSON does not allow,
/// and other fields must not make a pair unreadable: numbers, `NaN` and `Infinity` become 0, and an unpaired surrogate
/// becomes U+0000, which a caption must not contain.
enum SampleJSON {
  static func object(_ bytes: [UInt8]) throws(ClipError) -> JSON {
    var text = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes[3...]) : bytes
    simplify(&text)
    let value = try text.withUnsafeBufferPointer { bytes throws(ClipError) in
      try JSON.parse(UnsafeRawBufferPointer(bytes), place: "its JSON", allowsNUL: true)
    }
    guard value.object != nil else { throw ClipError(CLIP_FORMAT, "its JSON: expected an object, found \(value.kind)") }
    return value
  }

  /// Replaces bytes without moving others, so that errors have the positions of the file.
  private static func simplify(_ text: inout [UInt8]) {
    var at = 0
    var isQuoted = false
    while at < text.count {
      let byte = text[at]
      if byte == UInt8(ascii: "\"") {
        isQuoted.toggle()
        at += 1
      } else if isQuoted {
        at += byte == UInt8(ascii: "\\") ? escape(&text, at) : 1
      } else {
        let end = text[at...].firstIndex { !isNumeric($0) } ?? text.count
        if end > at, isNumber(text[at..<end]) {
          text[at] = UInt8(ascii: "0")
          for index in (at + 1)..<max(at + 1, end) { text[index] = UInt8(ascii: " ") }
        }
        at = max(end, at + 1)
      }
    }
  }

  /// A character of a number or a name: letters, digits, signs and dots.
  private static func isNumeric(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 32)
      || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+") || byte == UInt8(ascii: ".")
  }

  private static func isNumber(_ token: ArraySlice<UInt8>) -> Bool {
    let name = Name(utf8: Array(token.first == UInt8(ascii: "-") ? token.dropFirst() : token))
    if name == "NaN" || name == "Infinity" { return true }
    guard let first = name.utf8.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return false }
    return name.utf8.allSatisfy {
      !(UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 32) || $0 | 32 == UInt8(ascii: "e")
    }
  }

  /// The length of the escape sequence at `at`; of a surrogate pair, both halves.
  private static func escape(_ text: inout [UInt8], _ at: Int) -> Int {
    guard let high = unit(text, at) else { return 2 }
    guard high & 0xF800 == 0xD800 else { return 6 }
    if high < 0xDC00, let low = unit(text, at + 6), low & 0xFC00 == 0xDC00 { return 12 }
    for index in (at + 2)..<(at + 6) { text[index] = UInt8(ascii: "0") }
    return 6
  }

  /// The code unit of `\uXXXX` at `at`.
  private static func unit(_ text: [UInt8], _ at: Int) -> UInt32? {
    guard at + 6 <= text.count, text[at] == UInt8(ascii: "\\"), text[at + 1] == UInt8(ascii: "u") else { return nil }
    var value: UInt32 = 0
    for byte in text[(at + 2)..<(at + 6)] {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt32(byte & 15)
      case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"):
        value = value << 4 | UInt32((byte & 15) + 9)
      default: return nil
      }
    }
    return value
  }
}
