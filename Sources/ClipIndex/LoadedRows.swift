import CClip

/// A segment in memory.
struct LoadedSegment {
  /// Whose part this is; nil for a segment that is left out.
  var owner: Memory?
  var base: UnsafeMutableRawPointer
  var state: SegmentState
  /// As the file has it; -1 where what is in memory is not whole.
  var changed: Int64 = -1

  var scales: UnsafeMutablePointer<Float> { base.assumingMemoryBound(to: Float.self) }
  func rows(_ format: RowFormat) -> UnsafeMutableRawPointer { base + format.loadedRows }
  var mark: SegmentMark { SegmentMark(changed: changed, checksum: state.checksum) }
}

/// What tells one state of a segment from another.
struct SegmentMark: Equatable, BitwiseCopyable {
  let changed: Int64
  let checksum: UInt64
}

/// All rows in memory, as they were after a number of changes.
struct LoadedRows {
  let format: RowFormat
  private(set) var segments: [LoadedSegment] = []
  private(set) var byteCount = 0
  private var changes: Int64 = -1
  /// Where segments without memory begin: they have no live rows.
  private var nothing: UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(mutating: UnsafeRawPointer(StaticString(" ").utf8Start))
  }

  init(_ format: RowFormat) { self.format = format }

  /// Reads the segments that changed since. Inside a transaction. Segments that are as `covered` has them are left out.
  mutating func refresh(_ database: Database, _ progress: clip_progress, except covered: [SegmentMark] = [])
    throws(ClipError)
  {
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
      if count == segments.count {
        try segments.add(LoadedSegment(owner: nil, base: nothing, state: state), for: "segments")
      }
      if count < covered.count, covered[count] == SegmentMark(changed: changed, checksum: state.checksum) {
        state.live = SegmentState.empty
        segments[count].state = state
        segments[count].changed = changed
      } else if segments[count].owner == nil || segments[count].changed != changed {
        try stale.add((state, changed), for: "segments")
      }
      count += 1
      return true
    }
    let report = Progress(progress, total: stale.count * RowFormat.count)
    try makeRoom(stale)
    for (index, segment) in stale.enumerated() {
      try report.report(index * RowFormat.count)
      try load(segment.state, segment.changed, database)
    }
    try report.report(.max)
    changes = now
  }

  /// For segments that have no memory, in one block.
  private mutating func makeRoom(_ stale: [(state: SegmentState, changed: Int64)]) throws(ClipError) {
    let count = stale.count { segments[$0.state.number].owner == nil }
    guard count > 0 else { return }
    let size = (format.loadedBytes + 63) & ~63
    let bytes = try product(count, size, "rows of an index")
    let memory = try Memory(byteCount: bytes, for: "the rows of an index")
    var next = memory.base
    for segment in stale where segments[segment.state.number].owner == nil {
      segments[segment.state.number] = LoadedSegment(owner: memory, base: next, state: segment.state)
      next += size
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
