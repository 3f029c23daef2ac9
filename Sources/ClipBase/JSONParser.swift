import CClip
import CSystem

/// Reads a text of JSON (RFC 8259) from its first byte to its last.
struct JSONParser {
  private let bytes: UnsafeRawBufferPointer
  private let place: String
  private let allowsNUL: Bool
  private var at = 0
  private var values = 0

  init(_ bytes: UnsafeRawBufferPointer, place: String, allowsNUL: Bool) {
    self.allowsNUL = allowsNUL
    self.bytes = bytes
    self.place = place
  }

  /// The whole text, of at most `depth` levels.
  mutating func document(_ depth: Int) throws(ClipError) -> JSON {
    let value = try value(depth)
    skipSpace()
    guard at == bytes.count else { throw failure("expected the end of the text") }
    return value
  }

  private func failure(_ reason: String) -> ClipError {
    var (line, column) = (1, 1)
    for byte in bytes.prefix(at) {
      column = byte == UInt8(ascii: "\n") ? 1 : column + 1
      if byte == UInt8(ascii: "\n") { line += 1 }
    }
    return ClipError(CLIP_FORMAT, "\(place): expected JSON, line \(line) column \(column): \(reason)")
  }

  /// The next byte; 0 at the end, which is no character of JSON.
  private var next: UInt8 { at < bytes.count ? bytes[at] : 0 }

  private mutating func skipSpace() {
    while at < bytes.count, next == 0x20 || next == 0x0A || next == 0x0D || next == 0x09 { at += 1 }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard at < bytes.count, next == byte else { return false }
    at += 1
    return true
  }

  private mutating func value(_ depth: Int) throws(ClipError) -> JSON {
    values += 1
    guard values < JSON.maxValues else {
      throw ClipError(CLIP_LIMIT, "\(place): JSON of more than \(JSON.maxValues) values")
    }
    skipSpace()
    switch next {
    case UInt8(ascii: "{"):
      guard depth > 0 else { throw tooDeep }
      return try object(depth)
    case UInt8(ascii: "["):
      guard depth > 0 else { throw tooDeep }
      return try array(depth)
    case UInt8(ascii: "\""): return .string(Name(utf8: try string()))
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    default:
      if takeWord("true") { return .bool(true) }
      if takeWord("false") { return .bool(false) }
      if takeWord("null") { return .null }
      throw failure(at < bytes.count ? "expected a value" : "expected a value, found the end of the text")
    }
  }

  private var tooDeep: ClipError { ClipError(CLIP_LIMIT, place + ": JSON is nested too deeply") }

  private mutating func takeWord(_ word: StaticString) -> Bool {
    let count = word.utf8CodeUnitCount
    guard bytes.count - at >= count, let base = bytes.baseAddress, memcmp(base + at, word.utf8Start, count) == 0 else {
      return false
    }
    at += count
    return true
  }

  private mutating func object(_ depth: Int) throws(ClipError) -> JSON {
    at += 1
    var members: [(key: Name, value: JSON)] = []
    skipSpace()
    if take(UInt8(ascii: "}")) { return .object(members) }
    repeat {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw failure("expected a key in quotation marks") }
      let key = Name(utf8: try string())
      skipSpace()
      guard take(UInt8(ascii: ":")) else { throw failure("expected ':'") }
      try members.add((key, try value(depth - 1)), for: "JSON")
      skipSpace()
    } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "}")) else { throw failure("expected ',' or '}'") }
    if let key = try duplicate(in: members) { throw failure("duplicate object key \"\(key.string)\"") }
    return .object(members)
  }

  private mutating func array(_ depth: Int) throws(ClipError) -> JSON {
    at += 1
    var elements: [JSON] = []
    skipSpace()
    if take(UInt8(ascii: "]")) { return .array(elements) }
    repeat {
      try elements.add(try value(depth - 1), for: "JSON")
      skipSpace()
    } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "]")) else { throw failure("expected ',' or ']'") }
    return .array(elements)
  }

  /// The first key that occurs twice. Keys are found in a hash table with a random seed, so that no file can be made to
  /// be slow.
  private func duplicate(in members: [(key: Name, value: JSON)]) throws(ClipError) -> Name? {
    if members.count <= 8 {
      for index in members.indices.dropFirst() {
        for other in 0..<index where members[other].key == members[index].key { return members[index].key }
      }
      return nil
    }
    var slots = 32
    while slots < 2 * members.count { slots *= 2 }
    let table = try Memory(byteCount: slots * 4, for: "JSON")
    defer { withExtendedLifetime(table) {} }
    memset(table.base, 0, slots * 4)
    let indexes = table.base.assumingMemoryBound(to: UInt32.self)  // from 1; 0 is free
    let seed = UInt64(bitPattern: Int64(csystem_now())) ^ UInt64(UInt(bitPattern: table.base))
    for (index, member) in members.enumerated() {
      var hash = seed
      for byte in member.key.utf8 {
        hash = (hash ^ UInt64(byte)) &* 0x9E37_79B9_7F4A_7C15
        hash ^= hash >> 29
      }
      var slot = Int(truncatingIfNeeded: hash >> 20) & (slots - 1)
      while indexes[slot] != 0 {
        if members[Int(indexes[slot]) - 1].key == member.key { return member.key }
        slot = (slot + 1) & (slots - 1)
      }
      indexes[slot] = UInt32(truncatingIfNeeded: index + 1)
    }
    return nil
  }

  private mutating func number() throws(ClipError) -> JSON {
    let start = at
    _ = take(UInt8(ascii: "-"))
    if !take(UInt8(ascii: "0")) { try digits() }
    var isWhole = true
    if take(UInt8(ascii: ".")) {
      isWhole = false
      try digits()
    }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      isWhole = false
      if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
      try digits()
    }
    let text = bytes[start..<at]
    // An integer beyond 64 bits, such as transformers' 1e30 for "no limit", is read as a number.
    if isWhole, let whole = JSONParser.integer(text) { return .int(whole) }
    guard let base = text.base.baseAddress, text.count < Int(csystem_number_capacity) else {
      throw failure("expected a number of at most \(csystem_number_capacity) characters")
    }
    let value = csystem_number((base + start).assumingMemoryBound(to: CChar.self), text.count)
    guard value.isFinite else { throw failure("expected a number below 1.8e308") }
    return .double(value)
  }

  /// nil if it does not fit 64 bits.
  private static func integer(_ text: Slice<UnsafeRawBufferPointer>) -> Int? {
    let isNegative = text.first == UInt8(ascii: "-")
    var whole = 0
    for byte in isNegative ? text.dropFirst() : text {
      let digit = Int(byte) - 48
      let (tenfold, overflow) = whole.multipliedReportingOverflow(by: 10)
      let (sum, overflows) = tenfold.addingReportingOverflow(isNegative ? -digit : digit)
      guard !overflow, !overflows else { return nil }
      whole = sum
    }
    return whole
  }

  private mutating func digits() throws(ClipError) {
    let start = at
    while next >= UInt8(ascii: "0"), next <= UInt8(ascii: "9") { at += 1 }
    guard at > start else { throw failure("expected a digit") }
  }

  /// The bytes between quotation marks, unescaped. `at` is on the first mark.
  private mutating func string() throws(ClipError) -> [UInt8] {
    at += 1
    let start = at
    while at < bytes.count, bytes[at] >= 0x20, bytes[at] < 0x80, bytes[at] != 0x22, bytes[at] != 0x5C { at += 1 }
    var text: [UInt8] = []
    try text.reserve(at - start, for: "JSON")
    text.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[start..<at]))
    while !take(UInt8(ascii: "\"")) {
      if take(UInt8(ascii: "\\")) {
        try escape(&text)
        continue
      }
      guard at < bytes.count else { throw failure("expected a quotation mark, found the end of the text") }
      guard next >= 0x20 else { throw failure("expected no control character in a string, found \(next)") }
      guard let (_, length) = UTF8Text.scalar(bytes.bindMemory(to: UInt8.self), at: at) else {
        throw failure("expected UTF-8, found byte \(next)")
      }
      for _ in 0..<length {
        try text.add(bytes[at], for: "JSON")
        at += 1
      }
    }
    return text
  }

  /// What follows a backslash.
  private mutating func escape(_ text: inout [UInt8]) throws(ClipError) {
    let kind = next
    at += 1
    switch kind {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): try text.add(kind, for: "JSON")
    case UInt8(ascii: "b"): try text.add(0x08, for: "JSON")
    case UInt8(ascii: "f"): try text.add(0x0C, for: "JSON")
    case UInt8(ascii: "n"): try text.add(0x0A, for: "JSON")
    case UInt8(ascii: "r"): try text.add(0x0D, for: "JSON")
    case UInt8(ascii: "t"): try text.add(0x09, for: "JSON")
    case UInt8(ascii: "u"):
      var scalar = try codeUnit()
      if scalar & 0xFC00 == 0xD800 {
        guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else { throw failure("expected a low surrogate") }
        let low = try codeUnit()
        guard low & 0xFC00 == 0xDC00 else { throw failure("expected a low surrogate") }
        scalar = 0x10000 + (scalar & 0x3FF) << 10 + low & 0x3FF
      }
      guard scalar != 0 || allowsNUL, scalar & 0xFFFF_F800 != 0xD800 else {
        throw failure("expected a character other than NUL and lone surrogates")
      }
      if text.count + 4 > text.capacity { try text.reserve(2 * text.count + 4, for: "JSON") }
      UTF8Text.append(scalar, to: &text)
    default: throw failure("expected an escape sequence of JSON")
    }
  }

  private mutating func codeUnit() throws(ClipError) -> UInt32 {
    var unit: UInt32 = 0
    for _ in 0..<4 {
      let digit: UInt8
      switch next {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = next - 48
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = next - 87
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = next - 55
      default: throw failure("expected four hexadecimal digits")
      }
      unit = unit << 4 | UInt32(digit)
      at += 1
    }
    return unit
  }
}
