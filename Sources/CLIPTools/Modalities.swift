import CClip
public import CLIP

/// One property of the gap between two modalities.
public struct PropertyGap: Hashable, Sendable {
  public let property: String
  public let title: String
  /// The property of the first modality, and of the second.
  public let a: String
  public let b: String
  /// The challenge that the difference makes.
  public let challenge: String
  /// The size of the difference, 0 to 1.
  public let gap: Double
  /// All weights add up to 1.
  public let weight: Double
}

/// The gap between two modalities, by the catalogue.
public struct ModalityGap: Hashable, Sendable {
  /// Alignment difficulty, 0 to 1: the sum of weight times gap.
  public let score: Double
  /// The name of the score, such as "high".
  public let level: String
  /// Largest contribution first.
  public let properties: [PropertyGap]

  /// - Parameter catalogue: A JSON file of modalities (docs/analysis.md); nil: the installed one.
  public init(_ a: String, _ b: String, catalogue: String? = nil) throws(CLIPError) {
    var info = sized(clip_modality_gap_info(), \.struct_size)
    let list = Box<[PropertyGap]>([])
    try withCMemory { memory throws(CLIPError) in
      let (a, b) = (try memory.string(a, "a"), try memory.string(b, "b"))
      let status = clip_modality_gap(
        try memory.string(catalogue, "catalogue"), a, b, &info,
        { user, gap in
          guard let gap = gap?.pointee else { return 0 }
          Box<[PropertyGap]>.at(user)?.value.append(
            PropertyGap(
              property: string(gap.property), title: string(gap.title), a: string(gap.a), b: string(gap.b),
              challenge: string(gap.challenge), gap: gap.gap, weight: gap.weight))
          return 0
        }, list.pointer)
      try check(status)
    }
    score = info.score
    level = withUnsafeBytes(of: info.level) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    properties = list.value
  }
}

/// An entry in a section of the catalogue.
public struct CatalogueEntry: Hashable, Sendable {
  public struct Field: Hashable, Sendable {
    public let name: String
    public fileprivate(set) var values: [String]
  }

  public let name: String
  /// In the order of the file.
  public fileprivate(set) var fields: [Field]

  /// The values of a field; empty if there is no such field.
  public subscript(field: String) -> [String] { fields.first { $0.name == field }?.values ?? [] }

  /// The entries in a section of the catalogue, in the order of the file.
  ///
  /// - Parameters:
  ///   - section: "modalities", "alignment" (kinds of alignment) or "gaps" (semantic gaps).
  ///   - catalogue: A JSON file (docs/analysis.md); nil: the installed one.
  public static func all(of section: String, catalogue: String? = nil) throws(CLIPError) -> [CatalogueEntry] {
    let list = Box<[CatalogueEntry]>([])
    try withCMemory { memory throws(CLIPError) in
      let status = clip_catalogue_visit(
        try memory.string(catalogue, "catalogue"), try memory.string(section, "section"),
        { user, entry, field, value in
          Box<[CatalogueEntry]>.at(user)?.value.add(string(entry), string(field), string(value))
          return 0
        }, list.pointer)
      try check(status)
    }
    return list.value
  }
}

extension [CatalogueEntry] {
  fileprivate mutating func add(_ entry: String, _ field: String, _ value: String) {
    if last?.name != entry { append(CatalogueEntry(name: entry, fields: [])) }
    let place = count - 1
    if self[place].fields.last?.name != field { self[place].fields.append(.init(name: field, values: [])) }
    self[place].fields[self[place].fields.count - 1].values.append(value)
  }
}
