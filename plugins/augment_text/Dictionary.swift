import CClip
import CSystem
import ClipPluginKit

/// A dictionary file of WordNet 3 (wndb(5WN)), mapped for reading. Lines end with a newline; those of the
/// licence begin with two spaces. A file that is cut short by someone else while mapped raises SIGBUS.
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
      throw PluginFailure(CLIP_FORMAT, path + ": expected a file that is not empty")
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

  func failure(at offset: Int, _ words: String) -> PluginFailure {
    PluginFailure(CLIP_FORMAT, path + ": byte \(offset): " + words)
  }

  /// The end of the line that holds `at`, without its newline.
  func lineEnd(_ at: Int) -> Int {
    guard let base = bytes.baseAddress, at < bytes.count, let found = memchr(base + at, 0x0A, bytes.count - at) else {
      return bytes.count
    }
    return UnsafeRawPointer(found) - UnsafeRawPointer(base)
  }

  /// The line whose first field is `key`, in a file sorted by those (as strcmp does); nil where there is none.
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

  /// How a line's first field stands to `key`: below 0 before it.
  private func compare(_ start: Int, _ end: Int, _ key: [UInt8]) -> Int {
    for index in 0..<key.count {
      let at = start + index
      let byte = at < end && bytes[at] != 0x20 ? Int(bytes[at]) : 0
      if byte != Int(key[index]) { return byte - Int(key[index]) }
    }
    let after = start + key.count
    return after < end && bytes[after] != 0x20 ? 1 : 0
  }

  /// Checks that every line has a first field, after that of the line before it, and passes each on.
  func checkLines(_ body: (inout Fields) throws(PluginFailure) -> Void) throws(PluginFailure) {
    var at = 0
    var last: Span?
    while at < bytes.count {
      let end = lineEnd(at)
      defer { at = end + 1 }
      if end - at > 1, bytes[at] == 0x20, bytes[at + 1] == 0x20 { continue }
      var fields = Fields(self, at, end)
      let key = try fields.next("a word")
      // Several lines of one key are well: an inflected form of several words has some.
      if let last, !follows(key, last) {
        throw failure(at: at, "expected the lines in order, found one that comes before the last")
      }
      last = key
      try body(&fields)
    }
  }

  private func follows(_ a: Span, _ b: Span) -> Bool {
    guard let base = bytes.baseAddress else { return true }
    let order = memcmp(base + a.from, base + b.from, min(a.count, b.count))
    return order != 0 ? order > 0 : a.count >= b.count
  }
}

/// The fields of a line, between spaces.
struct Fields {
  let file: DictionaryFile
  private var at: Int
  private let end: Int

  init(_ file: DictionaryFile, _ start: Int, _ end: Int) {
    self.file = file
    at = start
    self.end = end
  }

  mutating func next() -> Span? {
    while at < end, file.bytes[at] == 0x20 { at += 1 }
    let from = at
    while at < end, file.bytes[at] != 0x20 { at += 1 }
    return at > from ? Span(from: from, to: at) : nil
  }

  mutating func next(_ what: StaticString) throws(PluginFailure) -> Span {
    guard let field = next() else {
      throw file.failure(at: at, "expected " + String(cString: what.cString) + ", found the line's end")
    }
    return field
  }

  /// A number of at most 8 digits to base 10 or 16.
  mutating func number(_ what: StaticString, base: Int = 10) throws(PluginFailure) -> Int {
    let field = try next(what)
    var value = 0
    for index in field.from..<field.to {
      let byte = Int(file.bytes[index])
      let digit =
        byte >= 0x30 && byte <= 0x39
        ? byte - 0x30 : byte | 0x20 >= 0x61 && byte | 0x20 <= 0x66 ? (byte | 0x20) - 0x57 : 99
      guard digit < base, field.count <= 8 else {
        throw file.failure(at: field.from, "expected " + String(cString: what.cString) + ", found something else")
      }
      value = value * base + digit
    }
    return value
  }

  func text(_ field: Span) -> [UInt8] { Array(file.bytes[field.from..<field.to]) }
}
