import CClip

/// A JSON value with typed access; an error names the file, the key and the expected type. Takes 16 bytes, whatever it
/// holds.
package enum JSON {
  case null
  case bool(Bool)
  case int(Int)
  case double(Double)
  case string(Name)
  case array([JSON])
  case object([(key: Name, value: JSON)])
}

extension JSON {
  /// The most values in one text: about 256 MB of memory.
  package static let maxValues = 1 << 23

  /// Parses one value (RFC 8259). Errors: duplicate keys, NaN, trailing text, more than `maxDepth` levels, and U+0000
  /// in a string unless `allowsNUL`. `place` is the file, for messages.
  package static func parse(
    _ bytes: UnsafeRawBufferPointer, place: String, maxDepth: Int = 64, allowsNUL: Bool = false
  ) throws(ClipError) -> JSON {
    var parser = JSONParser(bytes, place: place, allowsNUL: allowsNUL)
    return try parser.document(maxDepth)
  }

  package static func load(_ path: String) throws(ClipError) -> JSON {
    let file = try MappedFile(path: path)
    defer { withExtendedLifetime(file) {} }
    return try parse(file.bytes, place: path)
  }

  /// The type of the value, for messages.
  package var kind: String {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .int(let value): "\(value)"
    case .double(let value): "\(value)"
    case .string(let value): value.utf8.count <= 40 ? "\"" + value.string + "\"" : "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }

  /// The member `key` of an object; nil if it is absent or null, or this is no object.
  package subscript(key: StaticString) -> JSON? { self[key.bytes] }
  @_disfavoredOverload
  package subscript(key: Name) -> JSON? { key.utf8.withUnsafeBufferPointer { self[$0] } }

  private subscript(key: UnsafeBufferPointer<UInt8>) -> JSON? {
    guard case .object(let members) = self else { return nil }
    for member in members where member.key.utf8.elementsEqual(key) {
      if case .null = member.value { return nil }
      return member.value
    }
    return nil
  }

  package var int: Int? { if case .int(let value) = self { value } else { nil } }
  package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  package var string: Name? { if case .string(let value) = self { value } else { nil } }
  package var array: [JSON]? { if case .array(let value) = self { value } else { nil } }
  package var object: [(key: Name, value: JSON)]? { if case .object(let value) = self { value } else { nil } }
  /// Integers count as numbers.
  package var number: Double? {
    switch self {
    case .int(let value): Double(value)
    case .double(let value): value
    default: nil
    }
  }
}
