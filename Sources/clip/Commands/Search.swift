import ArgumentParser
import Glibc

struct Search: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Find the images of an index that fit a text or an image best.",
    usage: "clip search <query> [+ <query> ...] [--top <n>] [<options>]",
    discussion: """
      A query is a text, an image file, or a sum of them with weights. Prints the best images with their cosine \
      similarity, from -1 to 1. Images that are new or changed since the last time are embedded first; \
      clip index makes the index.

        clip search "two dogs on a beach" --top 5
        clip search "2:cat" + ./sofa.jpg - "dog"
      """)

  @OptionGroup var update: UpdateOptions
  @OptionGroup var place: IndexOptions

  @Argument(help: "Texts and images, + or - between them, a weight and a colon before them.")
  var query: [ByteString]

  @Option(help: ArgumentHelp("How many images to show.", valueName: "n"))
  var top = 10

  @Option(help: ArgumentHelp("Show images of at least this similarity alone, -1 to 1.", valueName: "cosine"))
  var threshold: Float?

  @Option(
    name: .customLong("in"), help: ArgumentHelp("Show images in this folder alone. May be repeated.", valueName: "dir"))
  var folders: [ByteString] = []

  @Flag(help: "Search the index as it is.")
  var noUpdate = false

  @Flag(help: "Print paths alone, a line for each.")
  var paths = false

  @OptionGroup var texts: TextOptions
  @OptionGroup var common: CommonOptions

  mutating func validate() throws {
    guard (1...1_000_000).contains(top) else {
      throw ValidationError("--top is \(top): expected 1 to 1000000")
    }
    if let threshold, !(-1...1).contains(threshold) {
      throw ValidationError("--threshold is \(threshold): expected -1 to 1")
    }
    guard !(paths && common.json) else { throw ValidationError("--paths and --json: expected one of them") }
  }

  func run() throws {
    let runtime = try common.runtime()
    let query = try Query(self.query, endings: runtime.imageEndings)
    let open = try OpenIndex(place.path(), runtime, update, threads: common.threadCount, creates: false)
    // Folders are scanned while the model is opened and embeds the query.
    var scanned = Result<IndexUpdate?, CLIPError>.success(nil)
    let scan = noUpdate ? nil : Background { scanned = Result { () throws(CLIPError) in try open.scanIfFree() } }
    let embedding = try embed(query, open)
    let folders = self.folders.map { folder in (try? folder.real) ?? folder }
    // The rows are read at the same time. They are the result if nothing has changed.
    let isIn =
      folders.isEmpty ? nil : { (entry: IndexEntry) in folders.contains { entry.path.isBelow($0) } }
    var matches = try open.index.search(embedding, count: top, threshold: threshold, filter: isIn)
    scan?.wait()
    let report = if let update = try scanned.get() { try finish(update, open) } else { IndexUpdate.Report?.none }
    if report?.isChange == true {
      matches = try open.index.search(embedding, count: top, threshold: threshold, filter: isIn)
    }
    if common.json {
      try StandardOutput.write(json(matches, open, searched: try open.index.count(), report))
    } else if paths {
      try StandardOutput.write(bytes: matches.flatMap { $0.path.bytes + Array("\n".utf8) })
    } else {
      try StandardOutput.write(table(matches))
    }
  }

  /// Makes the changes that the scan found.
  private func finish(_ update: consuming IndexUpdate, _ open: OpenIndex) throws(CLIPError) -> IndexUpdate.Report {
    Interruption.watch()
    try open.run(&update)
    if update.report.isWorthTelling {
      update.report.tellWarnings()
      Console.shared.line(update.report.line(images: try open.index.count()))
    }
    guard !update.report.isInterrupted else { throw CLIPError(.cancelled, "interrupted") }
    return update.report
  }

  /// The weighted sum of the terms' unit embeddings.
  private func embed(_ query: Query, _ open: OpenIndex) throws(CLIPError) -> [Float] {
    var sum = [Float](repeating: 0, count: open.index.width)
    func add(_ rows: [Float], _ terms: [Query.Term]) {
      for (row, term) in terms.enumerated() {
        for column in sum.indices { sum[column] += term.weight * rows[row * sum.count + column] }
      }
    }
    let captions = query.terms.filter { $0.kind == .text }
    if !captions.isEmpty {
      let model = try open.open(.text)
      add(
        try model.embed(texts: try captions.map(\.value).utf8, batch: captions.count, options: texts.encode), captions)
    }
    var unknown: [Query.Term] = []
    for term in query.terms where term.kind == .image {
      if let row = try open.indexed(term.value) { add(row, [term]) } else { unknown.append(term) }
    }
    if !unknown.isEmpty {
      let model = try open.open(.image)
      _ = try model.embed(images: unknown.map { ImageInput($0.value) }, options: open.encode) {
        (position, result) throws(CLIPError) in
        switch result {
        case .success(let row): add(Array(row), [unknown[position]])
        case .failure(let error): throw error
        }
      }
    }
    guard sum.contains(where: { $0 != 0 }), sum.allSatisfy(\.isFinite) else {
      throw CLIPError("the terms of the query add up to nothing: expected a sum other than 0")
    }
    return sum
  }

  private func table(_ matches: [IndexEntry]) -> String {
    guard !matches.isEmpty else { return "" }
    var table = Table([("rank", .right), ("similarity", .right), ("image", .left)])
    for (index, match) in matches.enumerated() {
      table.add(["\(index + 1)", fixed(Double(match.score), 4), match.path.shown])
    }
    return table.text()
  }

  private func json(
    _ matches: [IndexEntry], _ open: OpenIndex, searched: Int, _ report: IndexUpdate.Report?
  ) -> JSON {
    let list = matches.enumerated().map { index, match -> JSON in
      ["rank": .integer(index + 1), "image": .path(match.path), "similarity": .float(match.score)]
    }
    return [
      "query": .strings(query.map(\.text)), "searched": .integer(searched), "results": .array(list),
      "update": report.map { $0.json(open.path, images: searched) } ?? .null,
    ]
  }
}
