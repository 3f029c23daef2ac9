import CClip

/// A tensor in training.
public struct TrainedTensor: Hashable, Sendable {
  /// The name in the weight file.
  public let name: String
  /// The number of elements.
  public let count: Int
  /// The factor of its learning rate; 0: frozen.
  public let rate: Double
}

/// The weights of a model in training, with the optimizer's state. Reads the model's folder, in float32, and does not
/// change the model.
///
/// One thread at a time may use a trainer. Computes on the threads of the runtime.
public final class Trainer {
  public let model: Model
  @_spi(Handles) public let handle: OpaquePointer
  private var counts: [String: Int] = [:]

  /// The tensors that `read` copies.
  public enum TensorKind: UInt32, Sendable {
    case weight = 0
    /// The gradient of the last step, before clipping.
    case gradient = 1
    /// The moving average of the weight.
    case average = 2
  }

  /// Prepares the weights of `model` for training. Both towers must be open.
  public init(_ model: Model, options: TrainerOptions = .init()) throws(CLIPError) {
    var out: OpaquePointer?
    try withCMemory { memory throws(CLIPError) in
      var options = try options.value(memory)
      try check(clip_trainer_create(model.handle, &options, &out))
    }
    guard let out else { throw CLIPError(.plugin, "clip_trainer_create returned no trainer") }
    handle = out
    self.model = model
  }

  deinit { clip_trainer_release(handle) }

  /// Makes one update. An error leaves the weights and the optimizer unchanged. The same steps with the same seed give
  /// the same bits on any number of threads.
  @discardableResult
  public func step(_ batch: TrainingBatch) throws(CLIPError) -> TrainingMetrics {
    try call(batch, clip_train_step)
  }

  /// The loss and accuracy of a batch, without dropout and without an update.
  public func evaluate(_ batch: TrainingBatch) throws(CLIPError) -> TrainingMetrics {
    try call(batch, clip_trainer_evaluate)
  }

  private func call(
    _ batch: TrainingBatch,
    _ function: (OpaquePointer?, UnsafePointer<clip_train_batch>?, UnsafeMutablePointer<clip_train_metrics>?) ->
      clip_status
  ) throws(CLIPError) -> TrainingMetrics {
    var metrics = sized(clip_train_metrics(), \.struct_size)
    try withCMemory { memory throws(CLIPError) in
      var value = sized(clip_train_batch(), \.struct_size)
      value.options = memory.array([try batch.options.value(memory)])
      let sizes = batch.options.sizes ?? model.info
      var (pixels, tokens): ([Float], [Int32]) = ([], [])
      let images: Int
      switch batch.images {
      case .pixels(let values):
        pixels = values
        images = try model.rows(values.count, sizes.pixelCount, "pixels")
      case .images(let list):
        value.images = memory.array(list.map(\.view))
        images = list.count
      }
      let texts: Int
      switch batch.texts {
      case .tokens(let values):
        tokens = values
        texts = try model.rows(values.count, sizes.contextLength, "tokens")
      case .texts(let list):
        value.texts = try memory.strings(list, "texts")
        texts = list.count
      }
      guard images == texts else {
        throw CLIPError(.invalidArgument, "batch: expected as many texts as images, found \(texts) and \(images)")
      }
      value.n = images
      var (first, second): ([Float], [Float]) = ([], [])
      switch batch.teacher {
      case .logits(let logits)?:
        try expect(logits.count, images * images, "teacher logits")
        first = logits
      case .embeddings(let images, let texts, let width, let scale)?:
        try expect(images.count, value.n * width, "elements of the teacher's images")
        try expect(texts.count, value.n * width, "elements of the teacher's texts")
        value.teacher_width = try number(width, "teacher.width")
        value.teacher_scale = scale
        (first, second) = (images, texts)
      case nil: break
      }
      let isLogits = second.isEmpty
      let status = withExtendedLifetime(batch) {
        pixels.withUnsafeBufferPointer { pixels in
          tokens.withUnsafeBufferPointer { tokens in
            first.withUnsafeBufferPointer { first in
              second.withUnsafeBufferPointer { second in
                if !pixels.isEmpty { value.pixels = pixels.baseAddress }
                if !tokens.isEmpty { value.tokens = tokens.baseAddress }
                if isLogits, !first.isEmpty { value.teacher_logits = first.baseAddress }
                if !isLogits { (value.teacher_images, value.teacher_texts) = (first.baseAddress, second.baseAddress) }
                return function(handle, &value, &metrics)
              }
            }
          }
        }
      }
      try check(status)
    }
    return TrainingMetrics(metrics)
  }

  private func expect(_ found: Int, _ expected: Int, _ name: String) throws(CLIPError) {
    guard found == expected else {
      throw CLIPError(.invalidArgument, "batch: expected \(expected) \(name), found \(found)")
    }
  }

  /// Sets the learning rate of the next updates. Schedule and groups multiply it as before. Checkpoints store it.
  public func setLearningRate(_ rate: Double) throws(CLIPError) {
    try check(clip_trainer_set_learning_rate(handle, rate))
  }

  /// The tensors of both towers, and those of low-rank adaptation.
  public func tensors() throws(CLIPError) -> [TrainedTensor] {
    let list = Box<[TrainedTensor]>([])
    let status = clip_trainer_tensors_visit(
      handle,
      { user, name, count, rate in
        Box<[TrainedTensor]>.at(user)?.value.append(
          TrainedTensor(name: string(name), count: Int(clamping: count), rate: rate))
        return 0
      }, list.pointer)
    try check(status)
    return list.value
  }

  /// A copy of a tensor, in the shape of the weight file.
  public func read(_ name: String, _ kind: TensorKind = .weight) throws(CLIPError) -> [Float] {
    if counts.isEmpty {
      for tensor in try tensors() { counts[tensor.name] = tensor.count }
    }
    return try withCMemory { memory throws(CLIPError) in
      let pointer = try memory.string(name, "name")
      return try filled(counts[name] ?? 0) { out, capacity throws(CLIPError) in
        try check(clip_trainer_read(handle, clip_tensor_kind(kind.rawValue), pointer, out, capacity))
      }
    }
  }

  /// Writes a checkpoint, step-<number>.safetensors. The file is complete or absent, even after a crash.
  ///
  /// - Parameters:
  ///   - keep: The number of checkpoints up to this step to keep; older ones are removed. 0: keep all.
  ///   - note: At most 65536 bytes of UTF-8, stored in the checkpoint.
  public func save(_ folder: String, keep: Int = 0, note: String? = nil) throws(CLIPError) {
    try withCMemory { memory throws(CLIPError) in
      let (folder, note) = (try memory.string(folder, "folder"), try memory.string(note, "note"))
      try check(clip_trainer_save(handle, folder, try number(keep, "keep"), note))
    }
  }

  /// Continues from a checkpoint, or from the last one in a folder, with the same bits as without the interruption. The
  /// trainer must have the same model and options.
  public func resume(_ path: String) throws(CLIPError) {
    try withCMemory { memory throws(CLIPError) in
      try check(clip_trainer_resume(handle, try memory.string(path, "path")))
    }
  }

  /// The note of the checkpoint that `resume` read; "" if there is none.
  public var note: String { string { clip_trainer_note(handle, $0, $1) } }

  /// Writes a model folder: the trained weights, with low-rank updates merged, the configuration and the tokenizer
  /// files. Replaces a model in the folder and keeps other files. An error leaves the folder unchanged.
  public func export(_ folder: String, options: ExportOptions = .init()) throws(CLIPError) {
    try withCMemory { memory throws(CLIPError) in
      var options = options.value(memory)
      try check(clip_trainer_export(handle, try memory.string(folder, "folder"), &options))
    }
  }

  /// Gives `model` the current weights. Other threads may use the model meanwhile.
  ///
  /// - Parameter average: Whether to use the moving average of the weights.
  public func update(_ model: Model, average: Bool = false) throws(CLIPError) {
    try check(clip_trainer_update_model(handle, model.handle, average ? UInt32(CLIP_EXPORT_AVERAGE) : 0))
  }
}

/// The layout of a model folder.
public enum Layout: UInt32, Sendable, CaseIterable { case asOpened = 0, huggingFace = 1, openCLIP = 2 }

/// How a model folder is written.
public struct ExportOptions: Sendable {
  /// Whether to write the moving average of the weights.
  public var average: Bool
  public var layout: Layout
  /// The storage of weights in the file: `float32`, `float16` or `bfloat16`.
  public var storage: Storage
  /// Progress of writing, in bytes.
  public var progress: ProgressHandler?

  public init(
    average: Bool = false, layout: Layout = .asOpened, storage: Storage = .float32, progress: ProgressHandler? = nil
  ) {
    self.average = average
    self.layout = layout
    self.storage = storage
    self.progress = progress
  }

  fileprivate func value(_ memory: CMemory) -> clip_export_options {
    var options = sized(clip_export_options(), \.struct_size)
    options.flags = average ? UInt32(CLIP_EXPORT_AVERAGE) : 0
    options.layout = clip_layout(layout.rawValue)
    options.storage = storage.value
    options.progress = memory.progress(progress)
    return options
  }
}

extension Model {
  /// Writes a model folder with the weights that both towers were opened with, or with those of a checkpoint.
  ///
  /// - Parameter checkpoint: A file saved by a trainer of this model, or a folder whose last checkpoint is used.
  public func export(
    _ folder: String, checkpoint: String? = nil, options: ExportOptions = .init()
  ) throws(CLIPError) {
    try withCMemory { memory throws(CLIPError) in
      var options = options.value(memory)
      let (folder, checkpoint) = (try memory.string(folder, "folder"), try memory.string(checkpoint, "checkpoint"))
      try check(clip_model_export(handle, checkpoint, folder, &options))
    }
  }
}
