import ArgumentParser

struct Gap: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Tell how far two modalities are apart, and what helps.",
    usage: "clip gap [<modality> <modality>] [--catalogue <file>] [--json]",
    discussion: """
      Two modalities, such as text and image, are compared by property; without any, the catalogue is \
      shown: modalities, kinds of alignment and semantic gaps. It is a JSON file to be copied and added to \
      (docs/analysis.md). What a model makes of real pairs, clip analyze measures.
      """)

  @Argument(help: ArgumentHelp("Two of text, image, audio, video, or of the catalogue's own.", valueName: "modality"))
  var modalities: [String] = []

  @Option(help: ArgumentHelp("A catalogue instead of the installed one.", valueName: "file"))
  var catalogue: ByteString?

  @Flag(help: "Write one JSON document instead of text for people.")
  var json = false

  func validate() throws {
    guard modalities.isEmpty || modalities.count == 2 else {
      throw ValidationError("\(modalities.count) modalities: expected none or two")
    }
  }

  func run() throws {
    if modalities.isEmpty { return try showCatalogue() }
    let gap = try ModalityGap(modalities[0], modalities[1], catalogue: try catalogue?.utf8)
    if json { return try StandardOutput.write(document(gap)) }
    var table = Table([
      ("property", .left), (modalities[0], .left), (modalities[1], .left), ("gap", .right), ("weight", .right),
      ("counts", .right),
    ])
    for item in gap.properties {
      table.add([
        visible(item.title), visible(item.a), visible(item.b), fixed(item.gap, 2), fixed(item.weight, 2),
        fixed(item.gap * item.weight, 3),
      ])
    }
    var text = table.text() + "\nAlignment difficulty \(fixed(gap.score, 2)) of 1: \(visible(gap.level))\n"
    let challenges = mainChallenges(gap)
    if !challenges.isEmpty { text += "\nMain challenges\n" }
    for item in challenges { text += "  \(visible(item.title)): \(visible(item.challenge))\n" }
    try StandardOutput.write(text)
  }

  /// At most three properties: those with the largest contribution, which is above 0.
  private func mainChallenges(_ gap: ModalityGap) -> ArraySlice<PropertyGap> {
    gap.properties.filter { $0.gap * $0.weight > 0 }.prefix(3)
  }

  private func document(_ gap: ModalityGap) -> JSON {
    [
      "a": .string(modalities[0]), "b": .string(modalities[1]), "score": .double(gap.score),
      "level": .string(gap.level),
      "properties": .array(
        gap.properties.map { item -> JSON in
          [
            "property": .string(item.property), "title": .string(item.title), "a": .string(item.a),
            "b": .string(item.b), "gap": .double(item.gap), "weight": .double(item.weight),
            "challenge": .string(item.challenge),
          ]
        }),
      "main_challenges": .strings(mainChallenges(gap).map(\.property)),
    ]
  }

  private static let sections = [
    ("modalities", "Modalities"), ("alignment", "Kinds of alignment"), ("gaps", "Semantic gaps"),
  ]

  private func showCatalogue() throws {
    var members: [(key: String, value: JSON)] = []
    var text = ""
    for (name, title) in Gap.sections {
      let entries = try CatalogueEntry.all(of: name, catalogue: try catalogue?.utf8)
      members.append(
        (
          name,
          .object(
            entries.map { entry in
              (
                entry.name,
                .object(
                  entry.fields.map { ($0.name, $0.values.count == 1 ? .string($0.values[0]) : .strings($0.values)) })
              )
            })
        ))
      text += (text.isEmpty ? "" : "\n") + title + "\n"
      for entry in entries {
        text += "  \(visible(entry.name)): \(visible(entry["title"].first ?? ""))\n"
        for field in entry.fields where field.name != "title" {
          text +=
            "    \(visible(String(field.name.map { $0 == "_" ? " " : $0 }))): \(visible(field.values.joined(separator: "; ")))\n"
        }
      }
    }
    try StandardOutput.write(json ? JSON.object(members).pretty() + "\n" : text)
  }
}
