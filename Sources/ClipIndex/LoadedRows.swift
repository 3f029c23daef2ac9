import CClip

/// A segment in memory.
struct LoadedSegment {
  /// Whose part this is.
  let owner: Memory
  let base: UnsafeMutableRawPointer
  var state: SegmentState
  /// As the file has it; -1 where what is in memory is not whole.
  var changed: Int64 = -1

  var scales: UnsafeMutablePointer<Float> { base.assumingMemoryBound(to: Float.self) }
  func rows(_ format: RowFormat) -> UnsafeMutableRawPointer { base + format.loadedRows }
}

/// All rows in memory, as they were after a number of changes.
struct LoadedRows {
  let format: RowFormat
  private(set) var segments: [LoadedSegment] = []
  private(set) var byteCount = 0
  private var changes: Int64 = -1

  init(_ format: RowFormat) { self.format = format }

  /// Reads the segments that changed since. Inside a transaction.
  mutating func refresh(_ database: Database, _ progress: clip_progress) throws(ClipError) {
    let now = try Changes.count(database)
    guard now != changes else { return }
    var stale: [(state: SegmentState, changed: Int64)] = []
    var count = 0
    try database.run("SELECT segment, live, checksum, changed FROM segments ORDER BY segment") {
      statement throws(ClipError) in
      var state = try SegmentState(database, statement)
      state.checksum = UInt64(bitPattern: try statement.integer(2))
      let changed = try statement.integer(3)
      guard state.number == count else { throw database.damaged("expected segment \(count), found \(state.number)") }
      if count >= segments.count || segments[count].changed != changed {
        try stale.add((state, changed), for: "segments")
      }
      count += 1
      return true
    }
    let report = Progress(progress, total: stale.count * RowFormat.count)
    try grow(to: count, stale)
    for (index, segment) in stale.enumerated() {
      try report.report(index * RowFormat.count)
      try load(segment.state, segment.changed, database)
    }
    try report.report(.max)
    changes = now
  }

  /// Makes room for new segments, in one block.
  private mutating func grow(to count: Int, _ stale: [(state: SegmentState, changed: Int64)]) throws(ClipError) {
    guard count > segments.count else { return }
    let size = (format.loadedBytes + 63) & ~63
    let bytes = try product(count - segments.count, size, "rows of an index")
    let memory = try Memory(byteCount: bytes, for: "the rows of an index")
    try segments.reserve(count, for: "segments")
    // New segments are the last of the stale ones.
    let new = stale.suffix(count - segments.count)
    for (index, segment) in new.enumerated() {
      segments.append(LoadedSegment(owner: memory, base: memory.base + index * size, state: segment.state))
    }
    byteCount += bytes
  }

  private mutating func load(_ state: SegmentState, _ changed: Int64, _ database: Database) throws(ClipError) {
    let number = state.number
    segments[number].changed = -1
    changes = -1
    let blob = try database.blob(number, isWritten: false)
    guard blob.byteCount == format.segmentBytes else {
      throw database.damaged("segment \(number) has \(blob.byteCount) bytes, expected \(format.segmentBytes)")
    }
    let used = state.usedCount
    let segment = segments[number]
    if used > 0 {
      try blob.read(format.loadedRows + used * format.loadedRowBytes, at: 0, into: segment.base)
    }
    var sum: UInt64 = 0
    for place in 0..<used where state.isLive(place) {
      let row = segment.rows(format) + place * format.loadedRowBytes
      sum &+= loadedRowChecksum(
        UnsafeRawBufferPointer(start: row, count: format.loadedRowBytes), number * RowFormat.count + place,
        format.hasBytes ? segment.scales[place].bitPattern : 0)
    }
    guard sum == state.checksum else { throw database.damaged("segment \(number) has another checksum") }
    segments[number].state = state
    segments[number].changed = changed
  }
}
