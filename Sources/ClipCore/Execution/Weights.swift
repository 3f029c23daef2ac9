import CClip
import ClipKernels

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
    let features = parameter.shape.first ?? 0
    let part = part ?? 0..<features
    let columns = part.count
    let depth = features == 0 ? 0 : parameter.count / features
    let width = max(1, Int(kernels.table.pointee.panel_width))
    let panels = (columns + width - 1) / width
    guard let panelBytes = kernels.table.pointee.panel_bytes, let pack = kernels.table.pointee.pack_panel else {
      throw ClipError(CLIP_PLUGIN, "the kernels have no packing functions")
    }
    let storage = storage(of: parameter)
    let bytes = panelBytes(depth, storage)
    let memory = try Memory(byteCount: try product(panels, bytes, "packed weights"), for: "packed weights")
    let stored = try find(parameter)
    let packing = PanelPacking(
      stored: stored, name: parameter.name, part: part, depth: depth, channels: channels, area: area, scale: scale,
      storage: storage, panelWidth: width, panelBytes: bytes, pack: pack, memory: memory, panels: panels,
      pieces: max(1, min(panels, 4 * threads.width)))
    threads.run(packing.pieces, packing)
    try packing.failures.throwFirst()
    stored.forget()
    return PackedMatrix(memory: memory, storage: storage, columns: columns, depth: depth, panels: panels)
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

/// The panels of a matrix, read and packed by several threads.
private struct PanelPacking: Work {
  let stored: CheckpointParameter
  let name: Name
  /// The rows of the parameter that are packed.
  let part: Range<Int>
  let depth: Int
  let channels: Int
  let area: Int
  let scale: Memory?
  let storage: clip_storage
  let panelWidth: Int
  let panelBytes: Int
  let pack: @convention(c) (UnsafePointer<Float>?, Int, Int, Int, clip_storage, UnsafeMutableRawPointer?) -> Void
  let memory: Memory
  let panels: Int
  let pieces: Int
  let failures = Failures()

  func part(_ piece: Int) {
    do throws(ClipError) {
      var rows = GrowingBuffer()
      let turned = area > 1 && channels > 1 ? try Memory(floats: depth, for: "a filter") : nil
      for panel in panels.share(piece, of: pieces) { try pack(panel, &rows, turned) }
    } catch {
      failures.record(error, piece)
    }
  }

  private func pack(_ panel: Int, _ buffer: inout GrowingBuffer, _ turned: Memory?) throws(ClipError) {
    let first = part.lowerBound + panel * panelWidth
    let count = min(panelWidth, part.upperBound - first)
    let lines = try rows(first..<(first + count), &buffer, turned)
    if storage == CLIP_STORAGE_F16 { try checkHalfRange(lines, count * depth, name) }
    pack(lines, depth, count, depth, storage, memory.base + panel * panelBytes)
  }

  /// Rows of the weight as they are packed: where the file has them, or made in `buffer`.
  private func rows(_ rows: Range<Int>, _ buffer: inout GrowingBuffer, _ turned: Memory?) throws(ClipError) -> UnsafePointer<Float> {
    if scale == nil, turned == nil, let place = try stored.inPlace(rows: rows) { return place }
    let room = try product(try product(panelWidth, depth, "a panel"), 4, "a panel")
    let lines = try buffer.reserve(room, for: "a panel").assumingMemoryBound(to: Float.self)
    try stored.read(rows: rows, into: lines)
    for row in 0..<rows.count {
      let line = lines + row * depth
      if let factor = scale?.floats[rows.lowerBound + row] { for index in 0..<depth { line[index] *= factor } }
      if let turned {
        for channel in 0..<channels {
          for position in 0..<area { turned.floats[position * channels + channel] = line[channel * area + position] }
        }
        line.update(from: turned.floats, count: depth)
      }
    }
    return UnsafePointer(lines)
  }
}
