import ArgumentParser

struct Duplicates: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Find images of an index that look nearly the same.",
    usage: "clip duplicates [--threshold <cosine>] [<options>]",
    discussion: """
      Prints groups of images; each has, with some other image of its group, a cosine similarity of at least the \
      threshold. Compares what is in the index, which clip index brings up to date.

        clip duplicates --threshold 0.98
      """)

  @OptionGroup var place: IndexOptions

  @Option(help: ArgumentHelp("The least cosine similarity, above 0 to 1.", valueName: "cosine"))
  var threshold: Float = 0.95

  @Flag(help: "Print paths alone, a line for each, with an empty line between groups.")
  var paths = false

  @OptionGroup var common: CommonOptions

  private typealias Group = (images: [ByteString], similarity: Float)

  mutating func validate() throws {
    guard threshold > 0, threshold <= 1 else {
      throw ValidationError("--threshold is \(threshold): expected a number above 0, to 1")
    }
    guard !(paths && common.json) else { throw ValidationError("--paths and --json: expected one of them") }
  }

  func run() throws {
    let index = try OpenIndex.existing(place.path(), common.runtime(), readOnly: true)
    Interruption.watch()
    let groups = try groups(index)
    if common.json {
      try StandardOutput.write([
        "threshold": .float(threshold), "searched": .integer(try index.count()),
        "groups": .array(
          groups.map {
            ["similarity": .float($0.similarity), "images": .array($0.images.map { .path($0) })]
          }),
      ])
    } else if paths {
      let lines = groups.map { $0.images.flatMap { $0.bytes + Array("\n".utf8) } }
      try StandardOutput.write(bytes: Array(lines.joined(separator: Array("\n".utf8))))
    } else {
      for (number, group) in groups.enumerated() {
        try StandardOutput.write(
          "\(number == 0 ? "" : "\n")\(counted(group.images.count, "image")), similarity \(fixed(Double(group.similarity), 4))\n"
            + group.images.map { "  \($0.shown)\n" }.joined())
      }
    }
  }

  /// Connected sets of images, those with the nearest pair first.
  private func groups(_ index: EmbeddingIndex) throws(CLIPError) -> [Group] {
    let bar = ProgressBar("Comparing", total: try index.count())
    defer { bar.finish() }
    let progress: ProgressHandler = { done, _ in
      bar.update(min(done, bar.total))
      return !Interruption.isAsked
    }
    do throws(CLIPError) {
      return try index.groups(threshold: threshold, progress: progress).map { entries in
        (entries.map(\.path), entries.map(\.score).max() ?? 0)
      }
    } catch {
      guard error.status == .cancelled else { throw error }
      throw CLIPError(.cancelled, "interrupted")
    }
  }
}
