import CSystem

/// A key or tensor name: UTF-8 bytes, compared as bytes. Swift's String compares by Unicode
/// equivalence, which is neither wanted for names nor free in Embedded Swift.
package struct Name: Hashable, Comparable, ExpressibleByStringLiteral {
  package let utf8: [UInt8]

  package init(utf8: [UInt8]) { self.utf8 = utf8 }
  package init(stringLiteral literal: StaticString) {
    utf8 = Array(literal.bytes)
  }
  package init(cString: UnsafePointer<CChar>) {
    let bytes = UnsafeRawBufferPointer(start: cString, count: strlen(cString))
    self.init(utf8: Array(bytes))
  }

  package var isEmpty: Bool { utf8.isEmpty }

  @_disfavoredOverload
  package func hasPrefix(_ prefix: Name) -> Bool { utf8.starts(with: prefix.utf8) }
  @_disfavoredOverload
  package func hasSuffix(_ suffix: Name) -> Bool {
    utf8.count >= suffix.utf8.count && utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
  }

  package static func + (a: Name, b: Name) -> Name { Name(utf8: a.utf8 + b.utf8) }
  @_disfavoredOverload
  package static func == (a: Name, b: Name) -> Bool { a.utf8 == b.utf8 }
  package static func < (a: Name, b: Name) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }
}

/// Literals are compared without a copy.
extension Name {
  package static func == (name: Name, literal: StaticString) -> Bool { name.utf8.elementsEqual(literal.bytes) }
  package static func != (name: Name, literal: StaticString) -> Bool { !(name == literal) }
  package static func ~= (literal: StaticString, name: Name) -> Bool { name == literal }
  package func hasPrefix(_ prefix: StaticString) -> Bool { utf8.starts(with: prefix.bytes) }
  package func hasSuffix(_ suffix: StaticString) -> Bool {
    utf8.suffix(suffix.utf8CodeUnitCount).elementsEqual(suffix.bytes)
  }
}

/// Quoted names for messages, "\"a\", \"b\"": the first ones of many, the beginnings of long ones.
package func describe(names: [Name]) -> String {
  var list = ""
  for name in names.prefix(20) {
    list += (list.isEmpty ? "\"" : ", \"") + Name(utf8: Array(name.utf8.prefix(60))).string + "\""
  }
  return list
}
