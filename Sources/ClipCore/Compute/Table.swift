import CClip
import ClipKernels

/// A table that is read by rows, such as token embeddings. If the file has the rows in the form in which they are kept,
/// they are checked when the model is opened; the first use reads only the rows it needs, the second reads the table
/// into memory. A table too large for memory stays in the file, with the file's precision.
final class Table {
  /// nil: all rows are read from `stored`.
  private let memory: Memory?
  private let stored: StoredParameter?
  private let storage: clip_storage
  private let width: Int
  private let later: DeferredLoad<StoredParameter>
  private let meter: MemoryMeter

  /// The most elements of a table that is kept in memory: 256 MB as float32, enough for CLIP's vocabularies.
  fileprivate static let mostInMemory = 1 << 26

  fileprivate init(
    memory: Memory, storage: clip_storage, width: Int, _ meter: MemoryMeter, later: StoredParameter? = nil
  ) {
    self.meter = meter
    self.memory = memory
    self.storage = storage
    self.width = width
    self.later = DeferredLoad(later)
    stored = nil
  }

  fileprivate init(inFile stored: StoredParameter, width: Int, _ meter: MemoryMeter) {
    self.meter = meter
    self.stored = stored
    self.width = width
    (memory, storage, later) = (nil, CLIP_STORAGE_F32, DeferredLoad(nil))
  }

  /// Copies the rows `ids` to `target`, one after another. CLIP_IO if the file was changed since it was opened.
  func copyRows(
    _ ids: UnsafePointer<Int32>, _ count: Int, to target: UnsafeMutablePointer<Float>, _ threads: ThreadPool
  )
    throws(ClipError)
  {
    if let stored = stored ?? later.firstUse() {
      for row in 0..<count { try stored.readRow(Int(ids[row]), into: target + row * width) }
      return
    }
    try makeReady(threads)
    guard let memory else { return }
    for row in 0..<count { copyRow(Int(ids[row]), of: memory, to: target + row * width) }
  }

  /// Reads the table into memory unless that was done.
  func makeReady(_ threads: ThreadPool) throws(ClipError) {
    guard let memory else { return }
    try later.finish(threads) { stored, threads throws(ClipError) in
      try stored.forEachRow(threads, readTo: memory)
      memory.count(in: meter)
    }
  }

  private func copyRow(_ row: Int, of memory: Memory, to target: UnsafeMutablePointer<Float>) {
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

  /// The size of an INT8 row in bytes: its scale, then its elements, padded to a multiple of 4.
  fileprivate static func bytesOfByteRow(_ width: Int) -> Int { (width + 7) & ~3 }
}

extension StoredParameter {
  /// Reads all rows into `memory` or, if that is nil, checks them; on the pool's threads, or on this one without a
  /// pool.
  fileprivate func forEachRow(_ threads: ThreadPool?, readTo memory: Memory?) throws(ClipError) {
    let work = TableRows(stored: self, memory: memory, pieces: max(1, min(rowCount, 4 * (threads?.width ?? 0))))
    if let threads { threads.run(work.pieces, work) } else { work.part(0) }
    try work.failures.throwFirst()
  }
}

private struct TableRows: Work {
  let stored: StoredParameter
  let memory: Memory?
  let pieces: Int
  let failures = Failures()

  func part(_ piece: Int) {
    let rows = stored.rowCount.share(piece, of: pieces)
    do throws(ClipError) {
      if let memory {
        try stored.readFromFile(rows: rows, into: memory.floats + rows.lowerBound * stored.rowWidth)
      } else {
        try stored.check(rows: rows)
      }
    } catch {
      failures.record(error, piece)
    }
  }
}

extension ParameterLoader {
  /// A [rows, width] table in the model's storage.
  func table(_ parameter: Parameter) throws(ClipError) -> Table {
    let width = parameter.shape.last ?? 1
    if isTraining { return Table(memory: try vector(parameter), storage: CLIP_STORAGE_F32, width: width, meter) }
    let stored = try find(parameter)
    if parameter.count > Table.mostInMemory, stored.hasRowsInFile {
      try stored.forEachRow(threads, readTo: nil)
      return Table(inFile: stored, width: width, meter)
    }
    if storage == CLIP_STORAGE_F32 {
      guard stored.isDense else {
        let memory = try Memory(floats: parameter.count, for: "an embedding table")
        memory.count(in: meter)
        try stored.read(rows: 0..<stored.rowCount, into: memory.floats)
        return Table(memory: memory, storage: storage, width: width, meter)
      }
      try stored.forEachRow(threads, readTo: nil)
      return Table(
        memory: try Memory(floats: parameter.count, for: "a parameter"), storage: storage, width: width, meter,
        later: stored)
    }
    if storage == CLIP_STORAGE_INT8 { return try byteTable(parameter, stored, width: width) }
    let memory = try Memory(byteCount: try product(parameter.count, 2, "an embedding table"), for: "an embedding table")
    let halves = memory.base.assumingMemoryBound(to: UInt16.self)
    try stored.forEachRow(in: 0..<(parameter.shape.first ?? 0)) { row, line throws(ClipError) in
      for column in 0..<width {
        let value = line[column]
        halves[row * width + column] = storage == CLIP_STORAGE_BF16 ? Half.narrowBrain(value) : Half.narrow(value)
      }
      if storage == CLIP_STORAGE_F16 { try checkHalfRange(line, width, parameter.name) }
    }
    memory.count(in: meter)
    return Table(memory: memory, storage: storage, width: width, meter)
  }

  private func byteTable(_ parameter: Parameter, _ stored: StoredParameter, width: Int) throws(ClipError) -> Table {
    let rows = parameter.shape.first ?? 0
    let lineBytes = Table.bytesOfByteRow(width)
    let memory = try Memory(byteCount: try product(rows, lineBytes, "an embedding table"), for: "an embedding table")
    try stored.forEachRow(in: 0..<rows) { index, row throws(ClipError) in
      let quantiser = Quantiser(largest: largestMagnitude(SIMD4<Float>.self, row, width), steps: ByteWeights.largest)
      let line = memory.base + index * lineBytes
      line.storeBytes(of: quantiser.scale, as: Float.self)
      let bytes = (line + 4).assumingMemoryBound(to: Int8.self)
      for column in 0..<width { bytes[column] = Int8(truncatingIfNeeded: quantiser.round(row[column])) }
    }
    memory.count(in: meter)
    return Table(memory: memory, storage: CLIP_STORAGE_INT8, width: width, meter)
  }
}
