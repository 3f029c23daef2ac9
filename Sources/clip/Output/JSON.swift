/// A JSON value (RFC 8259); members keep their order.
enum JSON: ExpressibleByDictionaryLiteral, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
  case object([(key: String, value: JSON)])
  case array([JSON])
  case floats(ArraySlice<Float>)
  case string(String)
  /// A string. Bytes that are not UTF-8 become the lone surrogates U+DC80 to U+DCFF, as in Python (PEP 383).
  case path(ByteString)
  case integer(Int)
  case float(Float)
  case double(Double)
  case bool(Bool)
  case null

  init(dictionaryLiteral members: (String, JSON)...) {
    self = .object(members.map { (key: $0.0, value: $0.1) })
  }

  init(stringLiteral value: String) { self = .string(value) }

  init(integerLiteral value: Int) { self = .integer(value) }

  static func strings(_ list: [String]) -> JSON { .array(list.map { .string($0) }) }

  /// On several lines, indented by two spaces. Arrays of scalars stay on one line.
  func pretty() -> String {
    var text = ""
    write(to: &text, indent: 0)
    return text
  }

  /// On one line.
  func compact() -> String {
    var text = ""
    write(to: &text, indent: nil)
    return text
  }

  private func write(to text: inout String, indent: Int?) {
    switch self {
    case .object(let members):
      JSON.list(members, "{", "}", &text, indent) { member, text, inner in
        JSON.quote(member.key, to: &text)
        text += inner == nil ? ":" : ": "
        member.value.write(to: &text, indent: inner)
      }
    case .array(let values):
      let isFlat = !values.contains { $0.isNested }
      JSON.list(values, "[", "]", &text, isFlat ? nil : indent, spaced: indent != nil) { value, text, inner in
        value.write(to: &text, indent: inner)
      }
    case .floats(let values):
      JSON.list(Array(values), "[", "]", &text, nil, spaced: indent != nil) { value, text, _ in
        text += JSON.number(value)
      }
    case .string(let value): JSON.quote(value, to: &text)
    case .path(let value): JSON.quote(RawArguments.encoded(value.bytes), to: &text, carriesBytes: true)
    case .integer(let value): text += "\(value)"
    case .float(let value): text += JSON.number(value)
    case .double(let value): text += value.isFinite ? "\(value)" : "null"
    case .bool(let value): text += value ? "true" : "false"
    case .null: text += "null"
    }
  }

  private var isNested: Bool {
    switch self {
    case .object, .array, .floats: true
    default: false
    }
  }

  private static func list<Item>(
    _ items: [Item], _ open: String, _ close: String, _ text: inout String, _ indent: Int?,
    spaced: Bool = false, _ item: (Item, inout String, Int?) -> Void
  ) {
    let newline = { (level: Int) in "\n" + String(repeating: "  ", count: level) }
    text += open
    for (index, value) in items.enumerated() {
      if index > 0 { text += spaced && indent == nil ? ", " : "," }
      if let indent { text += newline(indent + 1) }
      item(value, &text, indent.map { $0 + 1 })
    }
    if let indent, !items.isEmpty { text += newline(indent) }
    text += close
  }

  /// The shortest digits that give the same float32; null for NaN and infinity, which JSON lacks.
  private static func number(_ value: Float) -> String {
    value.isFinite ? "\(value)" : "null"
  }

  private static func quote(_ value: String, to text: inout String, carriesBytes: Bool = false) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{0}"..<"\u{20}", "\u{7f}":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      case RawArguments.carried where carriesBytes: text += "\\udc" + String(scalar.value & 0xff, radix: 16)
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
