import CClip
import Glibc

/// A `clip_trainer`. One thread at a time.
final class Trainer {
  let model: Model
  private let handle: OpaquePointer

  /// `totalSteps` is where the schedule ends.
  init(_ model: Model, _ config: TrainingConfig, totalSteps: Int) throws(Failure) {
    let strings = CStrings()
    var options = clip_trainer_options()
    options.struct_size = UInt32(MemoryLayout<clip_trainer_options>.size)
    options.flags = config.activationCheckpoints ? UInt32(CLIP_TRAIN_CHECKPOINTS) : 0
    options.seed = UInt64(config.seed)
    options.optimizer = config.optimizer.kind == .adamw ? CLIP_OPTIMIZER_ADAMW : CLIP_OPTIMIZER_SGD
    options.learning_rate = Float(config.optimizer.learningRate)
    options.beta1 = config.optimizer.beta1 == 0 ? -1 : Float(config.optimizer.beta1)
    options.beta2 = Float(config.optimizer.beta2)
    options.epsilon = Float(config.optimizer.epsilon)
    options.weight_decay = Float(config.optimizer.weightDecay)
    options.gradient_clip = Float(config.optimizer.gradientClip)
    options.schedule = config.schedule.value
    options.final_rate = Float(config.schedule.finalRate)
    options.warmup_steps = UInt64(config.schedule.warmupSteps)
    options.total_steps = UInt64(totalSteps)
    options.average_decay = Float(config.averageDecay)
    options.chunk = UInt32(config.chunk)
    options.low_rank = UInt32(config.lowRank?.rank ?? 0)
    options.low_rank_scale = Float(config.lowRank?.scale ?? 0)
    let losses = config.losses.map {
      clip_loss_term(
        struct_size: UInt32(MemoryLayout<clip_loss_term>.size), kind: $0.value, weight: Float($0.weight),
        label_smoothing: Float($0.labelSmoothing))
    }
    let groups = config.groups.map {
      clip_parameter_group(
        struct_size: UInt32(MemoryLayout<clip_parameter_group>.size), rate: Float($0.rate),
        pattern: strings.pointer($0.pattern))
    }
    let patterns = config.lowRank?.patterns.map { strings.pointer($0) } ?? []
    var out: OpaquePointer?
    let status = losses.withUnsafeBufferPointer { losses in
      groups.withUnsafeBufferPointer { groups in
        patterns.withUnsafeBufferPointer { patterns in
          options.losses = losses.baseAddress
          options.loss_count = losses.count
          options.groups = groups.baseAddress
          options.group_count = groups.count
          options.low_rank_patterns = patterns.baseAddress
          options.low_rank_pattern_count = patterns.count
          return clip_trainer_create(model.handle, &options, &out)
        }
      }
    }
    withExtendedLifetime(strings) {}
    try check(status)
    guard let out else { throw Failure("clip_trainer_create returned no trainer") }
    self.model = model
    handle = out
  }

  deinit { clip_trainer_release(handle) }

  /// One update.
  func step(_ batch: inout clip_train_batch) throws(Failure) -> clip_train_metrics {
    batch.struct_size = UInt32(MemoryLayout<clip_train_batch>.size)
    var metrics = clip_train_metrics()
    metrics.struct_size = UInt32(MemoryLayout<clip_train_metrics>.size)
    try check(clip_train_step(handle, &batch, &metrics))
    return metrics
  }

  /// Tensors with their numbers and the factors of their learning rate, 0 for those that are frozen.
  func tensors() throws(Failure) -> [(name: String, count: Int, rate: Double)] {
    var list: [(name: String, count: Int, rate: Double)] = []
    let status = withUnsafeMutablePointer(to: &list) { list in
      clip_trainer_visit(
        handle,
        { user, name, count, rate in
          user?.assumingMemoryBound(to: [(name: String, count: Int, rate: Double)].self).pointee
            .append((string(name), Int(clamping: count), rate))
        }, list)
    }
    try check(status)
    return list
  }

  func save(_ folder: ByteString, keep: Int, note: String) throws(Failure) {
    try check(folder.withCString { clip_trainer_save(handle, $0, UInt32(keep), note) })
  }

  /// Goes on from a folder's last checkpoint and returns its note.
  func resume(_ folder: ByteString) throws(Failure) -> String {
    try check(folder.withCString { clip_trainer_resume(handle, $0) })
    var note = [CChar](repeating: 0, count: clip_trainer_note(handle, nil, 0) + 1)
    _ = clip_trainer_note(handle, &note, note.count)
    return string(note)
  }

  /// Makes `model` embed with the weights of the moment.
  func publish(to model: Model, average: Bool) throws(Failure) {
    try check(clip_trainer_publish(handle, model.handle, average ? UInt32(CLIP_EXPORT_AVERAGE) : 0))
  }

  func export(_ folder: ByteString, average: Bool) throws(Failure) {
    var options = clip_export_options()
    options.struct_size = UInt32(MemoryLayout<clip_export_options>.size)
    options.flags = average ? UInt32(CLIP_EXPORT_AVERAGE) : 0
    try check(folder.withCString { clip_trainer_export(handle, $0, &options) })
  }
}

/// C strings for structs that point to them, valid as long as this lives.
final class CStrings {
  private var copies: [UnsafeMutablePointer<CChar>?] = []

  func pointer(_ text: ByteString) -> UnsafePointer<CChar>? {
    let copy = text.withCString { strdup($0) }
    copies.append(copy)
    return UnsafePointer(copy)
  }

  func pointer(_ text: ByteString?) -> UnsafePointer<CChar>? { text.flatMap { pointer($0) } }

  deinit { for copy in copies { free(copy) } }
}
