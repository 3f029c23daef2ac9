import CClip
import CSystem

/// Changes rows inside a transaction. `finish` writes the segments' states.
final class SegmentEditor {
  private let database: Database
  private let format: RowFormat
  /// The number of this transaction among those that changed the index.
  private let change: Int64
  private let former: Memory
  private var segment: SegmentState?
  private var blob: Blob?
  /// Segments before this one are full.
  private var firstWithRoom = 0

  convenience init(_ database: Database, _ format: RowFormat) throws(ClipError) {
    let former = try Memory(byteCount: format.loadedRowBytes + 4, for: "a row of an index")
    let change = try Changes.count(database) &+ 1
    self.init(database, format, change, former)
  }

  private init(_ database: Database, _ format: RowFormat, _ change: Int64, _ former: Memory) {
    self.database = database
    self.format = format
    self.change = change
    self.former = former
  }

  /// Writes a row and returns its checksum. `row` nil: takes one that is free.
  func write(_ new: RowFormat.Row, to row: Int?) throws(ClipError) -> (row: Int, checksum: Int64) {
    let row: Int = if let row { row } else { try freeRow() }
    let (blob, place) = try open(row)
    if segment?.isLive(place) == true { try dropLoaded(blob, place, row) }
    try blob.write(bytes(new.exact), at: format.exactRows + place * format.exactBytes)
    if let coarse = new.bytes {
      try blob.write(bytes(coarse), at: format.loadedRows + place * format.loadedRowBytes)
      former.base.storeBytes(of: new.scale, as: Float.self)
      try blob.write(UnsafeRawBufferPointer(start: former.base, count: 4), at: 4 * place)
    }
    segment?.setLive(place, true)
    segment?.checksum &+= try loadedChecksum(blob, place, row)
    return (row, Int64(bitPattern: checksum(bytes(new.exact), seed: UInt64(row))))
  }

  /// Makes a row free, and zeros in the file.
  func clear(_ row: Int) throws(ClipError) {
    let (blob, place) = try open(row)
    guard segment?.isLive(place) == true else { throw database.damaged("an entry's row \(row) is not there") }
    try dropLoaded(blob, place, row)
    segment?.setLive(place, false)
    let zeros = try Memory(byteCount: format.exactBytes, for: "a row of an index")
    memset(zeros.base, 0, format.exactBytes)
    try blob.write(bytes(zeros), at: format.exactRows + place * format.exactBytes)
    if format.hasBytes {
      let part = UnsafeRawBufferPointer(start: zeros.base, count: format.paddedWidth)
      try blob.write(part, at: format.loadedRows + place * format.loadedRowBytes)
      try blob.write(UnsafeRawBufferPointer(start: zeros.base, count: 4), at: 4 * place)
    }
    firstWithRoom = min(firstWithRoom, row / RowFormat.count)
  }

  func finish() throws(ClipError) {
    try close()
    try Changes.set(database, change)
  }

  private func bytes(_ memory: Memory) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: memory.base, count: memory.byteCount)
  }

  private func dropLoaded(_ blob: Blob, _ place: Int, _ row: Int) throws(ClipError) {
    segment?.checksum &-= try loadedChecksum(blob, place, row)
  }

  private func loadedChecksum(_ blob: Blob, _ place: Int, _ row: Int) throws(ClipError) -> UInt64 {
    let count = format.loadedRowBytes
    try blob.read(count, at: format.loadedRows + place * count, into: former.base)
    if format.hasBytes { try blob.read(4, at: 4 * place, into: former.base + count) }
    let scale = format.hasBytes ? (former.base + count).loadUnaligned(as: UInt32.self) : 0
    return loadedRowChecksum(UnsafeRawBufferPointer(start: former.base, count: count), row, scale)
  }

  private func open(_ row: Int) throws(ClipError) -> (Blob, place: Int) {
    let number = row / RowFormat.count
    let place = row % RowFormat.count
    if let blob, segment?.number == number { return (blob, place) }
    try close()
    segment = try SegmentState(database, number)
    let opened = try database.blob(number, isWritten: true)
    guard opened.byteCount == format.segmentBytes else {
      throw database.damaged("segment \(number) has \(opened.byteCount) bytes, expected \(format.segmentBytes)")
    }
    blob = opened
    return (opened, place)
  }

  private func close() throws(ClipError) {
    blob = nil
    guard let segment else { return }
    self.segment = nil
    let code = segment.live.withUnsafeBytes { live in
      result { () throws(ClipError) in
        try database.run(
          "UPDATE segments SET changed = ?, live = ?, checksum = ? WHERE segment = ?", .integer(change), .bytes(live),
          .integer(Int64(bitPattern: segment.checksum)), .integer(Int64(segment.number)))
      }
    }
    if let code { throw code }
  }

  private func freeRow() throws(ClipError) -> Int {
    if let segment, segment.number <= firstWithRoom, let place = segment.firstFree {
      return segment.number * RowFormat.count + place
    }
    try close()
    var found: Int?
    var next = firstWithRoom
    try database.run("SELECT segment, live FROM segments WHERE segment >= ? ORDER BY segment", .integer(Int64(next))) {
      statement throws(ClipError) in
      let state = try SegmentState(database, statement)
      next = state.number + 1
      guard let place = state.firstFree else { return true }
      found = state.number * RowFormat.count + place
      return false
    }
    if let found {
      firstWithRoom = found / RowFormat.count
      return found
    }
    guard next < SegmentState.most else {
      throw ClipError(CLIP_LIMIT, database.path + ": expected at most \(SegmentState.most) segments of rows")
    }
    firstWithRoom = next
    let code = SegmentState.empty.withUnsafeBytes { live in
      result { () throws(ClipError) in
        try database.run(
          "INSERT INTO segments VALUES (?, ?, ?, 0)", .integer(Int64(next)), .integer(change), .bytes(live))
      }
    }
    if let code { throw code }
    try database.run("INSERT INTO rows VALUES (?, ?)", .integer(Int64(next)), .zeros(format.segmentBytes))
    return next * RowFormat.count
  }
}

/// The state of a segment's rows.
struct SegmentState {
  let number: Int
  /// One bit a row.
  var live: [UInt64]
  /// The sum of the checksums of the live rows, as they are in memory.
  var checksum: UInt64 = 0

  /// So that the number of a row has 31 bits.
  static var most: Int { 1 << 21 }
  static var empty: [UInt64] { [UInt64](repeating: 0, count: RowFormat.count / 64) }

  init(_ database: Database, _ number: Int) throws(ClipError) {
    var found: SegmentState?
    try database.run("SELECT segment, live, checksum FROM segments WHERE segment = ?", .integer(Int64(number))) {
      statement throws(ClipError) in
      var state = try SegmentState(database, statement)
      state.checksum = UInt64(bitPattern: try statement.integer(2))
      found = state
      return false
    }
    guard let found else { throw database.damaged("no segment \(number)") }
    self = found
  }

  /// From columns 0 and 1 of a statement.
  init(_ database: Database, _ statement: Statement) throws(ClipError) {
    let segment = try statement.integer(0)
    guard segment >= 0, segment < SegmentState.most else { throw database.damaged("a segment \(segment)") }
    number = Int(segment)
    let bytes = try statement.bytes(1)
    guard bytes.count == RowFormat.count / 8 else {
      throw database.damaged("segment \(segment): expected \(RowFormat.count / 8) bytes of bits, found \(bytes.count)")
    }
    live = SegmentState.empty
    live.withUnsafeMutableBytes { $0.copyMemory(from: bytes) }
  }

  func isLive(_ place: Int) -> Bool { live[place / 64] >> UInt64(place % 64) & 1 != 0 }

  mutating func setLive(_ place: Int, _ isLive: Bool) {
    let bit = UInt64(1) << UInt64(place % 64)
    if isLive { live[place / 64] |= bit } else { live[place / 64] &= ~bit }
  }

  var firstFree: Int? {
    guard let word = live.firstIndex(where: { $0 != .max }) else { return nil }
    return word * 64 + (~live[word]).trailingZeroBitCount
  }

  var liveCount: Int { live.reduce(0) { $0 + $1.nonzeroBitCount } }

  /// Rows up to the last live one.
  var usedCount: Int {
    guard let word = live.lastIndex(where: { $0 != 0 }) else { return 0 }
    return word * 64 + 64 - live[word].leadingZeroBitCount
  }
}

/// The checksum of a row in memory. `scale`: the bits of its scale; 0 without one.
func loadedRowChecksum(_ row: UnsafeRawBufferPointer, _ number: Int, _ scale: UInt32) -> UInt64 {
  checksum(row, seed: UInt64(number) ^ UInt64(scale) << 32)
}

/// How many transactions have changed the index.
enum Changes {
  static func count(_ database: Database) throws(ClipError) -> Int64 {
    try Schema.number(database, "SELECT value FROM information WHERE name = 'changes'")
  }

  static func set(_ database: Database, _ count: Int64) throws(ClipError) {
    try database.run("UPDATE information SET value = ? WHERE name = 'changes'", .integer(count))
  }
}

/// The error that `body` throws. For closures of the standard library, which do not rethrow typed errors in Embedded
/// Swift.
func result(_ body: () throws(ClipError) -> Void) -> ClipError? {
  do throws(ClipError) { try body() } catch { return error }
  return nil
}
