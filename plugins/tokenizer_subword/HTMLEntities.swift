import CUtf8proc
import ClipBase

/// Decodes HTML character references in the two ways that OpenAI's cleaning uses: as Python's html.unescape,
/// which follows browsers, and as ftfy, which requires a semicolon.
struct HTMLEntities {
  private struct Entry {
    let start: Int
    let length: Int
    let mayOmitSemicolon: Bool
  }

  /// Sorted by name.
  private let entries: [Entry]

  init() {
    var entries: [Entry] = []
    entries.reserveCapacity(2200)
    let data = HTMLEntities.data
    var at = 0
    while at < data.count {
      let start = at
      while at < data.count, data[at] != 0x3A, data[at] != 0x3B { at += 1 }
      if at < data.count { entries.append(Entry(start: start, length: at - start, mayOmitSemicolon: data[at] == 0x3A)) }
      while at < data.count, data[at] != 0x20, data[at] != 0x0A { at += 1 }
      at += 1
    }
    self.entries = entries
  }

  private static var data: UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(start: htmlEntityData.utf8Start, count: htmlEntityData.utf8CodeUnitCount)
  }

  /// The entry whose name is `name`, without the ampersand and the semicolon.
  private func find(_ name: ArraySlice<UInt32>) -> Entry? {
    let data = HTMLEntities.data
    var low = 0
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      let entry = entries[middle]
      var order = 0
      var offset = 0
      for scalar in name {
        order = offset == entry.length ? -1 : Int(data[entry.start + offset]) - Int(scalar)
        if order != 0 { break }
        offset += 1
      }
      if order == 0, offset == entry.length { return entry }
      if order < 0 { low = middle + 1 } else { high = middle }
    }
    return nil
  }

  /// The characters that an entity stands for.
  private func characters(_ entry: Entry) -> Scalars {
    let data = HTMLEntities.data
    var result = Scalars()
    var value: UInt32 = 0
    var at = entry.start + entry.length + 1
    while at < data.count, let digit = hexDigit(UInt32(data[at])) ?? (data[at] == 0x2B ? UInt32.max : nil) {
      if digit == UInt32.max {
        result.append(value)
        value = 0
      } else {
        value = value << 4 | digit
      }
      at += 1
    }
    result.append(value)
    return result
  }

  /// Python's html.unescape. The longest known name wins; the semicolon is optional where HTML allows it; numeric
  /// references are decoded as by browsers.
  func unescape(_ text: Scalars) -> Scalars {
    guard text.contains(0x26) else { return text }
    var result = Scalars()
    result.reserveCapacity(text.count)
    var at = 0
    while at < text.count {
      guard text[at] == 0x26 else {
        result.append(text[at])
        at += 1
        continue
      }
      if let (characters, end) = numeric(text, at: at) {
        result.append(contentsOf: characters)
        at = end
      } else if let (characters, end) = named(text, at: at + 1) {
        result.append(contentsOf: characters)
        at = end
      } else {
        result.append(0x26)
        at += 1
      }
    }
    return result
  }

  /// ftfy's decoding: `&name;` with 1 to 24 letters and digits, or a numeric reference with a semicolon. A name in
  /// capitals that HTML does not define, such as `&EACUTE;`, is the capital of its lower-case name.
  func unescapeStrictly(_ text: Scalars) throws(ClipError) -> Scalars {
    guard text.contains(0x26), text.contains(0x3B) else { return text }
    var result = Scalars()
    result.reserveCapacity(text.count)
    var at = 0
    while at < text.count {
      guard text[at] == 0x26, let (characters, end) = reference(text, at: at) else {
        result.append(text[at])
        at += 1
        continue
      }
      result.append(contentsOf: characters)
      at = end
    }
    return result
  }

  /// ftfy's decoding of the reference whose ampersand is at `at`.
  private func reference(_ text: Scalars, at: Int) -> (Scalars, end: Int)? {
    var start = at + 1
    let isNumber = start < text.count && text[start] == 0x23
    if isNumber { start += 1 }
    var end = start
    while end < text.count, end - start < 24, isLetterOrDigit(text[end]) { end += 1 }
    guard end > start, end < text.count, text[end] == 0x3B else { return nil }
    if isNumber {
      // `&#59;`, a semicolon itself, is not decoded.
      guard let (characters, after) = numeric(text, at: at), after == end + 1, !characters.contains(0x3B)
      else { return nil }
      return (characters, after)
    }
    let name = text[start..<end]
    if let entry = find(name) { return (characters(entry), end + 1) }
    guard !name.contains(where: { $0 >= 0x61 }), named(text, at: start) == nil else { return nil }
    let lower = name.map { $0 >= 0x41 ? $0 | 0x20 : $0 }
    guard let entry = find(lower[...]) else { return nil }
    return (uppercased(characters(entry)), end + 1)
  }

  /// A numeric reference, `&#123` or `&#x7B` with or without a semicolon, whose ampersand is at `at`.
  private func numeric(_ text: Scalars, at: Int) -> (Scalars, end: Int)? {
    var end = at + 1
    guard end < text.count, text[end] == 0x23 else { return nil }
    end += 1
    let isHex = end < text.count && text[end] | 0x20 == 0x78
    if isHex { end += 1 }
    let start = end
    var value: UInt32 = 0
    while end < text.count, let digit = hexDigit(text[end]), isHex || digit < 10 {
      value = min(value * (isHex ? 16 : 10) + digit, 0x11_0000)
      end += 1
    }
    guard end > start else { return nil }
    if end < text.count, text[end] == 0x3B { end += 1 }
    return (characters(numbered: value), end)
  }

  /// The characters of a numeric reference, as HTML defines them: 0x80 to 0x9F are windows-1252, controls and
  /// noncharacters are removed, and a number that is no scalar value is U+FFFD.
  private func characters(numbered value: UInt32) -> Scalars {
    if value == 0 || value > 0x10_FFFF || value & 0xFFFF_F800 == 0xD800 { return [0xFFFD] }
    if value >= 0x80, value <= 0x9F { return [SingleByteEncoding.windows1252.scalar(UInt8(value))] }
    let isControl = value < 0x20 && value != 0x09 && value != 0x0A && value != 0x0C && value != 0x0D
    let isNoncharacter = value & 0xFFFE == 0xFFFE || (value >= 0xFDD0 && value <= 0xFDEF)
    return isControl || value == 0x7F || isNoncharacter ? [] : [value]
  }

  /// A named reference: the longest known name of at most 32 characters at `start`, just after the ampersand.
  private func named(_ text: Scalars, at start: Int) -> (Scalars, end: Int)? {
    var end = start
    while end < text.count, end - start < 32, isLetterOrDigit(text[end]) { end += 1 }
    if end < text.count, text[end] == 0x3B, let entry = find(text[start..<end]) { return (characters(entry), end + 1) }
    while end > start {
      if let entry = find(text[start..<end]), entry.mayOmitSemicolon { return (characters(entry), end) }
      end -= 1
    }
    return nil
  }

  /// Unicode's full upper case, for the characters that entities with lower-case names stand for. Seven of
  /// them have several capitals.
  private func uppercased(_ characters: Scalars) -> Scalars {
    var result = Scalars()
    for scalar in characters {
      switch scalar {
      case 0xDF: result += [0x53, 0x53]  // ß
      case 0x149: result += [0x2BC, 0x4E]  // ŉ
      case 0xFB00: result += [0x46, 0x46]  // ﬀ
      case 0xFB01: result += [0x46, 0x49]  // ﬁ
      case 0xFB02: result += [0x46, 0x4C]  // ﬂ
      case 0xFB03: result += [0x46, 0x46, 0x49]  // ﬃ
      case 0xFB04: result += [0x46, 0x46, 0x4C]  // ﬄ
      default: result.append(UInt32(bitPattern: utf8proc_toupper(Int32(truncatingIfNeeded: scalar))))
      }
    }
    return result
  }
}

private func isLetterOrDigit(_ scalar: UInt32) -> Bool {
  guard scalar < 0x80 else { return false }
  let lower = scalar | 0x20
  return (lower >= 0x61 && lower <= 0x7A) || (scalar >= 0x30 && scalar <= 0x39)
}

private func hexDigit(_ scalar: UInt32) -> UInt32? {
  if scalar >= 0x30, scalar <= 0x39 { return scalar - 0x30 }
  let lower = scalar | 0x20
  return scalar < 0x80 && lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : nil
}
