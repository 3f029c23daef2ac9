import ArgumentParser
import Glibc

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a model on pairs of images and captions.",
    usage: "clip train <config.json> [--set <key>=<value> ...] [--resume] [<options>]",
    discussion: """
      The configuration is one JSON object; docs/training.md has its keys. Options override them, --set any: \
      a dot leads into an object, the value is JSON or else a text.

        clip train run.json --output runs/1 --set optimizer.learning_rate=1e-3

      The output folder gets config.json, log.jsonl, checkpoints and, at the end, the model. Ctrl-C ends the run \
      after its step and saves it; the same command with --resume goes on, as if it had not stopped.
      """)

  @Argument(help: ArgumentHelp("The configuration.", valueName: "config.json"))
  var config: ByteString?

  @Option(help: ArgumentHelp("The model's folder to start from.", valueName: "dir"))
  var model: ByteString?

  @Option(parsing: .upToNextOption, help: ArgumentHelp("Archives, tables or folders of pairs.", valueName: "path"))
  var data: [ByteString] = []

  @Option(name: .shortAndLong, help: ArgumentHelp("The run's folder; made when it is not there.", valueName: "dir"))
  var output: ByteString?

  @Option(help: ArgumentHelp("Pairs of one step.", valueName: "n"))
  var batchSize: Int?

  @Option(help: ArgumentHelp("Times through the data.", valueName: "n"))
  var epochs: Int?

  @Option(help: ArgumentHelp("Steps, in place of epochs.", valueName: "n"))
  var steps: Int?

  @Option(help: ArgumentHelp("The highest learning rate.", valueName: "rate"))
  var learningRate: Double?

  @Option(help: ArgumentHelp("Seed of everything random.", valueName: "n"))
  var seed: Int?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Sets a key of the configuration; may be repeated.", valueName: "key=value"))
  var settings: [ByteString] = []

  @Flag(help: "Go on with the run that the output folder has.")
  var resume = false

  @Flag(help: "Show what would be trained, and do nothing.")
  var dryRun = false

  @OptionGroup var common: CommonOptions

  mutating func validate() throws {
    for setting in settings where !setting.bytes.dropFirst().contains(UInt8(ascii: "=")) {
      throw ValidationError("--set \(setting.shown): expected key=value")
    }
  }

  func run() throws {
    let config = try TrainingConfig(try json(), config?.shown ?? "the options")
    let threads = common.threads ?? (config.threads > 0 ? config.threads : common.threadCount)
    let runtime = try common.runtime(threads: threads)
    if dryRun { return try plan(config, runtime) }
    let run = try TrainingRun(runtime, config, resume: resume)
    let ending = try run.train()
    try report(run, ending)
    if ending == .interrupted { throw ExitCode(130) }
  }

  /// The JSON of the configuration, with the command line's options set.
  private func json() throws(CLIPError) -> JSON {
    var json = JSON.object([])
    if let config {
      json = try JSON.parse(try readFile(config), place: config.shown)
      guard case .object = json else { throw CLIPError("\(config.shown): expected an object, found \(json.kind)") }
    }
    if let model { json.set(["model"], .string(model.text)) }
    if !data.isEmpty { json.set(["data"], .strings(data.map(\.text))) }
    if let output { json.set(["output"], .string(output.text)) }
    if let batchSize { json.set(["batch_size"], .integer(batchSize)) }
    if let epochs {
      json.set(["epochs"], .integer(epochs))
      json.set(["steps"], .null)
    }
    if let steps {
      json.set(["steps"], .integer(steps))
      if epochs == nil { json.set(["epochs"], .null) }
    }
    if let learningRate { json.set(["optimizer", "learning_rate"], .double(learningRate)) }
    if let seed { json.set(["seed"], .integer(seed)) }
    for setting in settings {
      guard let equals = setting.bytes.firstIndex(of: UInt8(ascii: "=")) else { continue }
      let key = String(decoding: setting.bytes[..<equals], as: UTF8.self)
      let value = Array(setting.bytes[(equals + 1)...])
      let parsed = (try? JSON.parse(value, place: key)) ?? .string(String(decoding: value, as: UTF8.self))
      json.set(key.split(separator: ".", omittingEmptySubsequences: false).map(String.init), parsed)
    }
    return json
  }

  /// Prints what the run would do.
  private func plan(_ config: TrainingConfig, _ runtime: Runtime) throws(CLIPError) {
    let steps = try TrainingRun.steps(config)
    let tensors = try withTemporaryFolder { folder throws(CLIPError) in
      if config.fromScratch { try RunFolder.drawWeights(config, runtime, in: folder) }
      let start = config.fromScratch ? folder : config.model
      let model = try Model(try start.utf8, runtime: runtime, towers: .both, options: .withoutWeights)
      let trainer = try Trainer(model, options: config.trainerOptions(totalSteps: steps))
      return try trainer.tensors().sorted { $0.name < $1.name }
    }
    let all = tensors.reduce(0) { $0 + $1.count }
    let trained = tensors.filter { $0.rate > 0 }
    let learned = trained.reduce(0) { $0 + $1.count }
    if common.json {
      try StandardOutput.write([
        "steps": .integer(steps), "parameters": .integer(all), "trained_parameters": .integer(learned),
        "tensors": .array(
          tensors.map { ["name": .string($0.name), "count": .integer($0.count), "rate": .double($0.rate)] }),
        "config": config.effective,
      ])
      return
    }
    var table = Table([("tensor", .left), ("numbers", .right), ("rate", .right)])
    for tensor in tensors {
      table.add([tensor.name, grouped(UInt64(tensor.count)), tensor.rate == 0 ? "frozen" : fixed(tensor.rate, 3)])
    }
    try StandardOutput.write(
      table.text()
        + "\n\(counted(steps, "step")) of \(counted(config.batchSize, "pair")); \(grouped(UInt64(learned))) of "
        + "\(grouped(UInt64(all))) parameters in \(trained.count) of \(counted(tensors.count, "tensor")) are trained\n")
  }

  private func report(_ run: TrainingRun, _ ending: TrainingRun.Ending) throws {
    let counters = try run.counters()
    if counters.bad > 0 || counters.damagedShards > 0 {
      Console.shared.warning(
        "\(counted(counters.bad, "bad sample")) left out; shards cut short or damaged: \(counters.damagedShards)")
    }
    if ending == .interrupted {
      Console.shared.line("Stopped after step \(run.step) and saved. To go on:\n  \(commandToResume)")
    }
    let isFinished = ending == .finished
    if common.json {
      try StandardOutput.write([
        "output": .string(run.folder.path.text), "finished": .bool(isFinished), "steps": .integer(run.step),
        "loss": .double(run.last?.loss ?? 0), "accuracy": .float(run.last?.accuracy ?? 0),
        "model": isFinished ? .string(run.folder.model.text) : .null,
        "samples": .integer(counters.samples), "bad_samples": .integer(counters.bad),
        "damaged_shards": .integer(counters.damagedShards),
        "waited_seconds": .double(Double(counters.waitedNanoseconds) / 1e9),
      ])
    } else if isFinished {
      try StandardOutput.write("Trained \(counted(run.step, "step")): \(run.folder.model.shown)\n")
    }
  }

  /// This command line with --resume, quoted for the shell.
  private var commandToResume: String {
    let words =
      ["clip"] + RawArguments.encoded().map { RawArguments.readable($0) }.filter { $0 != "--resume" } + ["--resume"]
    return words.map { word in
      let isPlain =
        !word.isEmpty && word.utf8.allSatisfy { $0 > 127 || isalnum(Int32($0)) != 0 || "-_./=,:+@%".utf8.contains($0) }
      return isPlain
        ? word : "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }.joined(separator: " ")
  }
}

extension JSON {
  /// Sets the member at `path`, making objects as needed.
  fileprivate mutating func set(_ path: [String], _ value: JSON) {
    guard let key = path.first else {
      self = value
      return
    }
    var members: [(key: String, value: JSON)] = []
    if case .object(let old) = self { members = old }
    let index = members.firstIndex { $0.key == key } ?? members.count
    if index == members.count { members.append((key, .null)) }
    members[index].value.set(Array(path.dropFirst()), value)
    self = .object(members)
  }
}
