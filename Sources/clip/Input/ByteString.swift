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

  /// As a String. Throws where the bytes are not UTF-8, which the library does not take.
  var utf8: String {
    get throws(CLIPError) {
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw CLIPError("\(shown): expected UTF-8, found other bytes")
      }
      return text
    }
  }

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

extension [ByteString] {
  /// As Strings. Throws where one is not UTF-8.
  var utf8: [String] {
    get throws(CLIPError) {
      var texts: [String] = []
      for text in self { texts.append(try text.utf8) }
      return texts
    }
  }
}
