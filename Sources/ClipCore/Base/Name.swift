/// A key or tensor name: UTF-8 bytes, compared as bytes. Swift's String compares by Unicode
/// equivalence, which is neither wanted for names nor free in Embedded Swift.
struct Name: Hashable, Comparable, ExpressibleByStringLiteral {
  let utf8: [UInt8]

  init(utf8: [UInt8]) { self.utf8 = utf8 }
  init(_ string: String) { utf8 = Array(string.utf8) }
  init(stringLiteral literal: StaticString) {
    utf8 = Array(UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
  }
  init(cString: UnsafePointer<CChar>) { self.init(String(cString: cString)) }

  /// For messages; malformed UTF-8 shows as U+FFFD.
  var string: String { String(decoding: utf8, as: UTF8.self) }
  var isEmpty: Bool { utf8.isEmpty }

  func hasPrefix(_ prefix: Name) -> Bool { utf8.starts(with: prefix.utf8) }
  func hasSuffix(_ suffix: Name) -> Bool {
    utf8.count >= suffix.utf8.count && utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
  }

  static func + (a: Name, b: Name) -> Name { Name(utf8: a.utf8 + b.utf8) }
  static func < (a: Name, b: Name) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }
}
