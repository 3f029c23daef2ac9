import CClip

/// Parameters in memory that training changes in place.
protocol TrainedValues: AnyObject {
  func view(_ parameter: Parameter) throws(ClipError) -> Memory
}

/// Reads parameters from the stored tensors into the form that ops keep.
final class ParameterLoader {
  private let source: ParameterSource
  let kernels: Kernels
  let threads: ThreadPool
  /// The storage of tables and of products' weights.
  let storage: clip_storage
  private let productStorage: clip_storage
  /// The values that training changes; nil outside training.
  private let trained: (any TrainedValues)?
  private let progress: LoadProgress?
  /// Buffers kept from matrix to matrix: freed in between, they would leave gaps between the weights.
  private let buffers = IdlePool<PanelBuffer>()
  /// Counts the memory that weights keep.
  let meter = MemoryMeter()

  init(
    source: ParameterSource, kernels: Kernels, threads: ThreadPool, storage: clip_storage,
    trained: (any TrainedValues)? = nil, progress: LoadProgress? = nil
  ) {
    self.source = source
    self.kernels = kernels
    self.threads = threads
    self.storage = storage == CLIP_STORAGE_INT8_FAST ? CLIP_STORAGE_INT8 : storage
    productStorage = storage
    self.trained = trained
    self.progress = progress
  }

  var isTraining: Bool { trained != nil }

  /// Finds the stored tensor of a parameter, which must have the expected shape.
  func find(_ parameter: Parameter) throws(ClipError) -> StoredParameter {
    try progress?.add(parameter.count)
    guard let found = source.find(parameter), found.shape == parameter.shape else {
      throw ClipError(CLIP_MISMATCH, parameter.name.string + ": expected shape " + describe(shape: parameter.shape))
    }
    return try found.inMemory()
  }

  /// A parameter of any shape as float32.
  func vector(_ parameter: Parameter) throws(ClipError) -> Memory {
    if let trained { return try trained.view(parameter) }
    let memory = try Memory(floats: parameter.count, for: "a parameter")
    memory.count(in: meter)
    let stored = try find(parameter)
    try stored.read(rows: 0..<(parameter.shape.first ?? 1), into: memory.floats)
    return memory
  }

  /// Packs a [features, ...] weight, or some of its rows, for products. For a convolution, each row [channels, area] is
  /// reordered to [area, channels], the order of its windows. `scale` multiplies each row.
  func matrix(
    _ parameter: Parameter, rows part: Range<Int>? = nil, scale: Memory? = nil, channels: Int = 1, area: Int = 1
  ) throws(ClipError) -> WeightMatrix {
    try WeightMatrix(
      WeightPanels(
        parameter, try find(parameter), rows: part, scale: scale, channels: channels, area: area,
        storage(of: parameter), kernels), threads, buffers, meter)
  }

  /// A convolution of the image's three channels is not held as INT8: it is a hundredth of the weights, and its
  /// rounding errors pass through all layers.
  private func storage(of parameter: Parameter) -> clip_storage {
    guard storage == CLIP_STORAGE_INT8, parameter.shape.count == 4, parameter.shape[1] == 3 else {
      return productStorage
    }
    return kernels.supports(CLIP_STORAGE_BF16) ? CLIP_STORAGE_BF16 : CLIP_STORAGE_F32
  }
}

/// Throws CLIP_UNSUPPORTED for a weight that rounds to infinity in half precision.
func checkHalfRange(_ values: UnsafePointer<Float>, _ count: Int, _ name: Name) throws(ClipError) {
  for index in 0..<count where !(values[index].magnitude < 65520) {
    throw ClipError(
      CLIP_UNSUPPORTED, "\(name.string): expected weights that fit half precision, found \(values[index])")
  }
}
