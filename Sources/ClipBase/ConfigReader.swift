import CClip

/// One object of a config file. Reads are typed and checked for range; an error names file, key and value. A null value
/// counts as absent, as in Hugging Face's and open_clip's readers.
package struct ConfigReader {
  package let json: JSON
  /// The file.
  package let place: String
  /// The path of the object in the file: "" or "vision_config.".
  package let prefix: String

  package init(_ json: JSON, place: String, prefix: String = "") throws(ClipError) {
    guard json.object != nil else {
      throw ClipError(CLIP_FORMAT, "\(place): \(prefix)expected an object, found \(json.kind)")
    }
    self.json = json
    self.place = place
    self.prefix = prefix
  }

  package init(path: String) throws(ClipError) {
    try self.init(try JSON.load(path), place: path)
  }

  /// Sides of images in pixels, and other sides of a grid. The rows of a grid fit 32 bits.
  package static var sides: ClosedRange<Int> { 1...16384 }
  /// Widths of activations, and counts such as heads.
  package static var widths: ClosedRange<Int> { 1...(1 << 20) }
  package static var layers: ClosedRange<Int> { 1...1024 }

  package func has(_ key: StaticString) -> Bool { json[key] != nil }
  /// Whether the key is present with the value null, for keys where that differs from an absent one.
  package func isNull(_ key: StaticString) -> Bool {
    for member in json.object ?? [] where member.key == key {
      if case .null = member.value { return true }
    }
    return false
  }

  package func error(_ status: clip_status, _ key: StaticString, _ expected: String) -> ClipError {
    error(status, Name(stringLiteral: key), expected)
  }
  @_disfavoredOverload
  package func error(_ status: clip_status, _ key: Name, _ expected: String) -> ClipError {
    let found = json[key].map { $0.kind } ?? "nothing"
    return ClipError(status, "\(place): \(prefix)\(key.string): expected \(expected), found \(found)")
  }

  /// An integer in `range`. If the key is absent, `fallback`, or an error if that is nil.
  package func int(_ key: StaticString, _ fallback: Int?, _ range: ClosedRange<Int>) throws(ClipError) -> Int {
    if json[key] == nil, let fallback { return fallback }
    guard let value = json[key]?.int, range.contains(value) else {
      throw error(CLIP_FORMAT, key, "an integer from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  package func number(_ key: StaticString, _ fallback: Double, _ range: ClosedRange<Double>) throws(ClipError) -> Double
  {
    if json[key] == nil { return fallback }
    guard let value = json[key]?.number, range.contains(value) else {
      throw error(CLIP_FORMAT, key, "a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  package func bool(_ key: StaticString, _ fallback: Bool) throws(ClipError) -> Bool {
    if json[key] == nil { return fallback }
    guard let value = json[key]?.bool else { throw error(CLIP_FORMAT, key, "true or false") }
    return value
  }

  package func string(_ key: StaticString, _ fallback: Name) throws(ClipError) -> Name {
    if json[key] == nil { return fallback }
    guard let value = json[key]?.string else { throw error(CLIP_FORMAT, key, "a string") }
    return value
  }

  /// The object at `key`; nil if it is absent.
  package func object(_ key: StaticString) throws(ClipError) -> ConfigReader? {
    guard let value = json[key] else { return nil }
    guard value.object != nil else { throw error(CLIP_FORMAT, key, "an object") }
    return try ConfigReader(value, place: place, prefix: prefix + "\(key).")
  }

  /// One integer for both sides, [side], or [height, width].
  package func sides(_ key: StaticString, _ fallback: Sides) throws(ClipError) -> Sides {
    guard let value = json[key] else { return fallback }
    let expected = "an integer or [height, width], from 1 to \(ConfigReader.sides.upperBound)"
    let elements = value.array ?? [value]
    guard let height = elements.first?.int, let width = elements.last?.int, elements.count <= 2,
      ConfigReader.sides.contains(height), ConfigReader.sides.contains(width)
    else { throw error(CLIP_FORMAT, key, expected) }
    return Sides(height: height, width: width)
  }

  /// Red, green and blue, each finite; one number stands for all three.
  package func channels(_ key: StaticString, _ fallback: [Float], zeroAllowed: Bool) throws(ClipError) -> [Float] {
    guard let value = json[key] else { return fallback }
    let expected = zeroAllowed ? "three numbers from -1e6 to 1e6" : "three numbers of magnitude 1e-6 to 1e6"
    let elements = value.array ?? [value, value, value]
    var channels: [Float] = []
    for element in elements {
      guard let number = element.number, number.magnitude <= 1e6, zeroAllowed || number.magnitude >= 1e-6 else { break }
      channels.append(Float(number))
    }
    guard elements.count == 3, channels.count == 3 else {
      throw error(CLIP_FORMAT, key, expected)
    }
    return channels
  }

  /// Throws unless `part`, the value of `partKey`, divides `whole`, the value of `wholeKey`.
  package func divides(_ part: Int, _ partKey: StaticString, _ whole: Int, _ wholeKey: StaticString) throws(ClipError) {
    guard whole % part == 0 else {
      throw ClipError(
        CLIP_FORMAT,
        "\(place): \(prefix)\(wholeKey) \(whole) is not a multiple of \(prefix)\(partKey) \(part)")
    }
  }
}

/// Height and width in pixels.
package struct Sides: Equatable {
  package let height: Int
  package let width: Int

  package init(height: Int, width: Int) {
    self.height = height
    self.width = width
  }

  package init(_ side: Int) { self.init(height: side, width: side) }

  /// "224 x 224", height first as configs have it.
  package var text: String { "\(height) x \(width)" }
}
