import CClip
import CSystem

/// Loaded rows as a plugin's structure sees them: those that are live, numbered in their order.
final class NeighbourRows {
  let numbers: Memory
  let count: Int
  /// Of the build that runs.
  var progress = Progress(clip_progress(), total: 0)
  var failure: ClipError?
  private var segments: [LoadedSegment]
  private let format: RowFormat
  private let kernels: ScoreKernels
  private let runtime: Runtime

  /// `numbers`: `count` rows, as Int32.
  init(
    _ numbers: Memory, _ count: Int, _ loaded: LoadedRows, _ kernels: ScoreKernels, _ runtime: Runtime
  ) {
    self.numbers = numbers
    self.count = count
    segments = loaded.segments
    format = loaded.format
    self.kernels = kernels
    self.runtime = runtime
  }

  /// Gives up the rows' memory, where a structure needs it no more.
  func drop() { segments = [] }

  func row(_ number: UInt32) -> Int { Int(numbers.base.load(fromByteOffset: 4 * Int(number), as: Int32.self)) }

  /// Calls `body` with the rows as the plugin has them.
  func withC<Result>(_ body: (UnsafePointer<clip_neighbours_rows>) -> Result) -> Result {
    var rows = clip_neighbours_rows(
      struct_size: UInt32(MemoryLayout<clip_neighbours_rows>.size), width: UInt32(format.width), count: UInt32(count),
      query_bytes: UInt32(scaleOffset + 64), host: Unmanaged.passUnretained(self).toOpaque(),
      read: { host, number, row in
        if let rows = NeighbourRows.at(host), let row { rows.read(number, row) }
      },
      prepare: { host, query, prepared in
        if let rows = NeighbourRows.at(host), let query, let prepared { rows.prepare(query, prepared) }
      },
      prepare_row: { host, number, prepared in
        if let rows = NeighbourRows.at(host), let prepared { rows.prepare(number, prepared) }
      },
      score: { host, number, prepared in
        guard let rows = NeighbourRows.at(host), let prepared else { return 0 }
        return rows.score(number, prepared)
      },
      run: { host, count, task, user in
        guard let rows = NeighbourRows.at(host) else { return CLIP_INVALID_ARGUMENT }
        return clip_runtime_parallel_for(rows.runtime.handle, count, task, user)
      },
      progress: { host, done, _ in NeighbourRows.at(host)?.report(done) ?? 1 })
    return withUnsafePointer(to: &rows) { body($0) }
  }

  private static func at(_ host: UnsafeMutableRawPointer?) -> NeighbourRows? {
    host.map { Unmanaged<NeighbourRows>.fromOpaque($0).takeUnretainedValue() }
  }

  private var scaleOffset: Int { 4 * format.paddedWidth }

  /// nil for a number that is none.
  private func place(_ number: UInt32) -> (segment: LoadedSegment, place: Int)? {
    guard Int(number) < count else { return nil }
    let row = row(number)
    guard row / RowFormat.count < segments.count else { return nil }
    let segment = segments[row / RowFormat.count]
    return segment.owner == nil ? nil : (segment, row % RowFormat.count)
  }

  private func read(_ number: UInt32, _ row: UnsafeMutablePointer<Float>) {
    guard let (segment, place) = place(number) else { return }
    let bytes = segment.rows(format) + place * format.loadedRowBytes
    if format.hasBytes {
      let scale = segment.scales[place]
      for i in 0..<format.width { row[i] = scale * Float(bytes.load(fromByteOffset: i, as: Int8.self)) }
    } else {
      for i in 0..<format.width { row[i] = format.value(bytes, i) }
    }
  }

  func prepare(_ query: UnsafePointer<Float>, _ prepared: UnsafeMutableRawPointer) {
    memset(prepared, 0, scaleOffset)
    if format.hasBytes {
      prepared.storeBytes(
        of: Query.narrow(query, format, to: prepared), toByteOffset: scaleOffset, as: Float.self)
    } else {
      prepared.copyMemory(from: query, byteCount: 4 * format.width)
      prepared.storeBytes(of: 1, toByteOffset: scaleOffset, as: Float.self)
    }
  }

  private func prepare(_ number: UInt32, _ prepared: UnsafeMutableRawPointer) {
    guard let (segment, place) = place(number) else { return }
    format.widen(segment.rows(format) + place * format.loadedRowBytes, 1, to: prepared)
    prepared.storeBytes(of: format.hasBytes ? segment.scales[place] : 1, toByteOffset: scaleOffset, as: Float.self)
  }

  func score(_ number: UInt32, _ prepared: UnsafeRawPointer) -> Float {
    guard let (segment, place) = place(number) else { return 0 }
    var score: Float = 0
    let scale = prepared.load(fromByteOffset: scaleOffset, as: Float.self)
    kernels.score(segment, place, 1, prepared, scale, format, &score)
    return score
  }

  private func report(_ done: UInt64) -> Int32 {
    if let failure = result({ () throws(ClipError) in try progress.report(Int(clamping: done)) }) {
      self.failure = failure
      return 1
    }
    return 0
  }
}
