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
    var parents: [ByteString: ByteString] = [:]
    var similarities: [ByteString: Float] = [:]
    func first(_ path: ByteString) -> ByteString {
      var path = path
      while let parent = parents[path], parent != path {
        if let above = parents[parent] { parents[path] = above }
        path = parent
      }
      return path
    }
    try forEachPair(index) { pair in
      let (a, b) = (first(pair.a.path), first(pair.b.path))
      parents[max(a, b)] = min(a, b)
      parents[min(a, b)] = min(a, b)
      similarities[min(a, b)] = [similarities[a], similarities[b], pair.a.score].compactMap { $0 }.max()
    }
    var groups: [ByteString: Group] = [:]
    for path in parents.keys.sorted() {
      let root = first(path)
      groups[root, default: ([], similarities[root] ?? 0)].images.append(path)
    }
    return groups.values.sorted { ($1.similarity, $0.images[0]) < ($0.similarity, $1.images[0]) }
  }

  private func forEachPair(
    _ index: EmbeddingIndex, _ body: (_ pair: (a: IndexEntry, b: IndexEntry)) -> Void
  ) throws(CLIPError) {
    let bar = ProgressBar("Comparing", total: try index.count())
    defer { bar.finish() }
    do throws(CLIPError) {
      let progress: ProgressHandler = { done, _ in
        bar.update(min(done, bar.total))
        return !Interruption.isAsked
      }
      try index.forEachDuplicate(threshold: threshold, count: Int(UInt32.max), progress: progress) { a, b in
        body((a, b))
        return !Interruption.isAsked
      }
    } catch {
      guard error.status == .cancelled else { throw error }
    }
    if Interruption.isAsked { throw CLIPError(.cancelled, "interrupted") }
  }
}
