import CClip
@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// The file of modalities.
@Suite struct CatalogueTests {
  func gap(_ path: String?, _ a: String, _ b: String) throws -> ModalityGap {
    try ModalityGap(a, b, catalogue: path)
  }

  func fields(_ path: String?, _ section: String) throws -> [[String]] {
    try CatalogueEntry.all(of: section, catalogue: path).flatMap { entry in
      entry.fields.flatMap { field in field.values.map { [entry.name, field.name, $0] } }
    }
  }

  /// The file that comes with the library.
  @Test func theInstalledCatalogue() throws {
    let info = try gap(nil, "text", "image")
    let properties = info.properties
    #expect(abs(info.score - 0.82) < 1e-9)
    #expect(info.level == "very high")
    #expect(properties.count == 6)
    #expect(abs(properties.reduce(0) { $0 + $1.weight } - 1) < 1e-12)
    #expect(abs(properties.reduce(0) { $0 + $1.weight * $1.gap } - info.score) < 1e-12)
    let counts = properties.map { $0.weight * $0.gap }
    #expect(counts == counts.sorted(by: >))
    let scores: [(String, String, Double)] = [
      ("text", "audio", 0.62), ("text", "video", 0.863), ("image", "audio", 0.46), ("image", "video", 0.317),
    ]
    for (a, b, score) in scores {
      let there = try gap(nil, a, b)
      let back = try gap(nil, b, a)
      #expect(abs(there.score - score) < 1e-3 && there.score == back.score, "\(a) \(b) \(there.score)")
    }
    let none = try gap(nil, "video", "video")
    #expect(none.score == 0)
    #expect(none.level == "low")
    let sections: [(String, [String])] = [
      ("modalities", ["text", "image", "audio", "video"]),
      ("alignment", ["object", "scene", "action", "emotion", "abstract"]),
      ("gaps", ["granularity", "perspective", "temporal", "cultural"]),
    ]
    for (section, entries) in sections {
      let found = try fields(nil, section)
      // Each is linked to what there is for it.
      for entry in entries { #expect(found.contains { $0[0] == entry && $0[1] == "offers" }, "\(entry)") }
      #expect(Set(found.map { $0[0] }) == Set(entries))
    }
  }

  /// What the smallest catalogue is; a modality is added by writing it down.
  static let small = """
    {"properties": {"p": {"title": "P", "weight": 3, "challenge": "c", "values": {"x": [0, 0], "y": [1, 0.5]}},
                    "q": {"title": "Q", "weight": 1, "challenge": "d", "values": {"x": [0], "y": [1]}}},
     "levels": [{"name": "little", "below": 0.5}, {"name": "a level with a name of more than thirty-one bytes", "below": 2}],
     "modalities": {"a": {"p": "x", "q": "x"}, "b": {"p": "y", "q": "x"}, "smell": {"p": "x", "q": "y"}},
     "gaps": {"g": {"title": "G", "list": ["1", "2"]}}}
    """

  @Test func aCatalogueOfOnesOwn() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("c.json").path
    try Data(Self.small.utf8).write(to: URL(filePath: path))
    let info = try gap(path, "a", "b")
    let properties = info.properties
    #expect(abs(info.score - 0.5625) < 1e-12)
    #expect(info.level == "a level with a name of more tha")
    #expect(properties[0].property == "p")
    let other = try gap(path, "a", "smell")
    #expect(other.score == 0.25 && other.level == "little" && other.properties.map(\.property) == ["q", "p"])
    #expect(try fields(path, "gaps") == [["g", "title", "G"], ["g", "list", "1"], ["g", "list", "2"]])
  }

  @Test func malformedCatalogues() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("c.json").path
    func status(_ text: String, _ a: String = "a", _ b: String = "b") throws -> CLIPStatus? {
      try Data(text.utf8).write(to: URL(filePath: path))
      do { _ = try gap(path, a, b) } catch { return (error as? CLIPError)?.status }
      return nil
    }
    #expect(try status(Self.small) == nil)
    #expect(try status(Self.small, "a", "taste") == .notFound)
    #expect(String(cString: clip_last_error()).contains("there are a b smell"))
    for text in ["", "[]", "null", "{}", "{\"properties\": 1}", String(Self.small.dropLast(3)), "\u{0}"] {
      #expect(try status(text) == .format || text == "{}", "\(text)")
    }
    let changes: [(String, String)] = [
      ("\"weight\": 3", "\"weight\": -3"), ("\"weight\": 3", "\"weight\": \"3\""),
      ("\"weight\": 3", "\"weight\": 1e300"),
      ("[1, 0.5]", "[1]"), ("[1, 0.5]", "[1, 2]"), ("[1, 0.5]", "[]"), ("[1, 0.5]", "7"), ("[1, 0.5]", "[1, null]"),
      ("\"title\": \"P\"", "\"title\": 4"), ("\"title\": \"P\"", "\"title\": \"a\\u0000b\""),
      ("\"p\": \"y\"", "\"p\": \"z\""),
      ("\"b\": {\"p\": \"y\", ", "\"b\": {"), ("\"below\": 2", "\"below\": 0.1"),
      ("\"levels\": [", "\"levels\": 1, \"x\": ["),
      ("\"p\": {\"title\"", "\"q\": {\"title\""), ("\"challenge\": \"c\", ", ""),
    ]
    for (old, new) in changes {
      #expect(Self.small.contains(old))
      #expect(try status(Self.small.replacing(old, with: new)) == .format, "\(new)")
    }
    let weightless = Self.small.replacing("\"weight\": 3", with: "\"weight\": 0").replacing(
      "\"weight\": 1", with: "\"weight\": 0")
    #expect(try status(weightless) == .format)
    for text in [
      "{\"gaps\": {\"g\": {\"t\": 1}}}", "{\"gaps\": {\"g\": \"t\"}}", "{\"gaps\": []}", "{}",
      "{\"gaps\": {\"g\": {\"t\": [[]]}}}",
    ] {
      try Data(text.utf8).write(to: URL(filePath: path))
      #expect(throws: CLIPError.self) { try fields(path, "gaps") }
    }
    #expect(throws: CLIPError.self) { try gap("/nowhere/c.json", "a", "b") }
    #expect(throws: CLIPError.self) { try fields(nil, "no such section") }
    var info = clip_modality_gap_info()
    info.struct_size = size(of: clip_modality_gap_info.self)
    #expect(clip_modality_gap(nil, nil, "text", &info, nil, nil) == CLIP_INVALID_ARGUMENT)
    #expect(clip_modality_gap(nil, "text", nil, &info, nil, nil) == CLIP_INVALID_ARGUMENT)
    #expect(clip_modality_gap(nil, "text", "image", nil, nil, nil) == CLIP_INVALID_ARGUMENT)
    #expect(clip_modality_gap(nil, "text", "image", &info, nil, nil) == CLIP_OK)
    #expect(clip_catalogue_visit(nil, "gaps", nil, nil) == CLIP_INVALID_ARGUMENT)
    #expect(clip_catalogue_visit(nil, nil, { _, _, _, _ in 0 }, nil) == CLIP_INVALID_ARGUMENT)
  }
}
