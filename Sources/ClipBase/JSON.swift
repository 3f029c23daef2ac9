import CClip
import CJansson
import CSystem

/// A JSON value with what a reader of configs needs: typed access that says, when it fails,
/// which key of which file was expected to hold what. A value takes 16 bytes, however many there are.
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
  /// Values in one text at most: with what jansson and this tree take for each, about half a gigabyte.
  package static let maxValues = 1 << 23

  /// Parses one value; duplicate keys, NaN and trailing text are errors. Depth is limited by
  /// jansson to 2048; `maxDepth` is stricter. `place` is the file, for messages.
  package static func parse(
    _ bytes: UnsafeRawBufferPointer, place: String, maxDepth: Int = 64, allowsNUL: Bool = false
  ) throws(ClipError) -> JSON {
    guard separators(bytes) < maxValues else {
      throw ClipError(CLIP_LIMIT, "\(place): JSON of more than \(maxValues) values")
    }
    var failure = json_error_t()
    let flags = Int(JSON_REJECT_DUPLICATES | JSON_DECODE_ANY) | (allowsNUL ? Int(JSON_ALLOW_NUL) : 0)
    let text = bytes.bindMemory(to: CChar.self)
    // jansson wants a pointer even for no bytes.
    let tree =
      text.baseAddress.map { json_loadb($0, text.count, flags, &failure) } ?? json_loadb("", 0, flags, &failure)
    guard let tree else {
      guard failure.text.0 != 0, json_error_code(&failure) != json_error_out_of_memory else {
        throw ClipError(CLIP_OUT_OF_MEMORY, "\(place): no memory to read the JSON")
      }
      let reason = withUnsafeBytes(of: failure.text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      throw ClipError(CLIP_FORMAT, "\(place): expected JSON, line \(failure.line) column \(failure.column): \(reason)")
    }
    defer { clip_json_release(tree) }
    return try JSON(tree, place, maxDepth)
  }

  /// Commas, colons and opening brackets outside strings: no fewer than the values of the text, less one.
  private static func separators(_ bytes: UnsafeRawBufferPointer) -> Int {
    var count = 0
    var quoted = false
    var escaped = false
    for byte in bytes {
      if escaped {
        escaped = false
      } else if byte == UInt8(ascii: "\"") {
        quoted.toggle()
      } else if quoted {
        escaped = byte == UInt8(ascii: "\\")
      } else if byte == UInt8(ascii: ",") || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "[")
        || byte == UInt8(ascii: "{")
      {
        count += 1
      }
    }
    return count
  }

  package static func load(_ path: String) throws(ClipError) -> JSON {
    let file = try MappedFile(path: path)
    defer { withExtendedLifetime(file) {} }
    return try parse(file.bytes, place: path)
  }

  private init(_ tree: UnsafeMutablePointer<json_t>, _ place: String, _ depth: Int) throws(ClipError) {
    guard depth > 0 else { throw ClipError(CLIP_LIMIT, place + ": JSON is nested too deeply") }
    switch tree.pointee.type {
    case JSON_OBJECT:
      var members: [(key: Name, value: JSON)] = []
      members.reserveCapacity(json_object_size(tree))
      var iterator = json_object_iter(tree)
      while let at = iterator {
        if let key = json_object_iter_key(at), let value = json_object_iter_value(at) {
          let length = json_object_iter_key_len(at)
          let bytes = UnsafeRawBufferPointer(start: key, count: length)
          members.append((Name(utf8: Array(bytes)), try JSON(value, place, depth - 1)))
        }
        iterator = json_object_iter_next(tree, at)
      }
      self = .object(members)
    case JSON_ARRAY:
      var elements: [JSON] = []
      elements.reserveCapacity(json_array_size(tree))
      for index in 0..<json_array_size(tree) {
        if let element = json_array_get(tree, index) { elements.append(try JSON(element, place, depth - 1)) }
      }
      self = .array(elements)
    case JSON_STRING:
      let bytes = UnsafeRawBufferPointer(start: json_string_value(tree), count: json_string_length(tree))
      self = .string(Name(utf8: Array(bytes)))
    case JSON_INTEGER: self = .int(Int(json_integer_value(tree)))
    case JSON_REAL: self = .double(json_real_value(tree))
    case JSON_TRUE: self = .bool(true)
    case JSON_FALSE: self = .bool(false)
    default: self = .null
    }
  }

  /// What kind of value this is, for messages.
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
  package subscript(key: Name) -> JSON? {
    guard case .object(let members) = self else { return nil }
    for member in members where member.key == key {
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
