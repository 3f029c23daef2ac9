/// Reads the members of an object by key. An absent or null member has its default. One of another type or out of range
/// is an error that names the key. `finish` refuses keys that were not read.
final class ObjectReader {
  /// The name of the object in messages: "run.json", "run.json: optimizer".
  let place: String
  private let members: [(key: String, value: JSON)]
  private var taken: [(key: String, value: () -> JSON)] = []

  init(_ json: JSON, _ place: String) throws(CLIPError) {
    guard case .object(let members) = json else { throw CLIPError("\(place): expected an object, found \(json.kind)") }
    self.members = members
    self.place = place
  }

  /// The values of all keys that were read, with defaults, in the order of reading.
  var effective: JSON { .object(taken.map { (key: $0.key, value: $0.value()) }) }

  /// Called when all keys have been read.
  func finish() throws(CLIPError) {
    for (key, _) in members where !taken.contains(where: { $0.key == key }) {
      throw CLIPError("\(place): \(quoted(key)) is no key here; there are \(taken.map(\.key).joined(separator: ", "))")
    }
  }

  /// Reads a member. `meaning` converts the JSON, nil if absent, to its value and to the JSON of that value.
  func read<Value>(_ key: String, _ meaning: (JSON?) throws(CLIPError) -> (Value, JSON)) throws(CLIPError) -> Value {
    var found = members.first { $0.key == key }?.value
    if case .null = found { found = nil }
    let (value, effective) = try meaning(found)
    taken.append((key, { effective }))
    return value
  }

  func failure(_ key: String, expected: String, found: JSON) -> CLIPError {
    CLIPError("\(place): \(key): expected \(expected), found \(found.kind)")
  }

  func text(_ key: String) throws(CLIPError) -> String? {
    try read(key) { json throws(CLIPError) in
      guard let json else { return (nil, .null) }
      guard case .string(let text) = json, !text.isEmpty else { throw failure(key, expected: "a text", found: json) }
      return (text, json)
    }
  }

  /// A list of texts, or a single one.
  func texts(_ key: String) throws(CLIPError) -> [String] {
    try read(key) { json throws(CLIPError) in
      guard let json else { return ([], .array([])) }
      if case .string(let text) = json, !text.isEmpty { return ([text], .strings([text])) }
      guard case .array(let list) = json else { throw failure(key, expected: "a text or a list of texts", found: json) }
      var texts: [String] = []
      for (index, item) in list.enumerated() {
        guard case .string(let text) = item, !text.isEmpty else {
          throw failure("\(key)[\(index)]", expected: "a text", found: item)
        }
        texts.append(text)
      }
      return (texts, json)
    }
  }

  func bool(_ key: String, default fallback: Bool = false) throws(CLIPError) -> Bool {
    try read(key) { json throws(CLIPError) in
      guard let json else { return (fallback, .bool(fallback)) }
      guard case .bool(let flag) = json else { throw failure(key, expected: "true or false", found: json) }
      return (flag, json)
    }
  }

  func integer(_ key: String, _ range: ClosedRange<Int>, default fallback: Int) throws(CLIPError) -> Int {
    try read(key) { json throws(CLIPError) in
      guard let json else { return (fallback, .integer(fallback)) }
      guard case .integer(let number) = json, range.contains(number) else {
        throw failure(key, expected: "a whole number from \(range.lowerBound) to \(range.upperBound)", found: json)
      }
      return (number, json)
    }
  }

  func number(_ key: String, _ range: ClosedRange<Double>, default fallback: Double) throws(CLIPError) -> Double {
    try read(key) { json throws(CLIPError) in
      let number: Double
      switch json {
      case nil: return (fallback, .double(fallback))
      case .integer(let whole): number = Double(whole)
      case .double(let real): number = real
      case let other?: throw failure(key, expected: "a number", found: other)
      }
      guard range.contains(number) else {
        throw failure(key, expected: "a number from \(range.lowerBound) to \(range.upperBound)", found: .double(number))
      }
      return (number, .double(number))
    }
  }

  func choice<Value: RawRepresentable & CaseIterable>(_ key: String, default fallback: Value) throws(CLIPError) -> Value
  where Value.RawValue == String {
    try read(key) { json throws(CLIPError) in
      guard let json else { return (fallback, .string(fallback.rawValue)) }
      guard case .string(let text) = json, let choice = Value(rawValue: text) else {
        throw failure(key, expected: "one of " + Value.allCases.map(\.rawValue).joined(separator: ", "), found: json)
      }
      return (choice, json)
    }
  }

  /// The object under `key`; an empty one if absent.
  func object(_ key: String) throws(CLIPError) -> ObjectReader {
    let reader = try ObjectReader(try read(key) { ($0 ?? .object([]), .null) }, "\(place): \(key)")
    taken[taken.count - 1].value = { reader.effective }
    return reader
  }

  /// The object under `key`; nil if absent.
  func optionalObject(_ key: String) throws(CLIPError) -> ObjectReader? {
    let json = try read(key) { ($0, .null) }
    guard let json else { return nil }
    let reader = try ObjectReader(json, "\(place): \(key)")
    taken[taken.count - 1].value = { reader.effective }
    return reader
  }

  /// The objects of the list under `key`.
  func objects(_ key: String) throws(CLIPError) -> [ObjectReader] {
    let json = try read(key) { ($0 ?? .array([]), .null) }
    guard case .array(let list) = json else { throw failure(key, expected: "a list of objects", found: json) }
    var readers: [ObjectReader] = []
    for (index, item) in list.enumerated() { readers.append(try ObjectReader(item, "\(place): \(key)[\(index)]")) }
    taken[taken.count - 1].value = { [readers] in .array(readers.map(\.effective)) }
    return readers
  }
}
