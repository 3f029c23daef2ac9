import ArgumentParser

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a model's folder as safetensors, in another layout or storage, or with trained weights.",
    usage:
      "clip export --model <dir> --output <dir> [--checkpoint <path>] [--layout <layout>] [--storage <storage>] [<options>]",
    discussion: """
      The folder is one that Hugging Face's transformers or open_clip load, and clip too. It is written \
      aside and put in its place whole; a model that was there is replaced.

        clip export --model Models/emoji --checkpoint run/checkpoints --average --output trained
      """,
    aliases: ["convert"])

  @Option(help: ArgumentHelp("The model's folder, the one that training began from.", valueName: "dir"))
  var model: ByteString

  @Option(help: ArgumentHelp("A checkpoint of clip train, or a folder, whose last one is taken.", valueName: "path"))
  var checkpoint: ByteString?

  @Flag(help: "Take the mean of the weights that the checkpoint kept.")
  var average = false

  @Option(help: ArgumentHelp("The folder to write.", valueName: "dir"))
  var output: ByteString

  @Option(help: "How files and tensors are named (default: as the model's are).")
  var layout: ModelLayout?

  @Option(help: "How weights are stored.")
  var storage = FileStorage.f32

  @OptionGroup var common: CommonOptions

  mutating func validate() throws {
    if average, checkpoint == nil { throw ValidationError("--average takes the mean of a --checkpoint: name one") }
  }

  func run() throws {
    let model = try Model(try self.model.utf8, runtime: try common.runtime(), options: .withoutWeights)
    try model.export(
      try output.utf8, checkpoint: try checkpoint?.utf8,
      options: .init(average: average, layout: layout?.value ?? .asOpened, storage: storage.value))
    let written = layout?.rawValue ?? model.info.layout
    let result: JSON = [
      "model": .string(output.text), "layout": .string(written), "storage": .string(storage.rawValue),
    ]
    try StandardOutput.write(
      common.json ? result.pretty() + "\n" : "\(output.shown): \(written), \(storage.rawValue)\n")
  }
}

/// The layout of a model folder.
enum ModelLayout: String, CaseIterable, ExpressibleByArgument {
  case huggingface
  case openClip = "open_clip"

  var value: Layout { self == .huggingface ? .huggingFace : .openCLIP }
}

/// The element type of weights in a file.
enum FileStorage: String, CaseIterable, ExpressibleByArgument {
  case f32, f16, bf16

  var value: Storage { StorageName(rawValue: rawValue)?.value ?? .float32 }
}
