import CClip

/// Members of a tower's configuration as text. A table is data: in code each member costs 150 bytes.
extension ConfigReader {
  /// Reads a table with a line for each member: `MEMBER KIND KEY DEFAULT` takes the value at KEY, which is of KIND or
  /// absent, and `MEMBER = CONSTANT` a constant. Constants and defaults are JSON without spaces.
  func members(_ table: StaticString) throws(ClipError) -> [(key: Name, value: JSON)] {
    var members: [(key: Name, value: JSON)] = []
    for line in Array(table.bytes).split(separator: UInt8(ascii: "\n")) {
      let words = line.split(separator: UInt8(ascii: " ")).map { Name(utf8: Array($0)) }
      guard words.count >= 3, let last = words.last else { continue }
      var value = try last.utf8.withUnsafeBufferPointer { bytes throws(ClipError) in
        try JSON.parse(UnsafeRawBufferPointer(bytes), place: place)
      }
      if words.count == 4 { value = try member(words[1], words[2], value) }
      members.append((words[0], value))
    }
    return members
  }

  private func member(_ kind: Name, _ key: Name, _ fallback: JSON) throws(ClipError) -> JSON {
    let found = json[key] ?? fallback
    switch kind {
    case "flag":
      guard let value = found.bool else { throw error(CLIP_FORMAT, key, "true or false") }
      return .int(value ? 1 : 0)
    case "epsilon":
      guard let value = found.number, value >= 1e-12, value <= 1 else {
        throw error(CLIP_FORMAT, key, "a number from 1e-12 to 1")
      }
      return .double(value)
    case "activation":
      guard let name = found.string else { throw error(CLIP_FORMAT, key, "a string") }
      return .string(try HuggingFaceConfig.activation(name, self, key))
    default:
      let range = kind == "layers" ? ConfigReader.layers : ConfigReader.widths
      guard let value = found.int, range.contains(value) else {
        throw error(CLIP_FORMAT, key, "an integer from \(range.lowerBound) to \(range.upperBound)")
      }
      return .int(value)
    }
  }
}
