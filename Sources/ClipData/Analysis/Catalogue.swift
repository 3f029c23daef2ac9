import CClip
import CSystem

/// The file of modalities, kinds of alignment and gaps (docs/analysis.md). Each call reads it.
struct Catalogue {
  private let path: String
  private let root: JSON

  /// `path` nil: share/clipcore/modalities.json below the prefix in which the library is installed.
  init(_ path: String?) throws(ClipError) {
    if let path {
      self.path = path
    } else {
      guard let library = csystem_library_path(UnsafeRawPointer(clip_version())) else {
        throw ClipError(CLIP_NOT_FOUND, "path: expected a file, found none beside a library whose place is unknown")
      }
      // The libraries are in <prefix>/lib or in an architecture's folder below it.
      let folder = parent(of: ClipBase.path(library))
      let near = join(folder, "../share/clipcore/modalities.json")
      self.path = try FileKind(near) != .absent ? near : join(folder, "../../share/clipcore/modalities.json")
    }
    root = try JSON.load(self.path)
  }

  /// A difference between two modalities.
  struct PropertyGap {
    let property: Name
    let title: Name
    let values: (Name, Name)
    let challenge: Name
    /// The property's weight divided by the sum of all weights.
    var weight: Double
    /// 0 to 1.
    let gap: Double
  }

  @inline(never)
  private func wrong(_ place: Name, _ expected: StaticString, _ found: JSON?) -> ClipError {
    ClipError(CLIP_FORMAT, "\(path): \(place.string): expected \(expected), found \(found?.kind ?? "nothing")")
  }

  @inline(never)
  private func members(_ value: JSON?, _ place: Name) throws(ClipError) -> [(key: Name, value: JSON)] {
    guard let members = value?.object else { throw wrong(place, "an object", value) }
    return members
  }

  @inline(never)
  private func text(_ value: JSON?, _ place: Name) throws(ClipError) -> Name {
    guard let text = value?.string, !text.utf8.contains(0) else { throw wrong(place, "a string without NUL", value) }
    return text
  }

  /// Calls `visit` with entry, field and value for each string of a section's entries, until it returns false.
  func fields(of section: Name, _ visit: (Name, Name, Name) -> Bool) throws(ClipError) {
    for entry in try members(root[section], section) {
      for field in try members(entry.value, section + "." + entry.key) {
        let place = section + "." + entry.key + "." + field.key
        for value in field.value.array ?? [field.value] {
          guard visit(entry.key, field.key, try text(value, place)) else { return }
        }
      }
    }
  }

  /// The gaps by property, largest contribution first, and the score: the sum of weight times gap.
  func gap(_ a: Name, _ b: Name) throws(ClipError) -> [PropertyGap] {
    let profiles = (try modality(a), try modality(b))
    var gaps: [PropertyGap] = []
    var total = 0.0
    for (key, property) in try members(root["properties"], "properties") {
      let place = "properties." + key
      guard let weight = property["weight"]?.number, weight >= 0, weight <= 1e6 else {
        throw wrong(place + ".weight", "a number from 0 to 1e6", property["weight"])
      }
      let values = (
        try text(profiles.0[key], "modalities." + a + "." + key),
        try text(profiles.1[key], "modalities." + b + "." + key)
      )
      let known = (property["values"]?[values.0], property["values"]?[values.1])
      let places = (
        try numbers(known.0, place + ".values." + values.0), try numbers(known.1, place + ".values." + values.1)
      )
      guard places.0.count == places.1.count else {
        throw wrong(place + ".values." + values.1, "as many numbers as of the others", known.1)
      }
      var sum = 0.0
      for index in places.0.indices { sum += (places.0[index] - places.1[index]).magnitude }
      total += weight
      gaps.append(
        PropertyGap(
          property: key, title: try text(property["title"], place + ".title"), values: values,
          challenge: try text(property["challenge"], place + ".challenge"), weight: weight,
          gap: sum / Double(places.0.count)))
    }
    guard total > 0 else { throw wrong("properties", "a weight above 0", root["properties"]) }
    for index in gaps.indices { gaps[index].weight /= total }
    // An insertion sort, which is stable; there are few properties.
    var sorted: [PropertyGap] = []
    for gap in gaps {
      let place = sorted.firstIndex { $0.weight * $0.gap < gap.weight * gap.gap } ?? sorted.count
      sorted.insert(gap, at: place)
    }
    return sorted
  }

  private func modality(_ name: Name) throws(ClipError) -> JSON {
    if let found = root["modalities"]?[name] { return found }
    var known = ""
    for (key, _) in try members(root["modalities"], "modalities") { known += " " + key.string }
    throw ClipError(CLIP_NOT_FOUND, "\(path): no modality \"\(name.string)\"; there are\(known)")
  }

  @inline(never)
  private func numbers(_ value: JSON?, _ place: Name) throws(ClipError) -> [Double] {
    guard let elements = value?.array, !elements.isEmpty else { throw wrong(place, "a list of numbers", value) }
    var numbers: [Double] = []
    for element in elements {
      guard let number = element.number, number >= 0, number <= 1 else {
        throw wrong(place, "numbers from 0 to 1", element)
      }
      numbers.append(number)
    }
    return numbers
  }

  /// The name of a score from 0 to 1.
  func level(of score: Double) throws(ClipError) -> Name {
    guard let levels = root["levels"]?.array else { throw wrong("levels", "a list", root["levels"]) }
    for level in levels {
      guard let limit = level["below"]?.number else { throw wrong("levels.below", "a number", level["below"]) }
      if score < limit { return try text(level["name"], "levels.name") }
    }
    throw ClipError(CLIP_FORMAT, "\(path): levels: expected one for the score \(score), found none")
  }
}
