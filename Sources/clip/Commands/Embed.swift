import ArgumentParser
import Glibc

struct Embed: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write embeddings of images and texts to a file.",
    usage: """
      clip embed --model <dir> [--image <file|dir> ...] [--text <text> ...]
          [--text-file <file>] --output <file> [<options>]
      """,
    discussion: """
      The file's ending chooses its format:
        .safetensors  tensors image_embeds and text_embeds; names in metadata
        .npy          one float32 array, of images or of texts
        .jsonl        a line {"kind", "name", "embedding"} for each
      Rows are in the order of the input; folders are walked in the order of their names. An image that \
      cannot be read is reported and left out.

        clip embed --model Models/emoji --image photos --output photos.npy
      """)

  @OptionGroup var model: ModelOptions

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Images, or folders of them.", valueName: "file|dir"))
  var image: [ByteString] = []

  @Option(parsing: .upToNextOption, help: ArgumentHelp("Texts.", valueName: "text"))
  var text: [ByteString] = []

  @Option(
    help: ArgumentHelp("A file with a text a line, after those of --text; - is standard input.", valueName: "file"))
  var textFile: ByteString?

  @Option(
    name: .shortAndLong, help: ArgumentHelp("The file to write: .safetensors, .npy or .jsonl.", valueName: "file"))
  var output: ByteString

  @Flag(help: "Write features as the model gives them, not scaled to length 1.")
  var raw = false

  @OptionGroup var texts: TextOptions
  @OptionGroup var batch: BatchOptions
  @OptionGroup var common: CommonOptions

  private enum Format: String {
    case safetensors, npy, jsonl
  }

  mutating func validate() throws {
    guard let format = Format(rawValue: output.fileExtension) else {
      throw ValidationError("--output is \(output.shown): expected a name ending in .safetensors, .npy or .jsonl")
    }
    let hasTexts = !text.isEmpty || textFile != nil
    guard hasTexts || !image.isEmpty else {
      throw ValidationError("nothing to embed: expected --image, --text or --text-file")
    }
    if format == .npy && hasTexts && !image.isEmpty {
      throw ValidationError("a .npy file holds one array: give images or texts, or write .safetensors or .jsonl")
    }
  }

  func run() throws {
    try OutputFile.checkWritable(output)
    let captions = try (text + (try textFile.map { try TextLines.read($0) } ?? [])).utf8
    let runtime = try common.runtime()
    let found = image.isEmpty ? (images: [], skipped: []) : try findImages(image, runtime)
    var towers: Towers = []
    if !captions.isEmpty { towers.insert(.text) }
    if !found.images.isEmpty { towers.insert(.image) }
    let model = try self.model.open(runtime, towers)
    var options = texts.encode
    options.raw = raw

    // Texts first: one that is too long is found before hours of images.
    let textSet = try embedTexts(captions, model, options)
    var imageSet = EmbeddingSet(.image, width: model.width, capacity: found.images.count)
    let failed = try model.embed(
      images: found.images, batch: batch.batch, threads: common.threadCount, options: options
    ) { imageSet.append(found.images[$0].text, $1) }
    let sets = [imageSet, textSet].filter { !$0.names.isEmpty }
    guard !sets.isEmpty else { throw CLIPError("no image could be read: \(output.shown) is not written") }
    try OutputFile.write(to: output) { writer throws(CLIPError) in try write(sets, to: writer) }

    let skipped = found.skipped + failed
    try report(images: imageSet.names.count, texts: textSet.names.count, width: model.width, skipped)
    try finish(skipped: skipped, of: found.images.count + found.skipped.count)
  }

  private func embedTexts(_ captions: [String], _ model: Model, _ options: EncodeOptions) throws -> EmbeddingSet {
    var set = EmbeddingSet(.text, width: model.width, capacity: captions.count)
    let rows = try model.embed(texts: captions, batch: batch.batch, options: options)
    for (index, caption) in captions.enumerated() {
      set.append(caption, rows[(index * model.width)..<((index + 1) * model.width)])
    }
    return set
  }

  private func write(_ sets: [EmbeddingSet], to writer: FileWriter) throws(CLIPError) {
    switch Format(rawValue: output.fileExtension) {
    case .safetensors: try SafetensorsWriter.write(sets, to: writer)
    case .npy: for set in sets { try NpyWriter.write(set, to: writer) }
    default: try JSONLinesWriter.write(sets, to: writer)
    }
  }

  private func report(images: Int, texts: Int, width: Int, _ skipped: [Skipped]) throws {
    if common.json {
      try StandardOutput.write([
        "output": .string(output.text), "images": .integer(images), "texts": .integer(texts),
        "width": .integer(width), "skipped": .array(skipped.map(\.json)),
      ])
    } else {
      let parts = [
        images > 0 ? counted(images, "image") : nil, texts > 0 ? counted(texts, "text") : nil,
      ].compactMap { $0 }
      try StandardOutput.write(
        "Wrote \(output.shown): \(parts.joined(separator: " and ")), \(width) numbers each.\n")
    }
  }
}
