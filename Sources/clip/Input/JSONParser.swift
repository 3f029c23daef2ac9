import CJansson
import Glibc

extension JSON {
  /// Parses one value. Duplicate keys, NaN, text after the value and nesting beyond 64 are errors; `place`
  /// names the source in them.
  static func parse(_ bytes: [UInt8], place: String) throws(CLIPError) -> JSON {
    var failure = json_error_t()
    let flags = Int(JSON_REJECT_DUPLICATES | JSON_DECODE_ANY)
    let tree = (bytes + [0]).withUnsafeBytes {
      json_loadb($0.bindMemory(to: CChar.self).baseAddress, bytes.count, flags, &failure)
    }
    guard let tree else {
      let reason = withUnsafeBytes(of: failure.text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      throw CLIPError("\(place): expected JSON, line \(failure.line) column \(failure.column): \(reason)")
    }
    defer { clip_json_release(tree) }
    return try JSON(tree, place, depth: 64)
  }

  private init(_ tree: UnsafeMutablePointer<json_t>, _ place: String, depth: Int) throws(CLIPError) {
    guard depth > 0 else { throw CLIPError("\(place): JSON is nested more than 64 deep") }
    switch tree.pointee.type {
    case JSON_OBJECT:
      var members: [(key: String, value: JSON)] = []
      var iterator = json_object_iter(tree)
      while let at = iterator {
        if let key = json_object_iter_key(at), let value = json_object_iter_value(at) {
          members.append((String(cString: key), try JSON(value, place, depth: depth - 1)))
        }
        iterator = json_object_iter_next(tree, at)
      }
      self = .object(members)
    case JSON_ARRAY:
      var elements: [JSON] = []
      for index in 0..<json_array_size(tree) {
        if let element = json_array_get(tree, index) { elements.append(try JSON(element, place, depth: depth - 1)) }
      }
      self = .array(elements)
    case JSON_STRING: self = .string(json_string_value(tree).map { String(cString: $0) } ?? "")
    case JSON_INTEGER: self = .integer(Int(json_integer_value(tree)))
    case JSON_REAL: self = .double(json_real_value(tree))
    case JSON_TRUE: self = .bool(true)
    case JSON_FALSE: self = .bool(false)
    default: self = .null
    }
  }

  /// The type of a value, for messages.
  var kind: String {
    switch self {
    case .object: "an object"
    case .array, .floats: "a list"
    case .string(let value): quoted(value)
    case .path(let value): quoted(value.text)
    case .integer, .float, .double, .bool, .null: compact()
    }
  }
}
