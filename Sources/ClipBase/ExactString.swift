/// Paths as Strings. A path is any bytes without NUL. In a String, a byte that is not part of well-formed UTF-8 is
/// written as the private-use scalar U+10FF00 + byte (as in Python's surrogateescape, PEP 383); so are the bytes of
/// such scalars themselves. So every path converts to a String and back without change. UTF8Text.hideControls shows
/// these scalars as \xNN.
enum ExactString {
  /// The byte that the scalar at `at`, F4 8F BE 80 to F4 8F BF BF, is written for; nil for any other scalar.
  static func byte(_ bytes: UnsafeBufferPointer<UInt8>, _ at: Int) -> UInt8? {
    guard bytes[at] == 0xF4, at + 4 <= bytes.count, bytes[at + 1] == 0x8F, bytes[at + 2] & 0xFE == 0xBE,
      bytes[at + 3] & 0xC0 == 0x80
    else { return nil }
    return bytes[at + 2] << 6 | bytes[at + 3] & 0x3F
  }

  static func string(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
    var utf8: [UInt8] = []
    utf8.reserveCapacity(bytes.count)
    var at = 0
    while at < bytes.count {
      if byte(bytes, at) == nil, let (_, length) = UTF8Text.scalar(bytes, at: at) {
        utf8 += bytes[at..<at + length]
        at += length
      } else {
        UTF8Text.append(0x10FF00 + UInt32(bytes[at]), to: &utf8)
        at += 1
      }
    }
    return String(decoding: utf8, as: UTF8.self)
  }

  static func bytes(_ path: String) -> [UInt8] {
    let utf8 = Array(path.utf8)
    guard utf8.contains(0xF4) else { return utf8 }
    var bytes: [UInt8] = []
    utf8.withUnsafeBufferPointer { utf8 in
      var at = 0
      while at < utf8.count {
        let byte = byte(utf8, at)
        bytes.append(byte ?? utf8[at])
        at += byte == nil ? 1 : 4
      }
    }
    return bytes
  }
}

extension Name {
  package init(_ string: String) { self.init(utf8: ExactString.bytes(string)) }

  /// The bytes as a String, for a path or a message: see ExactString.
  package var string: String {
    if UTF8Text.isValid(utf8), !utf8.contains(0xF4) { return String(decoding: utf8, as: UTF8.self) }
    return utf8.withUnsafeBufferPointer { ExactString.string($0) }
  }
}

/// A path of the caller's or the system's.
package func path(_ bytes: UnsafePointer<CChar>) -> String { Name(cString: bytes).string }

/// Calls `body` with the bytes of a path, as the system expects them.
package func withPath<Result>(_ path: String, _ body: (UnsafePointer<CChar>) -> Result) -> Result {
  (Name(path).utf8 + [0]).withUnsafeBytes {
    body($0.bindMemory(to: CChar.self).baseAddress ?? StaticString("").cString)
  }
}
