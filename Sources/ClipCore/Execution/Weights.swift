import CClip
import ClipKernels

/// A table whose rows are read one at a time, as token embeddings are.
final class Table {
  private let memory: Memory
  private let storage: clip_storage
  private let width: Int

  fileprivate init(memory: Memory, storage: clip_storage, width: Int) {
    self.memory = memory
    self.storage = storage
    self.width = width
  }

  func copyRow(_ row: Int, to target: UnsafeMutablePointer<Float>) {
    if storage == CLIP_STORAGE_F32 {
      target.update(from: memory.floats + row * width, count: width)
      return
    }
    if storage == CLIP_STORAGE_INT8 {
      let line = memory.base + row * Table.bytesOfByteRow(width)
      let scale = line.load(as: Float.self)
      let bytes = (line + 4).assumingMemoryBound(to: Int8.self)
      for column in 0..<width { target[column] = Float(bytes[column]) * scale }
      return
    }
    let halves = memory.base.assumingMemoryBound(to: UInt16.self) + row * width
    if storage == CLIP_STORAGE_BF16 {
      for column in 0..<width { target[column] = Float(bitPattern: UInt32(halves[column]) << 16) }
    } else {
      for column in 0..<width { target[column] = Half.widen(halves[column]) }
    }
  }

  /// A row of bytes: its scale, then its numbers, up to a multiple of 4.
  fileprivate static func bytesOfByteRow(_ width: Int) -> Int { (width + 7) & ~3 }
}

/// Reads parameters from a checkpoint into the form that ops keep.
final class ParameterLoader {
  private let source: ParameterSource
  let kernels: Kernels
  let threads: ThreadPool
  let storage: clip_storage
  /// While training: where the numbers are that change.
  private let store: ParameterStore?

  init(
    source: ParameterSource, kernels: Kernels, threads: ThreadPool, storage: clip_storage, store: ParameterStore? = nil
  ) {
    self.source = source
    self.kernels = kernels
    self.threads = threads
    self.storage = storage
    self.store = store
  }

  /// The parameter in the checkpoint, which must have the shape that the encoder expects.
  func find(_ parameter: Parameter) throws(ClipError) -> CheckpointParameter {
    guard let found = source.find(parameter), found.shape == parameter.shape else {
      throw ClipError(CLIP_MISMATCH, parameter.name.string + ": expected shape " + describe(shape: parameter.shape))
    }
    return found
  }

  /// A parameter of any shape as float32.
  func vector(_ parameter: Parameter) throws(ClipError) -> Memory {
    if let store { return try store.view(parameter) }
    let memory = try Memory(floats: parameter.count, for: "a parameter")
    let stored = try find(parameter)
    try stored.read(rows: 0..<(parameter.shape.first ?? 1), into: memory.floats)
    stored.forget()
    return memory
  }

  /// A [rows, width] table in the model's storage.
  func table(_ parameter: Parameter) throws(ClipError) -> Table {
    let width = parameter.shape.last ?? 1
    if storage == CLIP_STORAGE_F32 {
      return Table(memory: try vector(parameter), storage: storage, width: width)
    }
    if storage == CLIP_STORAGE_INT8 { return try byteTable(parameter, width: width) }
    let memory = try Memory(byteCount: try product(parameter.count, 2, "an embedding table"), for: "an embedding table")
    let halves = memory.base.assumingMemoryBound(to: UInt16.self)
    let stored = try find(parameter)
    let line = try Memory(floats: width, for: "a row")
    for row in 0..<(parameter.shape.first ?? 0) {
      try stored.read(rows: row..<(row + 1), into: line.floats)
      for column in 0..<width {
        let value = line.floats[column]
        halves[row * width + column] = storage == CLIP_STORAGE_BF16 ? Half.narrowBrain(value) : Half.narrow(value)
      }
      if storage == CLIP_STORAGE_F16 { try checkHalfRange(line.floats, width, parameter.name) }
    }
    return Table(memory: memory, storage: storage, width: width)
  }

  private func byteTable(_ parameter: Parameter, width: Int) throws(ClipError) -> Table {
    let rows = parameter.shape.first ?? 0
    let lineBytes = Table.bytesOfByteRow(width)
    let memory = try Memory(byteCount: try product(rows, lineBytes, "an embedding table"), for: "an embedding table")
    let stored = try find(parameter)
    let row = try Memory(floats: width, for: "a row")
    for index in 0..<rows {
      try stored.read(rows: index..<(index + 1), into: row.floats)
      let quantiser = Quantiser(
        largest: largestMagnitude(SIMD4<Float>.self, row.floats, width), steps: ByteWeights.largest)
      let line = memory.base + index * lineBytes
      line.storeBytes(of: quantiser.scale, as: Float.self)
      let bytes = (line + 4).assumingMemoryBound(to: Int8.self)
      for column in 0..<width { bytes[column] = Int8(truncatingIfNeeded: quantiser.round(row.floats[column])) }
    }
    return Table(memory: memory, storage: CLIP_STORAGE_INT8, width: width)
  }

  /// A [features, ...] weight, or some of its rows, packed for `matmul`. For a convolution, `channels` and `area` say
  /// how each row [channels, area] is turned to [area, channels], which is how its windows are
  /// laid out; `scale` multiplies each row.
  func matrix(
    _ parameter: Parameter, rows part: Range<Int>? = nil, scale: Memory? = nil, channels: Int = 1, area: Int = 1
  ) throws(ClipError) -> PackedMatrix {
    let panels = try MatrixPanels(
      parameter, try find(parameter), rows: part, scale: scale, channels: channels, area: area, storage(of: parameter), kernels)
    return try PackedMatrix(panels, threads)
  }

  /// A convolution of the picture's three colours does not become bytes: it is a hundredth of a model's
  /// weights, and what it rounds goes through all layers.
  private func storage(of parameter: Parameter) -> clip_storage {
    guard storage == CLIP_STORAGE_INT8, parameter.shape.count == 4, parameter.shape[1] == 3 else { return storage }
    return kernels.supports(CLIP_STORAGE_BF16) ? CLIP_STORAGE_BF16 : CLIP_STORAGE_F32
  }
}

/// CLIP_UNSUPPORTED for a weight that half precision rounds to infinity.
func checkHalfRange(_ values: UnsafePointer<Float>, _ count: Int, _ name: Name) throws(ClipError) {
  for index in 0..<count where !(values[index].magnitude < 65520) {
    throw ClipError(CLIP_UNSUPPORTED, "\(name.string): expected weights that fit half precision, found \(values[index])")
  }
}
