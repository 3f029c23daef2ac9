import CClip

/// The configuration as the encoder plugin reads it.
extension Builder {
  /// The value at a path of keys joined by dots; nil if it is absent.
  func value(_ key: Name) -> JSON? {
    var at = config
    for part in key.utf8.split(separator: UInt8(ascii: ".")) {
      guard let next = at[Name(utf8: Array(part))] else { return nil }
      at = next
    }
    return at
  }

  func wrong(_ key: Name, _ expected: String, _ found: JSON?) -> ClipError {
    ClipError(CLIP_FORMAT, "config: " + key.string + ": expected " + expected + ", found " + (found?.kind ?? "nothing"))
  }

  func needInt(_ key: Name, _ low: Int64, _ high: Int64) throws(ClipError) -> Int64 {
    let found = value(key)
    guard let integer = found?.int, Int64(integer) >= low, Int64(integer) <= high else {
      throw wrong(key, "an integer from \(low) to \(high)", found)
    }
    return Int64(integer)
  }

  func getInt(_ key: Name, _ fallback: Int64) throws(ClipError) -> Int64 {
    guard let found = value(key) else { return fallback }
    guard let integer = found.int else { throw wrong(key, "an integer", found) }
    return Int64(integer)
  }

  func getNumber(_ key: Name, _ fallback: Double) throws(ClipError) -> Double {
    guard let found = value(key) else { return fallback }
    guard let number = found.number else { throw wrong(key, "a number", found) }
    return number
  }

  func getString(_ key: Name) throws(ClipError) -> UnsafePointer<CChar>? {
    guard let found = value(key) else { return nil }
    guard let string = found.string else { throw wrong(key, "a string", found) }
    let memory = try Memory(byteCount: string.utf8.count + 1, for: "a config string")
    for (index, byte) in string.utf8.enumerated() { memory.bytes[index] = byte }
    memory.bytes[string.utf8.count] = 0
    strings.append(memory)
    return UnsafeRawPointer(memory.base).assumingMemoryBound(to: CChar.self)
  }

  func getInts(_ key: Name) throws(ClipError) -> [Int] {
    guard let found = value(key) else { return [] }
    guard let elements = found.array else { throw wrong(key, "an array of integers", found) }
    var integers: [Int] = []
    for element in elements {
      guard let integer = element.int else { throw wrong(key, "an array of integers", element) }
      integers.append(integer)
    }
    return integers
  }
}
