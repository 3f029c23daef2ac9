import ArgumentParser

/// A path or text as the system gave it: bytes without NUL that are mostly, but not surely, UTF-8.
struct ByteString: Hashable, Sendable, ExpressibleByArgument {
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

  /// As a String, invalid bytes replaced by U+FFFD.
  var text: String { String(decoding: bytes, as: UTF8.self) }

  /// For a person's eyes: on one line, control characters escaped.
  var shown: String { visible(text) }

  /// The part after the last slash.
  var lastComponent: ArraySlice<UInt8> {
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return bytes[...] }
    return bytes[(slash + 1)...]
  }

  /// The folder this path is in.
  var folder: ByteString {
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return ByteString(".") }
    return slash == 0 ? ByteString("/") : ByteString(bytes[..<slash])
  }

  /// The lower-case letters after the last dot of the last component; "" without one.
  var fileExtension: String {
    let name = lastComponent
    guard let dot = name.lastIndex(of: UInt8(ascii: ".")), dot > name.startIndex else { return "" }
    return String(decoding: name[(dot + 1)...], as: UTF8.self).lowercased()
  }

  /// This folder's path with `name` after it.
  func appending(_ name: some Sequence<UInt8>) -> ByteString {
    let slash: [UInt8] = bytes.last == UInt8(ascii: "/") ? [] : [UInt8(ascii: "/")]
    return ByteString(bytes + slash + Array(name))
  }

  func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    body(bytes.map { CChar(bitPattern: $0) } + [0])
  }
}

/// Calls `body` with the strings as a C array of NUL-terminated strings, valid during the call.
func withCStrings<Result>(
  _ strings: [ByteString], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Result
) -> Result {
  var flat: [UInt8] = []
  flat.reserveCapacity(strings.reduce(0) { $0 + $1.bytes.count + 1 })
  for string in strings {
    flat += string.bytes
    flat.append(0)
  }
  return flat.withUnsafeBytes { buffer in
    let start = buffer.bindMemory(to: CChar.self).baseAddress
    var pointers: [UnsafePointer<CChar>?] = []
    var offset = 0
    for string in strings {
      pointers.append(start.map { $0 + offset })
      offset += string.bytes.count + 1
    }
    return pointers.withUnsafeBufferPointer { body($0.baseAddress) }
  }
}

/// Calls `body` with the string as a C string, or with NULL.
func withOptionalCString<Result>(
  _ string: ByteString?, _ body: (UnsafePointer<CChar>?) -> Result
) -> Result {
  guard let string else { return body(nil) }
  return string.withCString(body)
}
