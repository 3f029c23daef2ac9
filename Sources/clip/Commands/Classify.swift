import ArgumentParser
import Glibc

struct Classify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say which of some labels fits each image.",
    usage: """
      clip classify --model <dir> <image> ... --label <text> ...
          [--template <text>] [--top <n>] [<options>]
      """,
    discussion: """
      Prints the probability of every label for every image, the likeliest first. CLIP was trained on \
      captions, so labels in a sentence often do better: see --template.

        clip classify --model Models/emoji a.png b.png --label cat dog
      """)

  @OptionGroup var model: ModelOptions

  @Argument(help: ArgumentHelp("Images, or folders of them; before --label.", valueName: "image"))
  var images: [ByteString] = []

  @Option(parsing: .upToNextOption, help: ArgumentHelp("Labels to choose from.", valueName: "text"))
  var label: [ByteString] = []

  @Option(help: ArgumentHelp("The caption to make of a label, which goes where {} is.", valueName: "text"))
  var template = ByteString("{}")

  @Option(help: ArgumentHelp("How many of the likeliest labels to show (default: all).", valueName: "n"))
  var top: Int?

  @OptionGroup var imageOptions: ImageOptions
  @OptionGroup var texts: TextOptions
  @OptionGroup var batch: BatchOptions
  @OptionGroup var common: CommonOptions

  mutating func validate() throws {
    guard !label.isEmpty else { throw ValidationError("no label: expected --label and one or more texts") }
    guard !images.isEmpty else { throw ValidationError("no image: expected one or more before --label") }
    if let top, top < 1 { throw ValidationError("--top is \(top): expected 1 or more") }
    guard caption(ByteString("")) != template else {
      throw ValidationError("--template is \(quoted(template.text)): expected {} where the label goes")
    }
  }

  func run() throws {
    let runtime = try common.runtime()
    // --label takes every argument up to the next option, even images.
    for text in label where runtime.imageEndings.contains(text.fileExtension) {
      if text.withCString({ access($0, F_OK) }) == 0 {
        throw ValidationError("label \(quoted(text.text)) is an image: give images before --label")
      }
    }
    let found = try findImages(images, runtime)
    let model = try self.model.open(runtime, [.image, .text])
    let captions = try model.embed(texts: try label.map(caption).utf8, batch: batch.batch, options: texts.encode)
    var rows: [(name: ByteString, embedding: [Float])] = []
    let options = imageOptions.encode(batch: batch.batch, threads: common.threadCount)
    let failed = try model.embed(images: found.inputs, options: options) { index, embedding in
      rows.append((found.inputs[index].name, embedding))
    }
    let skipped = found.skipped + failed
    let ranked = try rows.map { row in
      (row.name, ranking(try model.classify(images: row.embedding, texts: captions)))
    }
    try StandardOutput.write(common.json ? json(ranked, skipped, found).pretty() + "\n" : tables(ranked))
    try finish(skipped: skipped, of: found.inputs.count + found.skipped.count)
  }

  /// The template with every {} replaced by the label.
  private func caption(_ label: ByteString) -> ByteString {
    var bytes: [UInt8] = []
    var rest = template.bytes[...]
    while let byte = rest.first {
      if rest.starts(with: [UInt8(ascii: "{"), UInt8(ascii: "}")]) {
        bytes += label.bytes
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
        rest = rest.dropFirst()
      }
    }
    return ByteString(bytes)
  }

  /// Labels in order of decreasing probability; equal ones in the given order.
  private func ranking(_ probabilities: [Float]) -> [(label: ByteString, probability: Float)] {
    zip(label, probabilities).enumerated()
      .sorted { ($1.element.1, $0.offset) < ($0.element.1, $1.offset) }
      .prefix(top ?? label.count)
      .map { ($0.element.0, $0.element.1) }
  }

  private typealias Ranked = [(image: ByteString, labels: [(label: ByteString, probability: Float)])]

  private func tables(_ ranked: Ranked) -> String {
    ranked.map { image, labels in
      var table = Table([("", .right), ("", .left)])
      for (label, probability) in labels {
        table.add(["\(fixed(Double(probability) * 100, 2)) %", label.shown])
      }
      return image.shown + "\n" + table.text(indent: 2)
    }.joined(separator: "\n")
  }

  private func json(_ ranked: Ranked, _ skipped: [Skipped], _ found: FoundImages) -> JSON {
    let images = ranked.map { image, labels -> JSON in
      [
        "image": .path(image),
        "labels": .array(labels.map { ["label": .string($0.label.text), "probability": .float($0.probability)] }),
      ]
    }
    return ["images": .array(images), "skipped": .array(skipped.map(\.json)), "left_out": found.leftOutJSON]
  }
}
