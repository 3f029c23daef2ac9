import CClip

/// A matrix packed for the kernels that will read it; the unpacked form is not kept. One that its file holds as the
/// kernels take it is checked when it is opened, and packed with its second use; where its rows are few the first makes
/// panel after panel for itself.
final class PackedMatrix {
  let storage: clip_storage
  let columns: Int
  let depth: Int
  let panels: Int
  /// Holds the packed panels once `makeReady` has returned.
  let memory: Memory
  private let later: DeferredLoad<MatrixPanels>
  private let meter: MemoryMeter

  convenience init(_ source: MatrixPanels, _ threads: ThreadPool, _ meter: MemoryMeter) throws(ClipError) {
    let memory = try Memory(byteCount: try product(source.count, source.bytes, "packed weights"), for: "packed weights")
    let isLater = source.isLeftInFile
    try source.forEachPanel(threads, packedTo: isLater ? nil : memory)
    if !isLater { memory.count(in: meter) }
    self.init(source, memory, DeferredLoad(isLater ? source : nil), meter)
  }

  private init(_ panels: MatrixPanels, _ memory: Memory, _ later: DeferredLoad<MatrixPanels>, _ meter: MemoryMeter) {
    self.meter = meter
    self.memory = memory
    self.later = later
    storage = panels.storage
    columns = panels.columns
    depth = panels.depth
    self.panels = panels.count
  }

  /// What makes the panels, for the first user of a matrix that is not packed; nil for all others.
  func firstUse() -> MatrixPanels? { later.firstUse() }

  /// Packs the matrix if it is not packed yet.
  func makeReady(_ threads: ThreadPool) throws(ClipError) {
    try later.finish(threads) { panels, threads throws(ClipError) in
      try panels.forEachPanel(threads, packedTo: memory)
      memory.count(in: meter)
    }
  }
}

/// How the panels of a matrix are made from a parameter.
final class MatrixPanels {
  typealias Pack = @convention(c) (UnsafePointer<Float>?, Int, Int, Int, clip_storage, UnsafeMutableRawPointer?) -> Void

  private let stored: CheckpointParameter
  private let name: Name
  /// The rows of the parameter that are packed: the columns of the matrix.
  private let part: Range<Int>
  private let channels: Int
  private let area: Int
  private let scale: Memory?
  private let width: Int
  private let pack: Pack
  let storage: clip_storage
  let depth: Int
  /// Of one panel.
  let bytes: Int
  var columns: Int { part.count }
  var count: Int { (columns + width - 1) / width }

  /// `part` of the rows of `parameter`, in panels of `width`; `stored` has its shape.
  init(
    _ parameter: Parameter, _ stored: CheckpointParameter, rows part: Range<Int>?, scale: Memory?, channels: Int,
    area: Int,
    _ storage: clip_storage, width: Int, panelBytes: (Int, clip_storage) -> Int, pack: @escaping Pack
  ) {
    self.stored = stored
    self.channels = channels
    self.area = area
    self.scale = scale
    self.storage = storage
    self.pack = pack
    name = parameter.name
    let features = parameter.shape.first ?? 0
    self.part = part ?? 0..<features
    depth = features == 0 ? 0 : parameter.count / features
    self.width = width
    bytes = panelBytes(depth, storage)
  }

  private var isTurned: Bool { area > 1 && channels > 1 }

  /// Whether the file holds the whole matrix as it is packed, and can be read after it was opened.
  var isLeftInFile: Bool {
    storage == CLIP_STORAGE_F32 && scale == nil && !isTurned && part.count == stored.rowCount && stored.isDense
  }

  private func rows(_ panel: Int) -> Range<Int> {
    let first = part.lowerBound + panel * width
    return first..<min(first + width, part.upperBound)
  }

  /// Packs all panels, without a place only looks at them, on the pool's threads or without a pool on this one.
  fileprivate func forEachPanel(_ threads: ThreadPool?, packedTo memory: Memory?) throws(ClipError) {
    let work = PanelWork(panels: self, memory: memory, pieces: max(1, min(count, 4 * (threads?.width ?? 0))))
    if let threads { threads.run(work.pieces, work) } else { work.part(0) }
    try work.failures.throwFirst()
    stored.forget()
  }

  /// Looks at the rows of a panel of a matrix that is left in its file.
  fileprivate func check(_ panel: Int) throws(ClipError) { _ = try stored.inPlace(rows: rows(panel)) }

  /// Makes a panel at `target`. CLIP_IO for a file that was changed after it was opened.
  func make(_ panel: Int, _ buffer: inout PanelBuffer, at target: UnsafeMutableRawPointer) throws(ClipError) {
    let rows = rows(panel)
    let lines = try lines(rows, &buffer)
    if storage == CLIP_STORAGE_F16 { try checkHalfRange(lines, rows.count * depth, name) }
    pack(lines, depth, rows.count, depth, storage, target)
  }

  /// Rows of the weight as they are packed: where the mapped file has them, or made in `buffer`.
  private func lines(_ rows: Range<Int>, _ buffer: inout PanelBuffer) throws(ClipError) -> UnsafePointer<Float> {
    let isLater = isLeftInFile
    if !isLater, scale == nil, !isTurned, let place = try stored.inPlace(rows: rows) { return place }
    let room = try product(try product(width, depth, "a panel"), 4, "a panel")
    let lines = try buffer.lines.reserve(room, for: "a panel").assumingMemoryBound(to: Float.self)
    if isLater {
      try stored.readAgain(rows: rows, into: lines)
      return UnsafePointer(lines)
    }
    try stored.read(rows: rows, into: lines)
    for row in 0..<rows.count {
      let line = lines + row * depth
      if let factor = scale?.floats[rows.lowerBound + row] { for index in 0..<depth { line[index] *= factor } }
      if isTurned {
        let turned = try buffer.turned.reserve(depth * 4, for: "a filter").assumingMemoryBound(to: Float.self)
        for channel in 0..<channels {
          for position in 0..<area { turned[position * channels + channel] = line[channel * area + position] }
        }
        line.update(from: turned, count: depth)
      }
    }
    return UnsafePointer(lines)
  }
}

/// Room for the rows of a panel while it is made, and for one that is turned.
struct PanelBuffer {
  fileprivate var lines = GrowingBuffer()
  fileprivate var turned = GrowingBuffer()
}

/// The panels of a matrix, packed or only looked at by several threads.
private struct PanelWork: Work {
  unowned(unsafe) let panels: MatrixPanels
  /// Where they go; nil for a look.
  let memory: Memory?
  let pieces: Int
  let failures = Failures()

  func part(_ piece: Int) {
    do throws(ClipError) {
      var buffer = PanelBuffer()
      for panel in panels.count.share(piece, of: pieces) {
        if let memory {
          try panels.make(panel, &buffer, at: memory.base + panel * panels.bytes)
        } else {
          try panels.check(panel)
        }
      }
    } catch {
      failures.record(error, piece)
    }
  }
}
