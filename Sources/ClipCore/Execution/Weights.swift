import CClip

/// A matrix packed for the kernels that will read it; the unpacked form is not kept.
final class PackedMatrix {
  let memory: Memory
  let storage: clip_storage
  let columns: Int
  let depth: Int
  let panels: Int

  fileprivate init(memory: Memory, storage: clip_storage, columns: Int, depth: Int, panels: Int) {
    self.memory = memory
    self.storage = storage
    self.columns = columns
    self.depth = depth
    self.panels = panels
  }
}

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
    let halves = memory.base.assumingMemoryBound(to: UInt16.self) + row * width
    if storage == CLIP_STORAGE_BF16 {
      for column in 0..<width { target[column] = Float(bitPattern: UInt32(halves[column]) << 16) }
    } else {
      for column in 0..<width { target[column] = Half.widen(halves[column]) }
    }
  }
}

/// Reads parameters from a checkpoint into the form that ops keep.
final class ParameterLoader {
  private let source: ParameterSource
  private let kernels: Kernels
  private let storage: clip_storage
  /// While training: where the numbers are that change.
  private let store: ParameterStore?

  init(source: ParameterSource, kernels: Kernels, storage: clip_storage, store: ParameterStore? = nil) {
    self.source = source
    self.kernels = kernels
    self.storage = storage
    self.store = store
  }

  /// The parameter in the checkpoint, which must have the shape that the encoder expects.
  private func find(_ parameter: Parameter) throws(ClipError) -> CheckpointParameter {
    guard let found = source.find(parameter), found.shape == parameter.shape else {
      throw ClipError(CLIP_MISMATCH, parameter.name.string + ": expected shape " + describe(shape: parameter.shape))
    }
    return found
  }

  /// A parameter of any shape as float32.
  func vector(_ parameter: Parameter) throws(ClipError) -> Memory {
    if let store { return try store.view(parameter) }
    let memory = try Memory(floats: parameter.count, for: "a parameter")
    try find(parameter).read(rows: 0..<(parameter.shape.first ?? 1), into: memory.floats)
    return memory
  }

  /// A [rows, width] table in the model's storage.
  func table(_ parameter: Parameter) throws(ClipError) -> Table {
    let width = parameter.shape.last ?? 1
    if storage == CLIP_STORAGE_F32 {
      return Table(memory: try vector(parameter), storage: storage, width: width)
    }
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
      if storage == CLIP_STORAGE_F16 { try checkHalfRange(line.floats, width, parameter) }
    }
    return Table(memory: memory, storage: storage, width: width)
  }

  /// A [features, ...] weight, or some of its rows, packed for `matmul`. For a convolution, `channels` and `area` say
  /// how each row [channels, area] is turned to [area, channels], which is how its windows are
  /// laid out; `scale` multiplies each row.
  func matrix(
    _ parameter: Parameter, rows part: Range<Int>? = nil, scale: Memory? = nil, channels: Int = 1, area: Int = 1
  ) throws(ClipError) -> PackedMatrix {
    let features = parameter.shape.first ?? 0
    let part = part ?? 0..<features
    let columns = part.count
    let depth = features == 0 ? 0 : parameter.count / features
    let width = max(1, Int(kernels.table.pointee.panel_width))
    let panels = (columns + width - 1) / width
    guard let panelBytes = kernels.table.pointee.panel_bytes, let pack = kernels.table.pointee.pack_panel else {
      throw ClipError(CLIP_PLUGIN, "the kernels have no packing functions")
    }
    let bytes = panelBytes(depth, storage)
    let memory = try Memory(byteCount: try product(panels, bytes, "packed weights"), for: "packed weights")
    let stored = try find(parameter)
    let rows = try Memory(floats: try product(width, depth, "a panel"), for: "a panel")
    let turned = area > 1 && channels > 1 ? try Memory(floats: depth, for: "a filter") : nil
    for panel in 0..<panels {
      let first = part.lowerBound + panel * width
      let count = min(width, part.upperBound - first)
      try stored.read(rows: first..<(first + count), into: rows.floats)
      for row in 0..<count {
        let line = rows.floats + row * depth
        if let factor = scale?.floats[first + row] { for index in 0..<depth { line[index] *= factor } }
        if let turned {
          for channel in 0..<channels {
            for position in 0..<area { turned.floats[position * channels + channel] = line[channel * area + position] }
          }
          line.update(from: turned.floats, count: depth)
        }
        if storage == CLIP_STORAGE_F16 { try checkHalfRange(line, depth, parameter) }
      }
      pack(rows.floats, depth, count, depth, storage, memory.base + panel * bytes)
    }
    return PackedMatrix(memory: memory, storage: storage, columns: columns, depth: depth, panels: panels)
  }

  private func checkHalfRange(_ values: UnsafePointer<Float>, _ count: Int, _ parameter: Parameter) throws(ClipError) {
    for index in 0..<count where !(values[index].magnitude < 65520) {
      throw ClipError(
        CLIP_UNSUPPORTED, "\(parameter.name.string): expected weights that fit half precision, found \(values[index])")
    }
  }
}
