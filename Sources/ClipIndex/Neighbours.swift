import CClip
import CSystem

/// Approximate search by a plugin's structure over the rows as they once were; segments that changed since are compared
/// row by row.
final class Neighbours {
  private typealias Table = UnsafePointer<clip_neighbours>

  /// Fewer rows are compared one by one.
  static var fewestRows: Int { 4096 }

  private let table: Table
  private let reference: OpaquePointer
  private let method: Name
  private let path: String
  private var loaded: LoadedRows
  private var structure: Structure?
  /// The file that could not be read as one.
  private var refused: FileState?

  /// nil for no method.
  convenience init?(_ runtime: Runtime, _ method: UnsafePointer<CChar>?, _ path: String, _ format: RowFormat)
    throws(ClipError)
  {
    guard let method else { return nil }
    let name = Name(cString: method)
    let id = Neighbours.id(bringing: name, runtime) ?? "clipcore.neighbours.faiss"
    var table: UnsafeRawPointer?
    var reference: OpaquePointer?
    let bytes = id.utf8.map { CChar(bitPattern: $0) } + [0]
    try call(clip_plugin_table_hold(runtime.handle, CLIP_KIND_NEIGHBOURS, bytes, &table, &reference))
    guard let table, let reference else { throw ClipError(CLIP_PLUGIN, "index: expected neighbours, found none") }
    let neighbours = table.assumingMemoryBound(to: clip_neighbours.self)
    guard Neighbours.methods(neighbours).contains(name) else {
      clip_plugin_reference_release(reference)
      throw ClipError(
        CLIP_NOT_FOUND,
        "options.neighbours: expected one of " + String(cString: neighbours.pointee.methods) + ", found " + name.string)
    }
    self.init(neighbours, reference, name, path + "." + name.string, LoadedRows(format))
  }

  private init(
    _ table: Table, _ reference: OpaquePointer, _ method: Name, _ path: String, _ loaded: LoadedRows
  ) {
    self.table = table
    self.reference = reference
    self.method = method
    self.path = path
    self.loaded = loaded
  }

  deinit {
    structure = nil
    clip_plugin_reference_release(reference)
  }

  private var methodText: [CChar] { method.utf8.map { CChar(bitPattern: $0) } + [0] }
  var byteCount: Int { loaded.byteCount + (structure?.byteCount ?? 0) }
  /// Rows of the structure.
  var count: Int { structure?.rows.count ?? 0 }
  /// Rows of the file, free ones among them.
  var rowCount: Int { loaded.segments.count * RowFormat.count }
  /// All rows as they are, where the structure needs them in memory.
  var allRows: [LoadedSegment]? { structure?.usesRows == true ? loaded.segments : nil }

  /// The id of a loaded plugin that has the method.
  private static func id(bringing method: Name, _ runtime: Runtime) -> Name? {
    var search = (method: method, id: Name?.none)
    _ = withUnsafeMutablePointer(to: &search) { search in
      clip_plugin_tables_visit(
        runtime.handle, CLIP_KIND_NEIGHBOURS,
        { search, id, table in
          guard let search = search?.assumingMemoryBound(to: (method: Name, id: Name?).self), let id, let table,
            Neighbours.methods(table.assumingMemoryBound(to: clip_neighbours.self)).contains(search.pointee.method)
          else { return 0 }
          search.pointee.id = Name(cString: id)
          return 1
        }, search)
    }
    return search.id
  }

  private static func methods(_ table: Table) -> [Name] {
    Name(cString: table.pointee.methods).utf8.split(separator: UInt8(ascii: ",")).map { Name(utf8: Array($0)) }
  }

  // MARK: The structure

  /// Brings the structure up to date; false where all rows are to be compared. Inside a transaction.
  func refresh(_ index: Index, _ progress: clip_progress) throws(ClipError) -> Bool {
    if structure == nil { try load(index, progress) }
    if let structure {
      try loaded.refresh(
        index.database, clip_progress(), except: structure.usesRows ? [] : structure.marks)
      let changed = changedSegments.reduce(0) { $0 + $1.state.liveCount }
      if index.isReadOnly || changed <= max(16384, structure.rows.count / 4) { return true }
    } else {
      if index.isReadOnly { return false }
      let live = try Schema.number(index.database, "SELECT count(*) FROM (SELECT 1 FROM entries LIMIT 4096)")
      if live < Neighbours.fewestRows { return false }
    }
    structure = nil
    try build(index, progress)
    return true
  }

  private var changedSegments: [LoadedSegment] {
    guard let structure else { return loaded.segments }
    return loaded.segments.filter {
      let number = $0.state.number
      return !(number < structure.marks.count && structure.marks[number] == $0.mark)
    }
  }

  private func build(_ index: Index, _ progress: clip_progress) throws(ClipError) {
    try loaded.refresh(index.database, clip_progress())
    let total = loaded.segments.reduce(0) { $0 + $1.state.liveCount }
    let numbers = try Memory(byteCount: try product(4, total, "rows"), for: "rows of neighbours")
    var count = 0
    for segment in loaded.segments {
      for place in 0..<segment.state.usedCount where segment.state.isLive(place) {
        let row = Int32(segment.state.number * RowFormat.count + place)
        numbers.base.storeBytes(of: row, toByteOffset: 4 * count, as: Int32.self)
        count += 1
      }
    }
    let rows = NeighbourRows(numbers, count, loaded, index.kernels, index.runtime)
    rows.progress = Progress(progress, total: count)
    var handle: UnsafeMutableRawPointer?
    do throws(ClipError) {
      try callPlugin("neighbours", "") { error in
        rows.withC { rows in
          methodText.withUnsafeBufferPointer { table.pointee.build($0.baseAddress, rows, &handle, error) }
        }
      }
    } catch {
      throw rows.failure ?? error
    }
    let made = try Structure(table, handle, rows, loaded.segments.map { $0.mark })
    structure = made
    do throws(ClipError) { try save(made) } catch { index.runtime.warning("neighbours are not kept: " + error.message) }
    if !made.usesRows { loaded = LoadedRows(index.format) }
    try loaded.refresh(index.database, clip_progress(), except: made.usesRows ? [] : made.marks)
  }

  /// What is near to a query.
  struct Found {
    /// First those that the structure found, then of what changed since.
    var candidates: [Candidate]
    var structureCount = 0
    /// How many of the structure's rows are as they were.
    var currentCount = 0
    /// Rows that changed since and score less may be missing.
    var floor = -Float.infinity
    /// Whether the structure's are the best by the rows' scores, and whether these are exact.
    let areRanked: Bool
    let areExact: Bool
  }

  /// Up to `wanted` rows of the structure, and as many of what changed since.
  func search(_ index: Index, _ query: Query, _ wanted: Int) throws(ClipError) -> Found {
    guard let structure else { return Found(candidates: [], areRanked: true, areExact: true) }
    let format = index.format
    let changed = changedSegments
    let numbers = try structure.search(query.unit.floats, wanted)
    var found = Found(
      candidates: [], areRanked: structure.usesRows, areExact: structure.usesRows && !format.hasBytes)
    // Of bytes, those whose exact score may be among the best.
    var best = Best(structure.usesRows && format.hasBytes ? wanted / 2 : wanted, from: -.infinity)
    let prepared = try Memory(byteCount: 4 * format.paddedWidth + 64, for: "a query")
    structure.rows.prepare(query.unit.floats, prepared.base)
    for number in numbers {
      let row = structure.rows.row(number)
      if changed.contains(where: { $0.state.number == row / RowFormat.count }) { continue }
      found.currentCount += 1
      let score = structure.usesRows ? structure.rows.score(number, prepared.base) : 0
      try best.add(Candidate(score: score, row: Int32(row)))
    }
    if structure.usesRows { try best.prune() }
    found.candidates = best.candidates
    found.structureCount = best.candidates.count
    guard !changed.isEmpty else { return found }
    let scores = try Scores(changed, format, query, index.kernels, index.runtime)
    let others = try scores.best(wanted, below: .infinity)
    for candidate in others { try found.candidates.add(candidate, for: "matches") }
    if others.count >= wanted, let last = others.last {
      found.floor = format.hasBytes ? last.score + Index.byteError : last.score
    }
    return found
  }

  // MARK: Its file

  private var methodHash: UInt64 {
    let name = Name(cString: table.pointee.id) + ":" + method
    return name.utf8.withUnsafeBytes { checksum($0, seed: 1) }
  }

  private func save(_ structure: Structure) throws(ClipError) {
    let writer = try NeighboursWriter(path)
    let head = NeighboursFile.Head(
      magic: NeighboursFile.magic, method: methodHash, segments: UInt64(structure.marks.count),
      rows: UInt64(structure.rows.count))
    var failure = withUnsafeBytes(of: head) { bytes in result { () throws(ClipError) in try writer.put(bytes) } }
    if failure == nil {
      failure = structure.marks.withUnsafeBytes { bytes in result { () throws(ClipError) in try writer.put(bytes) } }
    }
    if let failure { throw failure }
    try writer.put(UnsafeRawBufferPointer(start: structure.rows.numbers.base, count: 4 * structure.rows.count))
    try structure.save(writer)
    try writer.finish()
  }

  /// Reads the structure from its file. One that is damaged is told, and none.
  private func load(_ index: Index, _ progress: clip_progress) throws(ClipError) {
    guard try FileKind(path) == .file else { return }
    let state = FileState(path)
    guard state == nil || state != refused else { return }
    do throws(ClipError) {
      let reader = try NeighboursReader(path)
      let head = try reader.get(NeighboursFile.Head.self)
      guard head.magic == NeighboursFile.magic, head.method == methodHash, head.segments <= SegmentState.most,
        head.rows >= 1, head.rows <= head.segments * UInt64(RowFormat.count),
        Int(head.segments) * 16 + Int(head.rows) * 4 <= reader.remaining
      else { throw reader.damaged("no neighbours of this method") }
      var marks: [SegmentMark] = []
      for _ in 0..<head.segments { try marks.add(try reader.get(SegmentMark.self), for: "segments") }
      let count = Int(head.rows)
      let numbers = try Memory(byteCount: 4 * count, for: "rows of neighbours")
      try reader.get(4 * count, into: numbers.base)
      var last: Int32 = -1
      for i in 0..<count {
        let row = numbers.base.load(fromByteOffset: 4 * i, as: Int32.self)
        guard row > last, Int(row) < marks.count * RowFormat.count else { throw reader.damaged("row \(row)") }
        last = row
      }
      try loaded.refresh(index.database, progress)
      // Another process may have built it from entries that this transaction does not see.
      guard marks.count <= loaded.segments.count else { return }
      let rows = NeighbourRows(numbers, count, loaded, index.kernels, index.runtime)
      let handle = try Structure.load(table, methodText, rows, reader)
      let read = try Structure(table, handle, rows, marks)
      try reader.finish()
      structure = read
      if !read.usesRows { loaded = LoadedRows(index.format) }
    } catch {
      if error.status == CLIP_OUT_OF_MEMORY || error.status == CLIP_CANCELLED { throw error }
      refused = state
      index.runtime.warning("neighbours are made again: " + error.message)
    }
  }
}

/// A plugin's structure, the rows it is over and the segments as they were.
final class Structure {
  let rows: NeighbourRows
  let marks: [SegmentMark]
  let usesRows: Bool
  private let table: UnsafePointer<clip_neighbours>
  private let handle: UnsafeMutableRawPointer

  /// Owns `handle`.
  init(
    _ table: UnsafePointer<clip_neighbours>, _ handle: UnsafeMutableRawPointer?, _ rows: NeighbourRows,
    _ marks: [SegmentMark]
  ) throws(ClipError) {
    guard let handle else { throw ClipError(CLIP_PLUGIN, "neighbours: expected a structure, found none") }
    self.rows = rows
    self.marks = marks
    self.table = table
    self.handle = handle
    usesRows = table.pointee.uses_rows(handle) != 0
    if !usesRows { rows.drop() }
  }

  deinit { table.pointee.close(handle) }

  var byteCount: Int { Int(clamping: table.pointee.memory_bytes(handle)) + rows.numbers.byteCount }

  /// Numbers of rows, each once.
  func search(_ query: UnsafePointer<Float>, _ wanted: Int) throws(ClipError) -> [UInt32] {
    let numbers = try Memory(byteCount: try product(4, wanted, "neighbours"), for: "neighbours")
    let place = numbers.base.bindMemory(to: UInt32.self, capacity: wanted)
    var found = 0
    try callPlugin("neighbours", "") { table.pointee.search(handle, query, wanted, place, &found, $0) }
    guard found <= wanted else { throw ClipError(CLIP_PLUGIN, "neighbours: expected \(wanted) rows, found \(found)") }
    var list: [UInt32] = []
    try list.reserve(found, for: "neighbours")
    for i in 0..<found where Int(place[i]) < rows.count { list.append(place[i]) }
    try list.arrange(for: "neighbours", by: <)
    var last: UInt32?
    list.removeAll { number in
      defer { last = number }
      return number == last
    }
    return list
  }

  func save(_ writer: NeighboursWriter) throws(ClipError) {
    let file = Stream(writer)
    try file.call { host, error in
      table.pointee.save(
        handle,
        { file, bytes, size in
          Stream<NeighboursWriter>.run(file) { writer throws(ClipError) in
            try writer.put(UnsafeRawBufferPointer(start: bytes, count: size))
          }
        }, host, error)
    }
  }

  static func load(
    _ table: UnsafePointer<clip_neighbours>, _ method: [CChar], _ rows: NeighbourRows, _ reader: NeighboursReader
  ) throws(ClipError) -> UnsafeMutableRawPointer? {
    let file = Stream(reader)
    var handle: UnsafeMutableRawPointer?
    try file.call { host, error in
      rows.withC { rows in
        method.withUnsafeBufferPointer { method in
          table.pointee.load(
            method.baseAddress, rows,
            { file, bytes, size in
              Stream<NeighboursReader>.run(file) { reader throws(ClipError) in
                guard let bytes else { return }
                try reader.get(size, into: bytes)
              }
            }, host, &handle, error)
        }
      }
    }
    return handle
  }
}

/// A file that a plugin's function writes or reads, and the error that ended it.
private final class Stream<File: AnyObject> {
  private let file: File
  private var failure: ClipError?

  init(_ file: File) { self.file = file }

  func call(_ body: (UnsafeMutableRawPointer, UnsafeMutablePointer<clip_plugin_error>) -> clip_status)
    throws(ClipError)
  {
    do throws(ClipError) {
      try callPlugin("neighbours", "") { body(Unmanaged.passUnretained(self).toOpaque(), $0) }
    } catch {
      throw failure ?? error
    }
  }

  static func run(_ stream: UnsafeMutableRawPointer?, _ body: (File) throws(ClipError) -> Void) -> clip_status {
    guard let stream else { return CLIP_INVALID_ARGUMENT }
    let own = Unmanaged<Stream>.fromOpaque(stream).takeUnretainedValue()
    do throws(ClipError) {
      try body(own.file)
      return CLIP_OK
    } catch {
      own.failure = error
      return error.status
    }
  }
}
