import ArgumentParser
import Glibc

struct Analyze: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure how well a model's images and captions meet, with a page to look at.",
    usage: "clip analyze --model <dir> --data <path> ... --report <dir> [--variants <file> ...] [<options>]",
    discussion: """
      Reads pairs from archives, tables or folders, at most --limit of them at random, and writes report.json and \
      report.html, one file with plots: modality gap, recall both ways, hubness, calibration and the \
      hardest pairs. Each --variants is a pipeline of JSON that augments the captions; all is measured on \
      its captions too. docs/analysis.md tells what the numbers mean.

        clip analyze --model Models/emoji --data pairs.tar --report out
      """)

  @OptionGroup var model: ModelOptions

  @OptionGroup var source: DataOptions

  @Option(help: ArgumentHelp("The folder to write to; made when it is not there.", valueName: "dir"))
  var report: ByteString

  @Option(help: ArgumentHelp("A pipeline for texts; may be repeated.", valueName: "file"))
  var variants: [ByteString] = []

  @Option(help: ArgumentHelp("Pairs to take at most, 2 to 100000: a random sample.", valueName: "n"))
  var limit = 1000

  @OptionGroup var common: CommonOptions

  mutating func validate() throws {
    guard (2...100_000).contains(limit) else { throw ValidationError("--limit is \(limit): expected 2 to 100000") }
  }

  func run() throws {
    let runtime = try common.runtime()
    let pipelines = try variants.map { path in
      (name: path.shown, pipeline: try textPipeline(runtime, path))
    }
    // A folder that cannot be written to is found before the work.
    if report.withCString({ mkdir($0, 0o777) }) != 0, errno != EEXIST {
      throw CLIPError.system("cannot make \(report.shown)")
    }
    let files = (json: report.appending(Array("report.json".utf8)), page: report.appending(Array("report.html".utf8)))
    try OutputFile.checkWritable(files.json)
    try OutputFile.checkWritable(files.page)

    let model = try self.model.open(runtime, [.image, .text])
    let pairs = try source.pairs(model, limit: limit, workers: common.threadCount, keeping: [.texts, .thumbnails])
    guard pairs.keys.count >= 2 else {
      throw CLIPError("\(counted(pairs.keys.count, "pair")) to analyze: expected at least 2")
    }
    var found = [
      CaptionAnalysis(
        name: "captions", texts: pairs.texts, analysis: try model.analyze(images: pairs.images, texts: pairs.texts))
    ]
    for (name, pipeline) in pipelines {
      var augmented: [String] = []
      for (index, caption) in pairs.captions.enumerated() {
        augmented.append(try pipeline.augment(caption, seed: source.seed, index: UInt64(index)))
      }
      let texts = try model.embed(texts: augmented, batch: source.batch.batch, options: source.encode)
      let differing = zip(augmented, pairs.captions).count { Array($0.utf8) != Array($1.utf8) }
      // Both embeddings have length 1.
      var cosine = 0.0
      for (new, old) in zip(texts, pairs.texts) { cosine += Double(new) * Double(old) }
      found.append(
        CaptionAnalysis(
          name: name, texts: texts, analysis: try model.analyze(images: pairs.images, texts: texts),
          changed: Double(differing) / Double(augmented.count), cosine: cosine / Double(augmented.count)))
    }
    let report = AnalysisReport(
      model: self.model.model.shown, data: source.data.map(\.shown), width: model.width, pairs: pairs, captions: found)
    let (json, page) = (report.json.pretty() + "\n", AnalysisPage(report).html)
    try OutputFile.write(to: files.json) { (writer) throws(CLIPError) in try writer.write(json) }
    try OutputFile.write(to: files.page) { (writer) throws(CLIPError) in try writer.write(page) }
    try StandardOutput.write(common.json ? json : summary(report) + "\n\(files.json.shown)\n\(files.page.shown)\n")
  }

  private func textPipeline(_ runtime: Runtime, _ path: ByteString) throws(CLIPError) -> Pipeline {
    let json = try ByteString(try readFile(path)).utf8
    do throws(CLIPError) {
      return try Pipeline(json, runtime: runtime)
    } catch {
      throw CLIPError(error.status, "\(path.shown): \(error.message)")
    }
  }

  private func summary(_ report: AnalysisReport) -> String {
    var table = Table([
      ("", .left), ("R@1 i>t", .right), ("R@1 t>i", .right), ("gap", .right), ("hubness i>t", .right),
      ("ECE i>t", .right),
      ("best scale", .right),
    ])
    for item in report.captions {
      let facts = item.analysis
      table.add([
        item.name, fixed(facts.imageToText.recallAt1, 3), fixed(facts.textToImage.recallAt1, 3),
        fixed(facts.gap, 3),
        fixed(facts.imageToText.hubness, 2), fixed(facts.imageToText.calibrationError, 3),
        fixed(facts.bestLogitScale, 1),
      ])
    }
    return "\(counted(report.count, "pair")), \(report.pairs.skipped) left out\n" + table.text()
  }
}
