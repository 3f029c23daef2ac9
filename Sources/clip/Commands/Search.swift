import ArgumentParser

struct Search: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Find the images of a folder that fit a sentence best.",
    usage: "clip search --model <dir> <folder> <query> [--top <n>] [<options>]",
    discussion: """
      Prints the best images with their cosine similarity to the sentence, from -1 to 1.

        clip search --model Models/emoji photos "two dogs on a beach" --top 5
      """)

  @OptionGroup var model: ModelOptions

  @Argument(help: "The folder of images, walked with the folders in it.")
  var folder: ByteString

  @Argument(help: "The sentence.")
  var query: ByteString

  @Option(help: ArgumentHelp("How many images to show.", valueName: "n"))
  var top = 10

  @OptionGroup var texts: TextOptions
  @OptionGroup var batch: BatchOptions
  @OptionGroup var common: CommonOptions

  mutating func validate() throws {
    guard top >= 1 else { throw ValidationError("--top is \(top): expected 1 or more") }
  }

  func run() throws {
    let runtime = try common.runtime()
    let found = try findImages([folder], runtime)
    let model = try self.model.open(runtime, [.image, .text])
    let sentence = try model.embed(texts: [try query.utf8], batch: 1, options: texts.encode)
    var scores: [(index: Int, similarity: Float)] = []
    let encode = ImageOptions().encode(batch: batch.batch, threads: common.threadCount)
    let failed = try model.embed(images: found.inputs, options: encode) { index, row in
      // Both have length 1: their dot product is the cosine.
      scores.append((index, zip(row, sentence).reduce(0) { $0 + $1.0 * $1.1 }))
    }
    let skipped = found.skipped + failed
    let best = scores.sorted { ($1.similarity, $0.index) < ($0.similarity, $1.index) }.prefix(top)
    let results = best.map { (image: found.images[$0.index], similarity: $0.similarity) }
    try StandardOutput.write(
      common.json ? json(results, searched: scores.count, skipped).pretty() + "\n" : table(results))
    try finish(skipped: skipped, of: found.images.count + found.skipped.count)
  }

  private func table(_ results: [(image: ByteString, similarity: Float)]) -> String {
    guard !results.isEmpty else { return "" }
    var table = Table([("rank", .right), ("similarity", .right), ("image", .left)])
    for (index, result) in results.enumerated() {
      table.add(["\(index + 1)", fixed(Double(result.similarity), 4), result.image.shown])
    }
    return table.text()
  }

  private func json(
    _ results: [(image: ByteString, similarity: Float)], searched: Int, _ skipped: [Skipped]
  ) -> JSON {
    let list = results.enumerated().map { index, result -> JSON in
      [
        "rank": .integer(index + 1), "image": .string(result.image.text), "similarity": .float(result.similarity),
      ]
    }
    return [
      "query": .string(query.text), "searched": .integer(searched), "results": .array(list),
      "skipped": .array(skipped.map(\.json)),
    ]
  }
}
