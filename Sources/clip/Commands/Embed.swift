import ArgumentParser
import Glibc

struct Embed: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write embeddings of images and texts to a file.",
    usage: """
      clip embed --model <dir> [--image <file|dir> ...] [--image-file <file>]
          [--text <text> ...] [--text-file <file>] --output <file> [<options>]
      """,
    discussion: """
      The file's ending chooses its format:
        .safetensors  tensors image_embeds and text_embeds; names in metadata
        .npy          one array, of images or of texts
        .jsonl        a line {"kind", "name", "embedding"} for each
      Rows are in the order of the input; folders are walked in the order of their names. An image that \
      cannot be read is reported and left out.

      Until the file is written, its rows are kept in <file>.partial as they are made. Ctrl-C, and any failure, \
      leaves that: the same command goes on from there.

        clip embed --model Models/emoji --image photos --output photos.npy
      """)

  @OptionGroup var model: ModelOptions

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Images, folders of them, or tar archives with them.", valueName: "file|dir"))
  var image: [ByteString] = []

  @Option(
    help: ArgumentHelp(
      "A file with a path a line, or NUL between paths, after those of --image; - is standard input.",
      valueName: "file"))
  var imageFile: ByteString?

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

  @Option(help: "The type of the elements in the file.")
  var elements = ElementType.f32

  @Flag(help: "Decode large JPEG and WebP images at a fraction of their size: faster, cosine at least 0.9995.")
  var shrink = false

  @OptionGroup var images: ImageOptions
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
    let hasImages = !image.isEmpty || imageFile != nil
    guard hasTexts || hasImages else {
      throw ValidationError("nothing to embed: expected --image, --image-file, --text or --text-file")
    }
    let input = ByteString("-")
    if imageFile == input && textFile == input {
      throw ValidationError("--image-file and --text-file are both -: standard input has one list")
    }
    if format == .npy && hasTexts && hasImages {
      throw ValidationError("a .npy file holds one array: give images or texts, or write .safetensors or .jsonl")
    }
  }

  func run() throws {
    try OutputFile.checkWritable(output)
    let captions = text + (try textFile.map { try TextLines.read($0) } ?? [])
    let paths = image + (try imageFile.map { try TextLines.read($0, splitsAtNUL: true) } ?? [])
    let runtime = try common.runtime()
    let found = paths.isEmpty ? FoundImages() : try findImages(paths, runtime)
    var towers: Towers = []
    if !captions.isEmpty { towers.insert(.text) }
    if !found.inputs.isEmpty { towers.insert(.image) }
    let model = try self.model.open(runtime, towers)

    let journal = try EmbeddingJournal.open(for: output, run: run(model))
    Interruption.watch()
    var done = Done()
    try journal.keep { record in done.take(record, captions, found.inputs) }
    if done.images + done.texts > 0, let path = journal.path {
      Console.shared.line("Going on from \(path.shown).")
    }
    // Texts first, so that one that is too long is found before hours of images.
    guard try embed(captions, model, journal, &done), try embed(found.inputs, model, journal, &done) else {
      throw interrupted(journal, done, of: captions.count, found.inputs.count)
    }

    let sets = [
      EmbeddingRows(
        kind: .image, count: done.images - done.skipped.count, width: model.width, elements: elements, journal: journal),
      EmbeddingRows(kind: .text, count: done.texts, width: model.width, elements: elements, journal: journal),
    ].filter { $0.count > 0 }
    guard !sets.isEmpty else {
      journal.remove()
      throw CLIPError("no image could be read: \(output.shown) is not written")
    }
    try OutputFile.write(to: output) { writer throws(CLIPError) in try write(sets, to: writer) }
    journal.remove()

    let skipped = found.skipped + done.skipped
    try report(sets, skipped, found)
    try finish(skipped: skipped, of: found.inputs.count + found.skipped.count)
  }

  /// What has been embedded.
  private struct Done {
    var texts = 0
    /// The number of images, skipped ones included.
    var images = 0
    var skipped: [Skipped] = []

    /// Whether a record of an earlier run is the next item of this one.
    mutating func take(_ record: EmbeddingJournal.Record, _ captions: [ByteString], _ images: [ImageInput]) -> Bool {
      if record.kind == .text {
        guard texts < captions.count, record.name == captions[texts] else { return false }
        texts += 1
        return true
      }
      guard texts == captions.count, self.images < images.count, record.name == images[self.images].name else {
        return false
      }
      self.images += 1
      if record.kind == .skipped {
        skipped.append(Skipped(path: record.name, reason: ByteString(record.content).text))
      }
      return true
    }
  }

  /// What determines the rows of a journal, apart from the inputs.
  private func run(_ model: Model) throws(CLIPError) -> JSON {
    [
      "clip": .string("embed \(libraryVersion)"), "model": .path(self.model.model), "width": .integer(model.width),
      "weights": .string(try folderStamp(self.model.model)), "storage": .string(self.model.storage.storage.name),
      "elements": .string(elements.rawValue), "raw": .bool(raw), "shrink": .bool(shrink),
      "as_stored": .bool(images.asStored), "lenient": .bool(images.lenient),
      "background": .string(images.background.map { "\($0)" } ?? ""), "truncate": .bool(texts.truncate),
      "openai_cleaning": .bool(texts.cleaning.openAICleaning),
    ]
  }

  /// Returns false if a signal stopped it before the end.
  private func embed(
    _ captions: [ByteString], _ model: Model, _ journal: EmbeddingJournal, _ done: inout Done
  ) throws -> Bool {
    let all = try captions.utf8
    var options = texts.encode
    options.raw = raw
    let bar = ProgressBar("Texts", total: all.count, from: done.texts)
    defer { bar.finish() }
    while done.texts < all.count {
      guard !Interruption.isAsked else { return false }
      let part = Array(all[done.texts..<min(done.texts + batch.batch, all.count)])
      let rows = try model.embed(texts: part, from: done.texts, options: options)
      for index in part.indices {
        let row = rows[index * model.width..<(index + 1) * model.width]
        try journal.append(.init(kind: .text, name: captions[done.texts], content: try elements.bytes(row)))
        done.texts += 1
      }
      bar.update(done.texts)
    }
    return true
  }

  private func embed(
    _ inputs: [ImageInput], _ model: Model, _ journal: EmbeddingJournal, _ done: inout Done
  ) throws -> Bool {
    var options = images.encode(batch: batch.batch, threads: common.threadCount, raw: raw)
    options.shrink = shrink
    let elements = elements
    var progress = done
    defer { done = progress }
    return try model.embed(images: inputs, from: done.images, options: options) { (index, result) throws(CLIPError) in
      let name = inputs[index].name
      switch result {
      case .success(let row): try journal.append(.init(kind: .image, name: name, content: try elements.bytes(row)))
      case .failure(let error):
        let entry = Skipped(path: name, reason: error.message)
        entry.report()
        try journal.append(.init(kind: .skipped, name: name, content: Array(entry.reason.utf8)))
        progress.skipped.append(entry)
      }
      progress.images += 1
    }
  }

  private func interrupted(_ journal: EmbeddingJournal, _ done: Done, of texts: Int, _ images: Int) -> any Error {
    let counts = [
      texts > 0 ? "\(done.texts) of \(counted(texts, "text"))" : nil,
      images > 0 ? "\(done.images) of \(counted(images, "image"))" : nil,
    ].compactMap { $0 }.joined(separator: " and ")
    guard let path = journal.path else { return CLIPError("interrupted", status: .cancelled) }
    Console.shared.line("Interrupted: \(counts) are kept in \(path.shown). The same command goes on from there.")
    return ExitCode(1)
  }

  private func write(_ sets: [EmbeddingRows], to writer: FileWriter) throws(CLIPError) {
    switch Format(rawValue: output.fileExtension) {
    case .safetensors: try SafetensorsWriter.write(sets, to: writer)
    case .npy: for set in sets { try NpyWriter.write(set, to: writer) }
    default: try JSONLinesWriter.write(sets, to: writer)
    }
  }

  private func report(_ sets: [EmbeddingRows], _ skipped: [Skipped], _ found: FoundImages) throws {
    func count(_ kind: EmbeddingJournal.Record.Kind) -> Int { sets.first { $0.kind == kind }?.count ?? 0 }
    let width = sets.first?.width ?? 0
    if common.json {
      try StandardOutput.write([
        "output": .path(output), "images": .integer(count(.image)), "texts": .integer(count(.text)),
        "width": .integer(width), "skipped": .array(skipped.map(\.json)), "left_out": found.leftOutJSON,
      ])
    } else {
      let parts = sets.map { counted($0.count, $0.name) }
      try StandardOutput.write(
        "Wrote \(output.shown): \(parts.joined(separator: " and ")), \(width) numbers each.\n")
    }
  }
}
