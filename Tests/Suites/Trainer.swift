import CClip
import Foundation
import Support

/// A trainer and the arrays its options point to.
final class Trainer {
  let handle: OpaquePointer
  let model: Model

  struct Loss {
    var kind = CLIP_LOSS_CONTRASTIVE
    var weight: Float = 1
    var smoothing: Float = 0
  }

  init(
    _ model: Model, losses: [Loss] = [], groups: [(pattern: String, rate: Float)] = [],
    lowRank: (UInt32, [String])? = nil,
    _ change: (inout clip_trainer_options) -> Void = { _ in }
  ) throws {
    var options = clip_trainer_options()
    options.struct_size = size(of: clip_trainer_options.self)
    options.learning_rate = 1e-3
    options.seed = 3
    change(&options)
    let terms = losses.map {
      clip_loss_term(
        struct_size: size(of: clip_loss_term.self), kind: $0.kind, weight: $0.weight, label_smoothing: $0.smoothing)
    }
    let patterns = groups.map { strdup($0.pattern) }
    let lowRankPatterns = (lowRank?.1 ?? []).map { UnsafePointer(strdup($0)) }
    defer {
      for pattern in patterns { free(pattern) }
      for pattern in lowRankPatterns { free(UnsafeMutablePointer(mutating: pattern)) }
    }
    let list = zip(groups, patterns).map {
      clip_parameter_group(struct_size: size(of: clip_parameter_group.self), rate: $0.rate, pattern: UnsafePointer($1))
    }
    var handle: OpaquePointer?
    let status = terms.withUnsafeBufferPointer { terms in
      list.withUnsafeBufferPointer { list in
        lowRankPatterns.withUnsafeBufferPointer { lowRankPatterns in
          options.losses = terms.baseAddress
          options.loss_count = terms.count
          options.groups = list.baseAddress
          options.group_count = list.count
          options.low_rank = lowRank?.0 ?? 0
          options.low_rank_patterns = lowRankPatterns.baseAddress
          options.low_rank_pattern_count = lowRankPatterns.count
          return clip_trainer_create(model.handle, &options, &handle)
        }
      }
    }
    try check(status)
    guard let handle else { throw SupportError("clip_trainer_create gave no trainer") }
    self.handle = handle
    self.model = model
  }

  deinit { clip_trainer_release(handle) }

  @discardableResult
  func step(pixels: [Float], tokens: [Int32], teacher: [Float]? = nil) throws -> clip_train_metrics {
    var batch = clip_train_batch()
    batch.struct_size = size(of: clip_train_batch.self)
    batch.n = tokens.count / model.context
    var metrics = clip_train_metrics()
    metrics.struct_size = size(of: clip_train_metrics.self)
    let status = pixels.withUnsafeBufferPointer { pixels in
      tokens.withUnsafeBufferPointer { tokens in
        (teacher ?? []).withUnsafeBufferPointer { logits in
          batch.pixels = pixels.baseAddress
          batch.tokens = tokens.baseAddress
          batch.teacher_logits = teacher == nil ? nil : logits.baseAddress
          return clip_train_step(handle, &batch, &metrics)
        }
      }
    }
    try check(status)
    return metrics
  }

  func read(_ kind: clip_trainer_tensor, _ name: String, count: Int) throws -> [Float] {
    var values = [Float](repeating: .nan, count: count)
    try check(clip_trainer_read(handle, kind, name, &values, count))
    return values
  }

  /// All float weights of a manifest, end to end.
  func all(_ kind: clip_trainer_tensor, _ manifest: Manifest) throws -> [Float] {
    try manifest.tensors.filter { $0.rule != "count" }.flatMap { try read(kind, $0.name, count: $0.count) }
  }

  func save(_ folder: URL, keep: UInt32 = 0, note: String? = nil) throws {
    try check(clip_trainer_save(handle, folder.path, keep, note))
  }

  func resume(_ path: URL) throws { try check(clip_trainer_resume(handle, path.path)) }

  var note: String {
    var bytes = [CChar](repeating: 0, count: 256)
    _ = clip_trainer_note(handle, &bytes, bytes.count)
    return String(cString: bytes)
  }

  func export(
    _ folder: URL, average: Bool = false, layout: clip_layout = CLIP_LAYOUT_AS_OPENED,
    storage: clip_storage = CLIP_STORAGE_F32
  ) throws {
    var options = exportOptions(average: average, layout: layout, storage: storage)
    try check(clip_trainer_export(handle, folder.path, &options))
  }

  func publish(_ model: Model, average: Bool = false) throws {
    try check(clip_trainer_publish(handle, model.handle, average ? UInt32(CLIP_EXPORT_AVERAGE) : 0))
  }
}

private func exportOptions(average: Bool, layout: clip_layout, storage: clip_storage) -> clip_export_options {
  clip_export_options(
    struct_size: size(of: clip_export_options.self), flags: average ? UInt32(CLIP_EXPORT_AVERAGE) : 0, layout: layout,
    storage: storage)
}

extension Model {
  func export(
    _ folder: URL, checkpoint: URL? = nil, average: Bool = false, layout: clip_layout = CLIP_LAYOUT_AS_OPENED,
    storage: clip_storage = CLIP_STORAGE_F32
  ) throws {
    var options = exportOptions(average: average, layout: layout, storage: storage)
    try check(
      withOptionalCString(checkpoint?.path) { checkpoint in clip_model_export(handle, checkpoint, folder.path, &options)
      })
  }
}
