import CClip

/// A matrix of weights, packed for the kernels that will read it; the unpacked form is not kept.
///
/// If the file has the matrix in the form that is packed, loading only checks it. The first product reads it from the
/// file panel by panel; the second packs it into memory for all later ones.
final class WeightMatrix {
  let storage: clip_storage
  let columns: Int
  let depth: Int
  /// Holds the packed panels once `makeReady` has returned.
  private let memory: Memory
  private let deferred: DeferredLoad<WeightPanels>
  private let meter: MemoryMeter

  convenience init(
    _ source: WeightPanels, _ threads: ThreadPool, _ buffers: IdlePool<PanelBuffer>, _ meter: MemoryMeter
  ) throws(ClipError) {
    let memory = try Memory(byteCount: try product(source.count, source.bytes, "packed weights"), for: "packed weights")
    let isLeftInFile = source.isLeftInFile
    try source.forEachPanel(threads, buffers, packedTo: isLeftInFile ? nil : memory)
    if !isLeftInFile { memory.count(in: meter) }
    self.init(source, memory, DeferredLoad(isLeftInFile ? source : nil), meter)
  }

  private init(
    _ source: WeightPanels, _ memory: Memory, _ deferred: DeferredLoad<WeightPanels>, _ meter: MemoryMeter
  ) {
    self.meter = meter
    self.memory = memory
    self.deferred = deferred
    storage = source.storage
    columns = source.columns
    depth = source.depth
  }

  /// The operand for a product; this call advances the state of the weights. A product of few rows reads every panel
  /// once (`readsOnce`): the first one reads from the file, and records errors in `failures` under `index`.
  func operand(readsOnce: Bool, _ threads: ThreadPool, _ failures: Failures, index: Int) throws(ClipError)
    -> RightOperand
  {
    if readsOnce, let source = deferred.firstUse() { return .file(source, failures, index: index) }
    try makeReady(threads)
    return .packed(Panels(base: UnsafeRawPointer(memory.base), columns: columns, depth: depth, storage: storage))
  }

  /// Packs the matrix into memory unless that was done.
  func makeReady(_ threads: ThreadPool) throws(ClipError) {
    try deferred.finish(threads) { source, threads throws(ClipError) in
      try source.forEachPanel(threads, IdlePool(), packedTo: memory)
      memory.count(in: meter)
    }
  }
}

/// A parameter as the rows of a matrix, and how its panels are read and packed.
final class WeightPanels {
  private let stored: StoredParameter
  private let name: Name
  /// The rows of the parameter that are packed; they become the matrix's columns.
  private let part: Range<Int>
  private let channels: Int
  private let area: Int
  private let scale: Memory?
  private let width: Int
  private let kernels: Kernels
  let storage: clip_storage
  let depth: Int
  /// The size of a panel in bytes.
  let bytes: Int
  var columns: Int { part.count }
  var count: Int { (columns + width - 1) / width }

  /// Panels of `width` from the rows `part` of `parameter`; `stored` has its shape.
  init(
    _ parameter: Parameter, _ stored: StoredParameter, rows part: Range<Int>?, scale: Memory?, channels: Int,
    area: Int, _ storage: clip_storage, _ kernels: Kernels
  ) {
    self.stored = stored
    self.channels = channels
    self.area = area
    self.scale = scale
    self.storage = storage
    self.kernels = kernels
    name = parameter.name
    let features = parameter.shape.first ?? 0
    self.part = part ?? 0..<features
    depth = features == 0 ? 0 : parameter.count / features
    width = kernels.panelWidth
    bytes = kernels.table.pointee.panel_bytes(depth, storage)
  }

  private var isReordered: Bool { area > 1 && channels > 1 }

  /// Whether the file has the whole matrix in the form that is packed, and can be read again later.
  var isLeftInFile: Bool {
    storage == CLIP_STORAGE_F32 && scale == nil && !isReordered && part.count == stored.rowCount && stored.isDense
  }

  private func rows(_ panel: Int) -> Range<Int> {
    let first = part.lowerBound + panel * width
    return first..<min(first + width, part.upperBound)
  }

  /// Packs all panels into `memory` or, if that is nil, checks them; on the pool's threads, or on this one without a
  /// pool.
  fileprivate func forEachPanel(
    _ threads: ThreadPool?, _ buffers: IdlePool<PanelBuffer>, packedTo memory: Memory?
  ) throws(ClipError) {
    let work = PanelWork(
      panels: self, memory: memory, buffers: buffers, pieces: max(1, min(count, 4 * (threads?.width ?? 0))))
    if let threads { threads.run(work.pieces, work) } else { work.part(0) }
    try work.failures.throwFirst()
  }

  /// Checks the rows of a panel of a matrix that stays in its file.
  fileprivate func check(_ panel: Int) throws(ClipError) { try stored.check(rows: rows(panel)) }

  /// Packs a panel to `target`. CLIP_IO if the file was changed since it was opened.
  func make(_ panel: Int, _ buffer: PanelBuffer, at target: UnsafeMutableRawPointer) throws(ClipError) {
    let rows = rows(panel)
    let lines = try lines(rows, buffer)
    if storage == CLIP_STORAGE_F16 { try checkHalfRange(lines, rows.count * depth, name) }
    kernels.table.pointee.pack_panel(lines, depth, rows.count, depth, storage, target)
  }

  /// Rows of the weight in the order they are packed: in place if they are in memory, else copied to `buffer`.
  private func lines(_ rows: Range<Int>, _ buffer: PanelBuffer) throws(ClipError) -> UnsafePointer<Float> {
    let isLater = isLeftInFile
    if !isLater, scale == nil, !isReordered, let place = try stored.resident(rows: rows) { return place }
    let room = try product(try product(width, depth, "a panel"), 4, "a panel")
    let lines = try buffer.lines.reserve(room, for: "a panel").assumingMemoryBound(to: Float.self)
    if isLater {
      try stored.readFromFile(rows: rows, into: lines)
      return UnsafePointer(lines)
    }
    try stored.read(rows: rows, into: lines)
    for row in 0..<rows.count {
      let line = lines + row * depth
      if let factor = scale?.floats[rows.lowerBound + row] { for index in 0..<depth { line[index] *= factor } }
      if isReordered {
        let reordered = try buffer.reordered.reserve(depth * 4, for: "a filter").assumingMemoryBound(to: Float.self)
        for channel in 0..<channels {
          for position in 0..<area { reordered[position * channels + channel] = line[channel * area + position] }
        }
        line.update(from: reordered, count: depth)
      }
    }
    return UnsafePointer(lines)
  }
}

/// Buffers for the rows of one panel, before and after they are reordered.
final class PanelBuffer {
  fileprivate var lines = GrowingBuffer()
  fileprivate var reordered = GrowingBuffer()
}

/// Packs or checks the panels of a matrix on several threads.
private struct PanelWork: Work {
  unowned(unsafe) let panels: WeightPanels
  /// The memory of the packed panels; nil to only check the weights.
  let memory: Memory?
  let buffers: IdlePool<PanelBuffer>
  let pieces: Int
  let failures = Failures()

  func part(_ piece: Int) {
    let buffer = buffers.take() ?? PanelBuffer()
    defer { buffers.give(buffer) }
    do throws(ClipError) {
      for panel in panels.count.share(piece, of: pieces) {
        if let memory {
          try panels.make(panel, buffer, at: memory.base + panel * panels.bytes)
        } else {
          try panels.check(panel)
        }
      }
    } catch {
      failures.record(error, piece)
    }
  }
}
