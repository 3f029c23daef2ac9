import ArgumentParser
import Glibc

/// A path or text of the system: bytes without NUL, which need not be UTF-8.
struct ByteString: Hashable, Comparable, Sendable, ExpressibleByArgument {
  var bytes: [UInt8]

  init(_ bytes: some Sequence<UInt8>) {
    self.bytes = Array(bytes)
  }

  init(_ text: String) {
    bytes = Array(text.utf8)
  }

  init(argument: String) {
    bytes = RawArguments.decoded(argument)
  }

  var defaultValueDescription: String { shown }

  /// As a String, with U+FFFD for invalid bytes.
  var text: String { String(decoding: bytes, as: UTF8.self) }

  /// As a String. Throws if the bytes are not UTF-8, which the library requires.
  var utf8: String {
    get throws(CLIPError) {
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw CLIPError("\(shown): expected UTF-8, found other bytes")
      }
      return text
    }
  }

  /// For messages: on one line, with control characters escaped.
  var shown: String { visible(text) }

  /// The part after the last slash.
  var lastComponent: ArraySlice<UInt8> {
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return bytes[...] }
    return bytes[(slash + 1)...]
  }

  /// The folder that contains this path.
  var folder: ByteString {
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return ByteString(".") }
    return slash == 0 ? ByteString("/") : ByteString(bytes[..<slash])
  }

  /// The part of the last component after its last dot, in lower case; "" without a dot.
  var fileExtension: String {
    let name = lastComponent
    guard let dot = name.lastIndex(of: UInt8(ascii: ".")), dot > name.startIndex else { return "" }
    let ending = name[(dot + 1)...]
    return String(unsafeUninitializedCapacity: ending.count) { buffer in
      for (index, byte) in ending.enumerated() { buffer[index] = (65...90).contains(byte) ? byte | 32 : byte }
      return ending.count
    }
  }

  /// This folder's path followed by `name`.
  func appending(_ name: some Sequence<UInt8>) -> ByteString {
    var path = ByteString([])
    path.bytes.reserveCapacity(bytes.count + 1 + name.underestimatedCount)
    path.bytes += bytes
    if bytes.last != UInt8(ascii: "/") { path.bytes.append(UInt8(ascii: "/")) }
    path.bytes += name
    return path
  }

  /// Whether this path is `folder` or inside it.
  func isBelow(_ folder: ByteString) -> Bool {
    bytes.starts(with: folder.bytes)
      && (bytes.count == folder.bytes.count || folder.bytes.last == UInt8(ascii: "/")
        || bytes[folder.bytes.count] == UInt8(ascii: "/"))
  }

  /// The path relative to `folder`, which contains it.
  func relative(to folder: ByteString) -> ByteString {
    ByteString(bytes.dropFirst(folder.bytes.count).drop { $0 == UInt8(ascii: "/") })
  }

  /// The absolute path without links and "..".
  var real: ByteString {
    get throws(CLIPError) {
      guard let path = withCString({ realpath($0, nil) }) else { throw .system(shown) }
      defer { free(path) }
      return ByteString(UnsafeRawBufferPointer(start: path, count: strlen(path)))
    }
  }

  /// Compares bytes.
  static func < (a: ByteString, b: ByteString) -> Bool {
    a.bytes.withUnsafeBytes { first in
      b.bytes.withUnsafeBytes { second in
        guard let left = first.baseAddress, let right = second.baseAddress else { return first.count < second.count }
        let order = memcmp(left, right, min(first.count, second.count))
        return order != 0 ? order < 0 : first.count < second.count
      }
    }
  }

  func hash(into hasher: inout Hasher) {
    bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
  }

  func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    let text = [CChar](unsafeUninitializedCapacity: bytes.count + 1) { buffer, count in
      for (index, byte) in bytes.enumerated() { buffer[index] = CChar(bitPattern: byte) }
      buffer[bytes.count] = 0
      count = bytes.count + 1
    }
    return body(text)
  }
}

extension [ByteString] {
  /// As Strings. Throws if one is not UTF-8.
  var utf8: [String] {
    get throws(CLIPError) {
      var texts: [String] = []
      for text in self { texts.append(try text.utf8) }
      return texts
    }
  }
}
