import Glibc

/// The folder of a run: config.json, log.jsonl, TensorBoard's events, checkpoints/, at the end or a stop curves.svg and
/// model/, and in start/ the weights of a run from scratch.
struct RunFolder {
  let path: ByteString
  /// Whether the folder was created by this run.
  private let isNew: Bool

  var config: ByteString { file("config.json") }
  var log: ByteString { file("log.jsonl") }
  var checkpoints: ByteString { file("checkpoints") }
  var model: ByteString { file("model") }
  var curves: ByteString { file("curves.svg") }

  private func file(_ name: String) -> ByteString { path.appending(Array(name.utf8)) }

  /// Creates the folder and saves the configuration in it, so that an unwritable folder is found before the work. A
  /// folder with a run is an error, except with `resume`, which requires the same configuration.
  init(_ config: TrainingConfig, resume: Bool) throws(CLIPError) {
    path = config.output
    isNew = path.withCString { access($0, F_OK) } != 0
    if !resume && log.withCString({ access($0, F_OK) }) == 0 {
      throw CLIPError("\(path.shown) has a run already: expected --resume to go on with it, or another output")
    }
    if resume {
      guard self.config.withCString({ access($0, F_OK) }) == 0 else {
        throw CLIPError("\(path.shown): expected a run to go on with, found no config.json")
      }
      try RunFolder.compare(
        try JSON.parse(try readFile(self.config), place: self.config.shown), config, self.config.shown)
    }
    try makeFolder(path)
    try makeFolder(checkpoints)
    let text = config.effective.pretty() + "\n"
    try OutputFile.write(to: self.config) { writer throws(CLIPError) in try writer.write(text) }
  }

  /// The model folder that the run starts from.
  func startingModel(_ config: TrainingConfig, _ runtime: Runtime) throws(CLIPError) -> ByteString {
    guard config.fromScratch else { return config.model }
    let start = file("start")
    try makeFolder(start)
    try RunFolder.drawWeights(config, runtime, in: start)
    return start
  }

  /// Copies the model's configuration and tokenizer to `start` and draws random weights there, unless they exist. The
  /// weight file is written last and atomically.
  static func drawWeights(_ config: TrainingConfig, _ runtime: Runtime, in start: ByteString) throws(CLIPError) {
    if try names(in: start).contains(where: { $0.fileExtension == "safetensors" }) { return }
    for name in try names(in: config.model) where ["json", "txt", "model"].contains(name.fileExtension) {
      guard !name.text.hasSuffix(".index.json") else { continue }
      let bytes = try readFile(config.model.appending(name.bytes))
      try OutputFile.write(to: start.appending(name.bytes)) { writer throws(CLIPError) in try writer.write(bytes) }
    }
    try Model.initialize(try start.utf8, seed: UInt64(config.seed), runtime: runtime)
  }

  /// Throws unless the run with configuration `before` may continue with `config`.
  private static func compare(_ before: JSON, _ config: TrainingConfig, _ place: String) throws(CLIPError) {
    guard case .object(let old) = before, case .object(let new) = config.effective else {
      throw CLIPError("\(place): expected an object, found \(before.kind)")
    }
    for (key, value) in new where !TrainingConfig.free.contains(key) {
      let found = old.first { $0.key == key }?.value ?? .null
      guard found.compact() == value.compact() else {
        throw CLIPError(
          "\(place): \(key): the run to go on with has \(found.compact()), found \(value.compact()); only "
            + TrainingConfig.free.joined(separator: ", ") + " may change")
      }
    }
  }

  /// Removes the folder of a run that cannot begin, if this run created it.
  func removeIfNew() {
    if isNew { removeFolder(path) }
  }
}

/// A JSON Lines file to which whole lines are appended.
final class RunLog {
  private let descriptor: Int32
  private let name: String

  /// Keeps the lines of an earlier run up to `step`; later steps are run again.
  init(_ path: ByteString, after step: Int) throws(CLIPError) {
    name = path.shown
    var kept = ""
    if step > 0 {
      for line in try RunLog.lines(of: path) {
        guard case .object(let members) = line,
          case .integer(let number)? = members.first(where: { $0.key == "step" })?.value,
          number <= step
        else { continue }
        kept += line.compact() + "\n"
      }
    }
    let text = kept
    try OutputFile.write(to: path) { writer throws(CLIPError) in try writer.write(text) }
    descriptor = path.withCString { open($0, O_WRONLY | O_APPEND | O_CLOEXEC) }
    guard descriptor >= 0 else { throw .system("cannot write \(name)") }
  }

  deinit { close(descriptor) }

  /// The complete lines of a log; none if the file does not exist.
  static func lines(of path: ByteString) throws(CLIPError) -> [JSON] {
    guard path.withCString({ access($0, F_OK) }) == 0 else { return [] }
    return try readFile(path).split(separator: UInt8(ascii: "\n")).compactMap {
      try? JSON.parse(Array($0), place: path.shown)
    }
  }

  func append(_ line: JSON) throws(CLIPError) {
    let code = Array((line.compact() + "\n").utf8).withUnsafeBytes { writeAll(descriptor, $0) }
    guard code == 0 else { throw .system("cannot write \(name)", code) }
  }
}
