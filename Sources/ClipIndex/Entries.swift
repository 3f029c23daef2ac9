import CClip
import CSystem

/// A stored entry. `score` is 0 unless it was compared.
struct Entry {
  let row: Int
  let key: [UInt8]
  let metadata: [UInt8]
  let rowChecksum: Int64
  var score: Float = 0
}

extension Index {
  private static var longestKey: Int { 65536 }
  private static var longestMetadata: Int { 16 << 20 }

  func put(
    _ keys: UnsafePointer<clip_index_bytes>, _ embeddings: UnsafePointer<Float>?,
    _ metadata: UnsafePointer<clip_index_bytes>?, _ n: Int
  ) throws(ClipError) {
    _ = try product(n, format.width, "embeddings")
    try writing { () throws(ClipError) in
      let editor = try SegmentEditor(database, format)
      for i in 0..<n {
        try requireMemory("clip_index_put")
        let key = try Index.key(keys[i], "keys", i)
        let facts = try metadata.map { metadata throws(ClipError) in
          try Index.bytes(metadata[i], "metadata", i, 0, Index.longestMetadata)
        }
        let known = try entry(key)
        var row: (row: Int, checksum: Int64)
        if let embeddings {
          let new = try format.row(embeddings + i * format.width, i)
          row = try editor.write(new, to: known?.row)
        } else {
          guard let known else { throw Index.absent("keys", i, key) }
          row = (known.row, known.rowChecksum)
        }
        try store(row, key, facts ?? UnsafeRawBufferPointer(start: nil, count: 0))
      }
      try editor.finish()
    }
  }

  func rename(_ from: UnsafePointer<clip_index_bytes>, _ to: UnsafePointer<clip_index_bytes>, _ n: Int)
    throws(ClipError)
  {
    try writing { () throws(ClipError) in
      let editor = try SegmentEditor(database, format)
      for i in 0..<n {
        try requireMemory("clip_index_rename")
        let old = try Index.key(from[i], "from", i)
        let new = try Index.key(to[i], "to", i)
        guard let known = try entry(old) else { throw Index.absent("from", i, old) }
        if let other = try entry(new), other.row != known.row { try remove(other, editor) }
        let failure = known.metadata.withUnsafeBytes { metadata in
          result { () throws(ClipError) in try store((known.row, known.rowChecksum), new, metadata) }
        }
        if let failure { throw failure }
      }
      try editor.finish()
    }
  }

  func remove(_ keys: UnsafePointer<clip_index_bytes>, _ n: Int) throws(ClipError) -> Int {
    var removed = 0
    try writing { () throws(ClipError) in
      removed = 0
      let editor = try SegmentEditor(database, format)
      for i in 0..<n {
        guard let known = try entry(try Index.key(keys[i], "keys", i)) else { continue }
        try remove(known, editor)
        removed += 1
      }
      try editor.finish()
    }
    return removed
  }

  private func remove(_ entry: Entry, _ editor: SegmentEditor) throws(ClipError) {
    try editor.clear(entry.row)
    try database.run("DELETE FROM entries WHERE row = ?", .integer(Int64(entry.row)))
  }

  private func store(
    _ row: (row: Int, checksum: Int64), _ key: UnsafeRawBufferPointer, _ metadata: UnsafeRawBufferPointer
  )
    throws(ClipError)
  {
    try database.run(
      "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?)", .integer(Int64(row.row)), .bytes(key),
      .bytes(metadata), .integer(row.checksum), .integer(Index.checksum(row, key, metadata)))
  }

  private static func checksum(
    _ row: (row: Int, checksum: Int64), _ key: UnsafeRawBufferPointer, _ metadata: UnsafeRawBufferPointer
  ) -> Int64 {
    let seed = UInt64(row.row) ^ UInt64(bitPattern: row.checksum)
    return Int64(bitPattern: ClipIndex.checksum(metadata, seed: ClipIndex.checksum(key, seed: seed)))
  }

  func get(_ key: UnsafeRawBufferPointer, _ embedding: UnsafeMutablePointer<Float>?) throws(ClipError) -> Entry {
    try reading { () throws(ClipError) in
      guard let entry = try entry(key) else { throw Index.absent("key", 0, key) }
      guard let embedding else { return entry }
      let row = try Memory(byteCount: format.exactBytes, for: "a row of an index")
      try readRow(entry, into: row.base)
      for i in 0..<format.width { embedding[i] = format.value(row.base, i) }
      return entry
    }
  }

  /// Entries from `key` on in the order of keys, 256 at most.
  func page(from key: [UInt8]) throws(ClipError) -> [Entry] {
    try reading { () throws(ClipError) in try entries(from: key) }
  }

  func describe() throws(ClipError) -> clip_index_info {
    try reading { () throws(ClipError) in
      var info = clip_index_info()
      info.embedding_width = UInt32(format.width)
      info.storage = format.storage
      info.entries = UInt64(clamping: try Schema.number(database, "SELECT count(*) FROM entries"))
      info.changes = UInt64(clamping: try Changes.count(database))
      let pages = try Schema.number(database, "PRAGMA page_count")
      info.file_bytes = UInt64(clamping: pages &* (try Schema.number(database, "PRAGMA page_size")))
      info.memory_bytes = UInt64(clamping: loaded.byteCount + (neighbours?.byteCount ?? 0))
      return info
    }
  }

  /// The entry with a key; nil if there is none.
  func entry(_ key: UnsafeRawBufferPointer) throws(ClipError) -> Entry? {
    var found: Entry?
    try database.run(
      "SELECT row, key, metadata, row_checksum, checksum FROM entries WHERE key = ?", .bytes(key)
    ) { statement throws(ClipError) in
      found = try Index.entry(statement, database)
      return false
    }
    return found
  }

  /// The entry of a live row.
  func entry(row: Int) throws(ClipError) -> Entry {
    var found: Entry?
    try database.run(
      "SELECT row, key, metadata, row_checksum, checksum FROM entries WHERE row = ?", .integer(Int64(row))
    ) { statement throws(ClipError) in
      found = try Index.entry(statement, database)
      return false
    }
    guard let found else { throw database.damaged("row \(row) has no entry") }
    return found
  }

  private func entries(from key: [UInt8]) throws(ClipError) -> [Entry] {
    var entries: [Entry] = []
    let failure = key.withUnsafeBytes { key in
      result { () throws(ClipError) in
        try database.run(
          "SELECT row, key, metadata, row_checksum, checksum FROM entries WHERE key >= ? ORDER BY key LIMIT 256",
          .bytes(key)
        ) { statement throws(ClipError) in
          try entries.add(try Index.entry(statement, database), for: "entries")
          return true
        }
      }
    }
    if let failure { throw failure }
    return entries
  }

  private static func entry(_ statement: Statement, _ database: Database) throws(ClipError) -> Entry {
    let row = try statement.integer(0)
    guard row >= 0, row < 1 << 31 else { throw database.damaged("an entry has row \(row)") }
    let key = try copy(try statement.bytes(1))
    let metadata = try copy(try statement.bytes(2))
    let rowChecksum = try statement.integer(3)
    let stored = try statement.integer(4)
    let computed = key.withUnsafeBytes { key in
      metadata.withUnsafeBytes { checksum((Int(row), rowChecksum), key, $0) }
    }
    guard computed == stored else { throw database.damaged("the entry of row \(row) has another checksum") }
    return Entry(row: Int(row), key: key, metadata: metadata, rowChecksum: rowChecksum)
  }

  private static func copy(_ bytes: UnsafeRawBufferPointer) throws(ClipError) -> [UInt8] {
    var copy: [UInt8] = []
    try copy.reserve(bytes.count, for: "an entry")
    copy.append(contentsOf: bytes)
    return copy
  }

  /// Reads an exact row, checked, to `target`.
  func readRow(_ entry: Entry, into target: UnsafeMutableRawPointer) throws(ClipError) {
    let blob = try database.blob(entry.row / RowFormat.count, isWritten: false)
    guard blob.byteCount == format.segmentBytes else { throw database.damaged("a segment of \(blob.byteCount) bytes") }
    try blob.read(
      format.exactBytes, at: format.exactRows + entry.row % RowFormat.count * format.exactBytes, into: target)
    let found = ClipIndex.checksum(
      UnsafeRawBufferPointer(start: target, count: format.exactBytes), seed: UInt64(entry.row))
    guard Int64(bitPattern: found) == entry.rowChecksum else {
      throw database.damaged("row \(entry.row) has another checksum")
    }
  }

  static func key(_ key: clip_index_bytes, _ what: StaticString, _ place: Int) throws(ClipError)
    -> UnsafeRawBufferPointer
  {
    try bytes(key, what, place, 1, longestKey)
  }

  private static func bytes(_ bytes: clip_index_bytes, _ what: StaticString, _ place: Int, _ least: Int, _ most: Int)
    throws(ClipError) -> UnsafeRawBufferPointer
  {
    guard bytes.size >= least, bytes.size <= most, bytes.data != nil || bytes.size == 0 else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "\(what)[\(place)]: expected \(least) to \(most) bytes, found "
          + (bytes.data == nil ? "a null pointer" : "\(UInt64(UInt(bitPattern: bytes.size)))"))
    }
    return UnsafeRawBufferPointer(start: bytes.data, count: bytes.size)
  }

  static func absent(_ what: StaticString, _ place: Int, _ key: UnsafeRawBufferPointer) -> ClipError {
    let shown = Name(utf8: Array(key.prefix(200))).string
    return ClipError(CLIP_NOT_FOUND, "\(what)[\(place)]: expected the key of an entry, found \"" + shown + "\"")
  }
}
