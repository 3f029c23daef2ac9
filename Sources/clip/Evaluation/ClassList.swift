/// The classes of a zero-shot evaluation and their captions.
struct ClassList {
  /// The names of the classes in the data, and in captions.
  let labels: [String]
  let names: [String]
  var templates: [String]

  static let usualTemplate = "a photo of a {}."

  /// Reads a text file with one class on each line, or JSON: {"classes": ["cat", …] or {label: name, …}, "templates":
  /// ["a {}", …]}.
  init(_ path: ByteString) throws(CLIPError) {
    let bytes = try readFile(path)
    let place = path.shown
    if bytes.first(where: { $0 > 32 }) == UInt8(ascii: "{") {
      let reader = try ObjectReader(try JSON.parse(bytes, place: place), place)
      let classes = try reader.read("classes") { json throws(CLIPError) in
        (try ClassList.classes(json, place), .object([]))
      }
      labels = classes.map(\.label)
      names = classes.map(\.name)
      templates = try reader.texts("templates")
      try reader.finish()
    } else {
      labels = try ClassList.lines(bytes, place)
      names = labels
      templates = []
    }
    guard !names.isEmpty else { throw CLIPError("\(place): expected classes, found none") }
    var seen: Set<String> = []
    for label in labels where !seen.insert(label).inserted {
      throw CLIPError("\(place): class \(quoted(label)) is there twice")
    }
    if templates.isEmpty { templates = [ClassList.usualTemplate] }
    try ClassList.check(templates, place)
  }

  /// The templates of a file, one on each line.
  static func templates(_ path: ByteString) throws(CLIPError) -> [String] {
    let templates = try lines(try readFile(path), path.shown)
    guard !templates.isEmpty else { throw CLIPError("\(path.shown): expected templates, found none") }
    try check(templates, path.shown)
    return templates
  }

  /// The captions of a class.
  func captions(_ index: Int) -> [String] {
    templates.map { template in
      template.split(separator: "{}", omittingEmptySubsequences: false).joined(separator: names[index])
    }
  }

  private static func check(_ templates: [String], _ place: String) throws(CLIPError) {
    for template in templates where !template.contains("{}") {
      throw CLIPError("\(place): template \(quoted(template)): expected {} where the class goes")
    }
  }

  private static func classes(_ json: JSON?, _ place: String) throws(CLIPError) -> [(label: String, name: String)] {
    var classes: [(label: String, name: String)] = []
    switch json {
    case .array(let list):
      for item in list {
        guard case .string(let name) = item else {
          throw CLIPError("\(place): classes: expected names, found \(item.kind)")
        }
        classes.append((name, name))
      }
    case .object(let members):
      for (label, value) in members {
        guard case .string(let name) = value else {
          throw CLIPError("\(place): classes: \(quoted(label)): expected a name, found \(value.kind)")
        }
        classes.append((label, name))
      }
    default: throw CLIPError("\(place): classes: expected a list or an object, found \(json?.kind ?? "nothing")")
    }
    for (label, name) in classes where label.isEmpty || name.isEmpty {
      throw CLIPError("\(place): classes: a name is empty")
    }
    return classes
  }

  private static func lines(_ bytes: [UInt8], _ place: String) throws(CLIPError) -> [String] {
    var lines: [String] = []
    for (index, line) in TextLines.split(bytes).enumerated() {
      let trimmed = line.bytes.reversed().drop { $0 == 32 || $0 == 9 }.reversed().drop { $0 == 32 || $0 == 9 }
      if trimmed.isEmpty { continue }
      guard !trimmed.contains(0), let text = String(validating: trimmed, as: UTF8.self) else {
        throw CLIPError("\(place): line \(index + 1): expected UTF-8 text")
      }
      lines.append(text)
    }
    return lines
  }
}
