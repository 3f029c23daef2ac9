import CClip
import CSystem
import ClipPluginKit

/// A mapped dictionary file of WordNet 3 (wndb(5WN)). Each line ends with a newline; lines of the licence begin with
/// two spaces. If another process truncates the file while it is mapped, reading raises SIGBUS.
final class DictionaryFile {
  let path: String
  let bytes: UnsafeBufferPointer<UInt8>

  convenience init(_ path: String) throws(PluginFailure) {
    let descriptor = path.withCString { csystem_open_read($0) }
    guard descriptor >= 0 else {
      throw PluginFailure(CLIP_NOT_FOUND, path + ": cannot open it; Debian's package wordnet-base has it")
    }
    defer { close(descriptor) }
    var facts = stat()
    guard fstat(descriptor, &facts) == 0, csystem_is_file(&facts) != 0, facts.st_size > 0 else {
      throw PluginFailure(CLIP_FORMAT, path + ": expected a regular file that is not empty")
    }
    let size = Int(facts.st_size)
    let mapping = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let mapping, mapping != UnsafeMutableRawPointer(bitPattern: -1) else {
      throw PluginFailure(CLIP_IO, path + ": cannot map it")
    }
    self.init(path, UnsafeBufferPointer(start: mapping.assumingMemoryBound(to: UInt8.self), count: size))
    guard bytes[size - 1] == 0x0A else {
      throw failure(at: size, "expected a newline at the end, found the file cut short")
    }
  }

  private init(_ path: String, _ bytes: UnsafeBufferPointer<UInt8>) {
    self.path = path
    self.bytes = bytes
  }

  deinit { if let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) } }

  func failure(at offset: Int, _ message: String) -> PluginFailure {
    PluginFailure(CLIP_FORMAT, path + ": byte \(offset): " + message)
  }

  /// The offset of the newline that ends the line at `at`.
  func lineEnd(_ at: Int) -> Int {
    guard let base = bytes.baseAddress, at < bytes.count, let found = memchr(base + at, 0x0A, bytes.count - at) else {
      return bytes.count
    }
    return UnsafeRawPointer(found) - UnsafeRawPointer(base)
  }

  /// Finds the line whose first field is `key` by binary search; nil if there is none. The file must be sorted by
  /// first fields as by strcmp.
  func line(_ key: [UInt8]) -> Fields? {
    var low = 0
    var high = bytes.count
    while low < high {
      var start = low + (high - low) / 2
      while start > low, bytes[start - 1] != 0x0A { start -= 1 }
      let end = lineEnd(start)
      let order = compare(start, end, key)
      if order == 0 { return Fields(self, start, end) }
      if order < 0 { low = end + 1 } else { high = start }
    }
    return nil
  }

  /// Compares the first field of a line with `key` as strcmp does.
  private func compare(_ start: Int, _ end: Int, _ key: [UInt8]) -> Int {
    for index in 0..<key.count {
      let at = start + index
      let byte = at < end && bytes[at] != 0x20 ? Int(bytes[at]) : 0
      if byte != Int(key[index]) { return byte - Int(key[index]) }
    }
    let after = start + key.count
    return after < end && bytes[after] != 0x20 ? 1 : 0
  }

  /// Checks that every line has a first field and that lines are sorted by it, and calls `body` with the rest of each.
  func checkLines(_ body: (inout Fields) throws(PluginFailure) -> Void) throws(PluginFailure) {
    var at = 0
    var last: Span?
    while at < bytes.count {
      let end = lineEnd(at)
      defer { at = end + 1 }
      if end - at > 1, bytes[at] == 0x20, bytes[at + 1] == 0x20 { continue }
      var fields = Fields(self, at, end)
      let key = try fields.next("a word")
      // Equal keys are allowed: an inflected form of several words has several lines.
      if let last, !isSorted(last, key) {
        throw failure(at: at, "expected sorted lines, found one that belongs before the previous line")
      }
      last = key
      try body(&fields)
    }
  }

  /// Whether field `a` may come before field `b`.
  private func isSorted(_ a: Span, _ b: Span) -> Bool {
    guard let base = bytes.baseAddress else { return true }
    let order = memcmp(base + a.from, base + b.from, min(a.count, b.count))
    return order != 0 ? order < 0 : a.count <= b.count
  }
}

/// Reads the fields of a line, which are separated by spaces.
struct Fields {
  let file: DictionaryFile
  private var at: Int
  private let end: Int

  init(_ file: DictionaryFile, _ start: Int, _ end: Int) {
    self.file = file
    at = start
    self.end = end
  }

  /// The next field; nil at the end of the line.
  mutating func next() -> Span? {
    while at < end, file.bytes[at] == 0x20 { at += 1 }
    let from = at
    while at < end, file.bytes[at] != 0x20 { at += 1 }
    return at > from ? Span(from: from, to: at) : nil
  }

  /// The next field, which must exist. `what` describes it in the message of an error.
  mutating func next(_ what: StaticString) throws(PluginFailure) -> Span {
    guard let field = next() else {
      throw file.failure(at: at, "expected " + String(cString: what.cString) + ", found the end of the line")
    }
    return field
  }

  /// The next field as an integer of at most 8 digits in base 10 or 16.
  mutating func number(_ what: StaticString, base: Int = 10) throws(PluginFailure) -> Int {
    let field = try next(what)
    var value = 0
    for index in field.from..<field.to {
      let byte = Int(file.bytes[index])
      let digit =
        byte >= 0x30 && byte <= 0x39
        ? byte - 0x30 : byte | 0x20 >= 0x61 && byte | 0x20 <= 0x66 ? (byte | 0x20) - 0x57 : 99
      guard digit < base, field.count <= 8 else {
        throw file.failure(
          at: field.from, "expected " + String(cString: what.cString) + ", found no number of base \(base)")
      }
      value = value * base + digit
    }
    return value
  }

  func text(_ field: Span) -> [UInt8] { Array(file.bytes[field.from..<field.to]) }
}
