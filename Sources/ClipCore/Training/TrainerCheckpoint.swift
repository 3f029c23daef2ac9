import CClip
import CSystem

/// A trainer's state as a safetensors file: of each trained parameter the weight, the optimiser's moments and the
/// mean, under the encoder's names, with the step in the metadata. Random streams are named by the step, so it
/// is their position too. The scale of low-rank updates, and a learning rate that the
/// caller set, are there as the bits of a Double.
extension Trainer {
  private static let format: Name = "clipcore-training-1"
  private static let prefix: Name = "step-"
  private static let suffix: Name = ".safetensors"

  /// The largest step that is accepted: no run reaches it, and adding to it cannot overflow.
  private static let mostSteps: UInt64 = 1 << 62

  /// One tensor of a checkpoint and its values.
  private struct Part {
    let name: Name
    let shape: [Int]
    let numbers: UnsafeMutablePointer<Float>
    let count: Int
  }

  private var parts: [Part] {
    var parts: [Part] = []
    for (index, entry) in store.entries.enumerated() {
      guard let trained = entry.trained else { continue }
      func add(_ kind: Name, _ numbers: UnsafeMutablePointer<Float>) {
        parts.append(
          Part(name: kind + entry.parameter.name, shape: entry.parameter.shape, numbers: numbers, count: entry.count))
      }
      if entry.kind != .derived { add("weight.", store.value(index)) }
      if entry.kind == .learned {
        add("first.", optimizer.first.floats + trained)
        if let second = optimizer.second { add("second.", second.floats + trained) }
      }
      if let average { add("average.", average.floats + entry.offset) }
    }
    return parts
  }

  /// Writes `folder`/step-<step>.safetensors, then removes all but the last `keep` (0: none is removed).
  func save(folder: String, keep: Int, note: Name) throws(ClipError) {
    try makeFolder(folder)
    let parts = parts
    var metadata: [(key: Name, value: Name)] = [
      ("format", Trainer.format), ("step", Name("\(step)")), ("seed", Name("\(options.seed)")),
      ("optimizer", options.optimizer.kind == CLIP_OPTIMIZER_ADAMW ? "adamw" : "sgd"), ("note", note),
      ("low_rank_scale", Name("\((options.lowRank?.scale ?? 0).bitPattern)")),
    ]
    if let setRate { metadata.append((key: "learning_rate", value: Name("\(setRate.bitPattern)"))) }
    let writer = try SafetensorsWriter(
      path: join(folder, Trainer.fileName(step)),
      parts.map { .init(name: $0.name, type: .float32, shape: $0.shape, byteCount: $0.count * 4) }, metadata: metadata)
    for part in parts { try writer.append(part.numbers, part.count * 4) }
    try writer.finish()
    guard keep > 0 else { return }
    // Checkpoints of later steps are of another run, or from before this one resumed.
    let own = Trainer.fileName(step)
    for name in try Trainer.saved(folder).filter({ $0 <= own }).dropLast(keep) {
      removeFile(join(folder, name))
    }
  }

  private static func fileName(_ step: UInt64) -> Name {
    let digits = Array("\(step)".utf8)
    let zeros = [UInt8](repeating: UInt8(ascii: "0"), count: max(0, 20 - digits.count))
    return prefix + Name(utf8: zeros + digits) + suffix
  }

  /// The checkpoints in a folder, oldest first.
  private static func saved(_ folder: String) throws(ClipError) -> [Name] {
    try names(in: folder, endingIn: suffix).filter {
      $0.hasPrefix(prefix) && $0.utf8.count == prefix.utf8.count + 20 + suffix.utf8.count
        && number(Name(utf8: Array($0.utf8.dropFirst(prefix.utf8.count).prefix(20)))) != nil
    }
  }

  /// The checkpoint `path`, or the last one in that folder.
  static func saved(at path: String) throws(ClipError) -> (file: Safetensors, path: String, step: UInt64) {
    var file = path
    if try FileKind(path) == .folder {
      guard let last = try Trainer.saved(path).last else {
        throw ClipError(CLIP_NOT_FOUND, path + ": expected a checkpoint, step-<number>.safetensors, found none")
      }
      file = join(path, last)
    }
    let saved = try Safetensors(path: file)
    guard saved.metadata["format"] == Trainer.format, let step = Trainer.number(saved.metadata["step"]),
      step < mostSteps
    else {
      throw ClipError(CLIP_FORMAT, file + ": expected a checkpoint of clip_trainer_save")
    }
    return (saved, file, step)
  }

  /// Continues from a checkpoint, or from the last one in a folder. Nothing changes unless all of it fits.
  func resume(_ path: String) throws(ClipError) {
    let (saved, file, step) = try Trainer.saved(at: path)
    let kind: Name = options.optimizer.kind == CLIP_OPTIMIZER_ADAMW ? "adamw" : "sgd"
    guard saved.metadata["optimizer"] == kind, saved.metadata["seed"] == Name("\(options.seed)") else {
      throw ClipError(
        CLIP_MISMATCH,
        file + ": expected the optimiser \(kind.string) and the seed \(options.seed), found "
          + (saved.metadata["optimizer"]?.string ?? "none") + " and " + (saved.metadata["seed"]?.string ?? "none"))
    }
    let setRate = try Trainer.setRate(saved, file)
    let parts = parts
    for part in parts {
      guard let tensor = saved.tensors[part.name], tensor.type == .float32, tensor.shape == part.shape else {
        throw ClipError(
          CLIP_MISMATCH,
          "\(file): expected a tensor \(part.name.string) F32 \(describe(shape: part.shape)), found "
            + (saved.tensors[part.name].map { "\($0.type.name) " + describe(shape: $0.shape) } ?? "none"))
      }
    }
    guard parts.count == saved.tensors.list.count else {
      throw ClipError(
        CLIP_MISMATCH,
        "\(file): expected \(parts.count) tensors, as the options train, found \(saved.tensors.list.count)")
    }
    // Everything is read before anything is changed.
    let numbers = try Memory(floats: parts.reduce(0) { $0 + $1.count }, for: "a checkpoint")
    var at = numbers.floats
    for part in parts {
      if let tensor = saved.tensors[part.name] { try tensor.file.read(tensor.bytes, into: at) }
      at += part.count
    }
    at = numbers.floats
    for part in parts {
      part.numbers.update(from: at, count: part.count)
      at += part.count
    }
    self.step = step
    self.setRate = setRate
    note = saved.metadata["note"] ?? ""
    try applyLowRank()
    withExtendedLifetime(saved) {}
  }

  /// The learning rate that the caller had set before the checkpoint was written; nil if none was.
  private static func setRate(_ saved: Safetensors, _ file: String) throws(ClipError) -> Double? {
    guard let text = saved.metadata["learning_rate"] else { return nil }
    guard let rate = number(text).map({ Double(bitPattern: $0) }), isRate(rate) else {
      throw ClipError(
        CLIP_FORMAT, file + ": learning_rate: expected the bits of a number above 0 and below 1e6, found " + text.string
      )
    }
    return rate
  }

  private static func isRate(_ rate: Double) -> Bool { rate > 0 && rate < 1e6 }

  /// Sets the learning rate of the next updates.
  func set(learningRate rate: Double) throws(ClipError) {
    guard Trainer.isRate(rate) else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "rate: expected a number above 0 and below 1e6, found \(rate)")
    }
    setRate = rate
  }

  static func number(_ digits: Name?) -> UInt64? {
    guard let digits, (1...20).contains(digits.utf8.count) else { return nil }
    var value: UInt64 = 0
    for byte in digits.utf8 {
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
      let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = tens.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
      if overflow || carry { return nil }
      value = sum
    }
    return value
  }
}
