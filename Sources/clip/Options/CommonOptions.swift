import ArgumentParser
import Glibc

/// Options of every command.
struct CommonOptions: ParsableArguments {
  @Flag(help: "Write one JSON document instead of text for people.")
  var json = false

  @Option(help: ArgumentHelp("Threads to work with, 1 to 256 (default: the processors).", valueName: "n"))
  var threads: Int?

  @Option(
    name: .customLong("plugins"),
    help: ArgumentHelp("A folder of plugins to load before the installed ones; may be repeated.", valueName: "dir"))
  var pluginFolders: [ByteString] = []

  @Option(
    help: ArgumentHelp(
      "Kernels to compute with, such as x86-64-v3 (default: the best that run here).",
      valueName: "name"))
  var kernels: ByteString?

  mutating func validate() throws {
    if let threads, !(1...256).contains(threads) {
      throw ValidationError("--threads is \(threads): expected 1 to 256")
    }
  }

  var threadCount: Int { threads ?? min(max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1), 256) }

  func runtime() throws(CLIPError) -> Runtime {
    try runtime(threads: threadCount)
  }

  func runtime(threads: Int) throws(CLIPError) -> Runtime {
    let log: LogHandler = { level, message in
      switch level {
      case .error: Console.shared.error(message)
      case .warning: Console.shared.warning(message)
      case .info: break
      }
    }
    return try Runtime(
      threads: threads, plugins: try pluginFolders.utf8, kernels: try kernels?.utf8, log: log)
  }
}

/// The storage of weights in memory.
enum StorageName: String, CaseIterable, ExpressibleByArgument {
  case f32, f16, bf16, int8
  case int8Fast = "int8-fast"

  var value: Storage {
    switch self {
    case .f32: .float32
    case .f16: .float16
    case .bf16: .bfloat16
    case .int8: .int8
    case .int8Fast: .int8Fast
    }
  }
}

extension Storage {
  var name: String { StorageName.allCases.first { $0.value == self }?.rawValue ?? "" }
}

extension ElementType: ExpressibleByArgument {}

/// The option of every command that opens a model, including `clip info`.
struct StorageOptions: ParsableArguments {
  @Option(name: .customLong("storage"), help: "How weights are held in memory.")
  var name = StorageName.f32

  var storage: Storage { name.value }
}

/// Options of commands that encode with a model.
struct ModelOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The model's folder.", valueName: "dir"))
  var model: ByteString

  @OptionGroup var storage: StorageOptions

  func open(_ runtime: Runtime, _ towers: Towers) throws(CLIPError) -> Model {
    try Model(try model.utf8, runtime: runtime, towers: towers, storage: storage.storage)
  }
}

/// Options of commands that encode batches.
struct BatchOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Images or texts to encode at once, 1 to 4096.", valueName: "n"))
  var batch = 32

  mutating func validate() throws {
    guard (1...4096).contains(batch) else {
      throw ValidationError("--batch is \(batch): expected 1 to 4096")
    }
  }
}

/// The cleaning of texts.
struct CleaningOptions: ParsableArguments {
  @Flag(
    name: [.customLong("openai-cleaning"), .customLong("openai")],
    help: "Clean texts as OpenAI's code does instead of as Hugging Face's.")
  var openAICleaning = false
}

/// Options of commands that take texts.
struct TextOptions: ParsableArguments {
  @Flag(help: "Cut a text that is too long for the model instead of failing.")
  var truncate = false

  @OptionGroup var cleaning: CleaningOptions

  var encode: EncodeOptions { EncodeOptions(truncate: truncate, openAICleaning: cleaning.openAICleaning) }
}

/// The option of commands that show or measure images as training may see them.
struct BackgroundOptions: ParsableArguments {
  @Flag(help: "Lay images with transparency over white.")
  var white = false
}

/// Options of commands that measure a model on data.
struct DataOptions: ParsableArguments {
  @Option(parsing: .upToNextOption, help: ArgumentHelp("Archives, tables or folders.", valueName: "path"))
  var data: [ByteString] = []

  @Option(parsing: .upToNextOption, help: ArgumentHelp("Which captions: columns or keys.", valueName: "field"))
  var captionFields: [ByteString] = []

  @Option(help: ArgumentHelp("Seed of the sample, and of variants.", valueName: "n"))
  var seed: UInt64 = 0

  @OptionGroup var background: BackgroundOptions
  @OptionGroup var cleaning: CleaningOptions
  @OptionGroup var batch: BatchOptions

  mutating func validate() throws {
    guard !data.isEmpty else { throw ValidationError("no data: expected --data and one or more paths") }
  }

  /// As in a data set, long texts are truncated.
  var encode: EncodeOptions {
    EncodeOptions(
      truncate: true, openAICleaning: cleaning.openAICleaning, background: background.white ? .white : nil)
  }

  /// At most `limit` pairs, with the captions of `fields`, or else of the options.
  func pairs(
    _ model: Model, fields: [ByteString]? = nil, limit: Int?, workers: Int, keeping parts: Pairs.Parts
  ) throws(CLIPError) -> Pairs {
    try Pairs(
      model,
      .init(
        paths: try data.utf8, captionFields: try (fields ?? captionFields).utf8, limit: limit, seed: seed,
        batch: batch.batch, workers: workers, encode: encode, keeps: parts))
  }
}
