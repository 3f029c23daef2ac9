import ArgumentParser
import Glibc

struct Eval: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure a model: retrieval of images and captions, or zero-shot classification.",
    usage: """
      clip eval --model <dir> --data <path> ... [--caption-fields <field> ...] [<options>]
      clip eval --model <dir> --data <path> ... --zero-shot <file> [--templates <file>] [--per-class] [<options>]
      """,
    discussion: """
      Retrieval ranks all captions for each image, where any of its own counts, and all images for each \
      caption. Zero-shot makes captions of the classes with each template, and takes their mean. Its images are in \
      folders with one folder a class, in archives with the class in .cls or, with --label-field, in any data with \
      the class in that field.

        clip eval --model Models/emoji --data pairs.tar --caption-fields en en_keywords
        clip eval --model Models/emoji --data images --zero-shot classes.txt --per-class
      """)

  @OptionGroup var model: ModelOptions

  @OptionGroup var source: DataOptions

  @Option(
    help: ArgumentHelp("Classes: one a line, or JSON with \"classes\" and \"templates\".", valueName: "file"))
  var zeroShot: ByteString?

  @Option(
    help: ArgumentHelp(
      "Templates, one a line, with {} for the class (default: \(ClassList.usualTemplate)).", valueName: "file"))
  var templates: ByteString?

  @Option(
    help: ArgumentHelp(
      "The column or key that has an image's class, or cls for a file of it, with its name or its place in the list from 0.",
      valueName: "field"))
  var labelField: ByteString?

  @Flag(help: "Show each class too.")
  var perClass = false

  @Option(help: ArgumentHelp("Images to take at most: a random sample (default: all).", valueName: "n"))
  var limit: Int?

  @OptionGroup var common: CommonOptions

  mutating func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit is \(limit): expected 1 or more") }
    if zeroShot == nil {
      guard templates == nil, labelField == nil, !perClass else {
        throw ValidationError("--templates, --label-field and --per-class are for --zero-shot")
      }
    } else {
      guard source.captionFields.isEmpty else {
        throw ValidationError("--caption-fields is for retrieval: expected --label-field")
      }
    }
  }

  func run() throws {
    guard let zeroShot else { return try retrieve() }
    // Malformed files are found before the work.
    var classes = try ClassList(zeroShot)
    if let templates { classes.templates = try ClassList.templates(templates) }
    try classify(classes)
  }

  // MARK: Retrieval

  private func retrieve() throws {
    let model = try self.model.open(try common.runtime(), [.image, .text])
    let pairs = try source.pairs(model, limit: limit, workers: common.threadCount, keeping: [.texts, .allCaptions])
    var owner = [[Int]](repeating: [], count: pairs.captions.count)
    for (image, captions) in pairs.own.enumerated() {
      for caption in captions { owner[caption] = [image] }
    }
    let toText = Ranks(of: pairs.images, among: pairs.texts, width: model.width, own: pairs.own, title: "Images")
    let toImage = Ranks(of: pairs.texts, among: pairs.images, width: model.width, own: owner, title: "Captions")
    if common.json {
      let report: JSON = [
        "images": .integer(pairs.keys.count), "captions": .integer(pairs.captions.count),
        "left_out": .integer(pairs.skipped),
        "image_to_text": toText.json, "text_to_image": toImage.json,
      ]
      return try StandardOutput.write(report)
    }
    var table = Table([
      ("", .left), ("R@1", .right), ("R@5", .right), ("R@10", .right), ("median", .right), ("MRR", .right),
    ])
    for (name, ranks) in [("image to caption", toText), ("caption to image", toImage)] {
      table.add(
        [name] + [1, 5, 10].map { fixed(ranks.recall(at: $0), 4) } + [
          fixed(ranks.median, 1), fixed(ranks.meanReciprocal, 4),
        ])
    }
    try StandardOutput.write(
      "\(counted(pairs.keys.count, "image")), \(counted(pairs.captions.count, "caption")), \(pairs.skipped) left out\n"
        + table.text())
  }

  // MARK: Zero-shot

  private func classify(_ classes: ClassList) throws {
    let model = try self.model.open(try common.runtime(), [.image, .text])
    let zeroShot = try ZeroShot(model, classes, batch: source.batch.batch, options: source.encode)
    var skipped: [Skipped] = []
    var images: [Float] = []
    var own: [[Int]] = []
    var leftOut = 0
    // Archives have no folders; WebDataset stores a class in a .cls file.
    let isArchived = source.data.allSatisfy { $0.fileExtension == "tar" }
    if let field = labelField ?? (isArchived ? "cls" : nil) {
      let pairs = try source.pairs(
        model, fields: [field], limit: limit, workers: common.threadCount, keeping: [.allCaptions])
      images = pairs.images
      leftOut = pairs.skipped
      for (key, labels) in zip(pairs.keys, pairs.own) {
        own.append(
          try labels.map { try zeroShot.index(of: pairs.captions[$0], key, isNumbered: field.text == "cls") })
      }
    } else {
      let labelled = sample(try labelledImages(zeroShot, model.runtime.imageEndings, &skipped))
      var options = EncodeFilesOptions()
      options.batchSize = source.batch.batch
      options.workers = common.threadCount
      options.encode.background = source.encode.background
      let failed = try model.embed(images: labelled.map { ImageInput($0.path) }, options: options) { index, row in
        images += row
        own.append([labelled[index].index])
      }
      skipped += failed
      leftOut = skipped.count
      guard !own.isEmpty else { throw CLIPError("there is no image to classify") }
    }
    let ranks = Ranks(of: images, among: zeroShot.embeddings, width: model.width, own: own, title: "Ranks")
    let report = ZeroShotReport(classes: classes, truth: own.compactMap(\.first), ranks: ranks, leftOut: leftOut)
    if common.json {
      try StandardOutput.write(report.json(perClass: perClass))
    } else {
      try StandardOutput.write(report.text(perClass: perClass))
    }
    try finish(skipped: skipped, of: own.count + skipped.count)
  }

  /// The images of a folder with a subfolder for each class, named after the class.
  private func labelledImages(_ zeroShot: ZeroShot, _ endings: Set<String>, _ skipped: inout [Skipped]) throws -> [(
    path: ByteString, index: Int
  )] {
    var found: [(path: ByteString, index: Int)] = []
    for root in source.data {
      let names = try ImageWalk.folders(in: root)
      guard !names.isEmpty else {
        throw CLIPError("\(root.shown): expected one folder a class in it, found none; --label-field is for other data")
      }
      for name in names {
        let index = try zeroShot.index(of: name.text, root.shown)
        let walk = ImageWalk([root.appending(name.bytes)], endings: endings)
        found += walk.images.map { ($0, index) }
        skipped += walk.skipped
      }
    }
    return found
  }

  /// At most `limit` images, drawn with the seed, in the original order.
  private func sample(_ images: [(path: ByteString, index: Int)]) -> [(path: ByteString, index: Int)] {
    guard let limit, limit < images.count else { return images }
    var generator = SplitMix(state: source.seed)
    let chosen = images.indices.shuffled(using: &generator).prefix(limit).sorted()
    return chosen.map { images[$0] }
  }
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
