import CClip

/// The captions of a pair, by field.
struct CaptionChoice {
  private var fields: [[[UInt8]]] = []

  /// Adds a field with one caption, without the spaces around it. An empty caption is ignored.
  mutating func add(_ text: [UInt8]) {
    let trimmed = CaptionChoice.trimmed(text)
    if !trimmed.isEmpty { fields.append([trimmed]) }
  }

  /// Adds a field of JSON: a string, a list of strings or null. CLIP_FORMAT for anything else.
  mutating func add(_ value: JSON?, _ field: Name) throws(ClipError) {
    guard let value else { return }
    if let text = value.string { return add(text.utf8) }
    guard let list = value.array else {
      throw ClipError(CLIP_FORMAT, "\(field.string): expected a string or a list of strings, found \(value.kind)")
    }
    var captions: [[UInt8]] = []
    for element in list {
      guard let text = element.string else {
        throw ClipError(CLIP_FORMAT, "\(field.string): expected a list of strings, found \(element.kind) in it")
      }
      let trimmed = CaptionChoice.trimmed(text.utf8)
      if !trimmed.isEmpty { captions.append(trimmed) }
    }
    if !captions.isEmpty { fields.append(captions) }
  }

  var isEmpty: Bool { fields.isEmpty }

  /// Draws a field, then one of its captions, each uniformly. nil if there is no caption.
  func draw(_ stream: inout RandomStream) -> [UInt8]? {
    guard !fields.isEmpty else { return nil }
    let field = fields[Int(stream.below(UInt32(truncatingIfNeeded: fields.count)))]
    return field[Int(stream.below(UInt32(truncatingIfNeeded: field.count)))]
  }

  /// All captions, field by field.
  var all: [[UInt8]] { fields.reduce(into: []) { $0 += $1 } }

  private static func trimmed(_ text: [UInt8]) -> [UInt8] {
    func isSpace(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }
    // A file may begin with UTF-8's byte order mark.
    let text = text.starts(with: [0xEF, 0xBB, 0xBF]) ? text.dropFirst(3) : text[...]
    guard let first = text.firstIndex(where: { !isSpace($0) }), let last = text.lastIndex(where: { !isSpace($0) })
    else { return [] }
    return Array(text[first...last])
  }
}
