import CClip
import CSQLite

/// The tables of an index: docs/index.md describes them.
enum Schema {
  /// "CLIP", as SQLite's application_id.
  private static var application: Int64 { 0x434c_4950 }
  private static var version: Int64 { 1 }

  private static var tables: [StaticString] {
    [
      "CREATE TABLE information (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
      "CREATE TABLE entries (row INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, metadata BLOB NOT NULL, row_checksum INTEGER NOT NULL, checksum INTEGER NOT NULL)",
      "CREATE TABLE segments (segment INTEGER PRIMARY KEY, changed INTEGER NOT NULL, live BLOB NOT NULL, checksum INTEGER NOT NULL)",
      "CREATE TABLE rows (segment INTEGER PRIMARY KEY, rows BLOB NOT NULL)",
    ]
  }

  /// The options of the caller.
  struct Wanted {
    let fingerprint: Name?
    let width: Int
    let storage: clip_storage

    /// Whether they are not sufficient for a new index.
    var isIncomplete: Bool { fingerprint == nil || width == 0 }

    init(_ options: clip_index_options) throws(ClipError) {
      fingerprint = options.fingerprint.map { Name(cString: $0) }
      width = Int(options.embedding_width)
      storage = options.storage
      if let fingerprint, !(1...4096).contains(fingerprint.utf8.count) {
        throw ClipError(
          CLIP_INVALID_ARGUMENT, "options.fingerprint: expected 1 to 4096 bytes, found \(fingerprint.utf8.count)")
      }
      guard width <= 65536 else {
        throw ClipError(CLIP_INVALID_ARGUMENT, "options.embedding_width: expected 1 to 65536, found \(width)")
      }
      guard [CLIP_STORAGE_F32, CLIP_STORAGE_F16, CLIP_STORAGE_INT8].contains(storage) else {
        throw ClipError(
          CLIP_INVALID_ARGUMENT,
          "options.storage: expected CLIP_STORAGE_F32, _F16 or _INT8, found \(storage.rawValue)")
      }
    }
  }

  /// The properties in the file.
  struct Facts {
    let format: RowFormat
    let fingerprint: Name
  }

  /// Checks an index, or makes one in an empty database.
  static func open(_ database: Database, _ wanted: Wanted, isCreated: Bool, isReadOnly: Bool) throws(ClipError) -> Facts
  {
    // Before the first page is read: a schema of another's may call no functions, and cells are checked.
    try database.run("PRAGMA trusted_schema = OFF")
    try database.run("PRAGMA cell_size_check = ON")
    try database.run("PRAGMA temp_store = MEMORY")
    try database.run("PRAGMA mmap_size = 0")
    if isCreated, try number(database, "PRAGMA page_count") == 0 {
      try database.run("PRAGMA page_size = 16384")
      // With a map of pages, by which SQLite finds a row in a segment without reading the pages before it.
      try database.run("PRAGMA auto_vacuum = INCREMENTAL")
    }
    if !isReadOnly {
      try database.run("PRAGMA synchronous = NORMAL")
      try database.run("PRAGMA journal_size_limit = 67108864")
    }
    if try isEmpty(database) {
      guard isCreated else {
        throw ClipError(
          CLIP_NOT_FOUND, database.path + ": expected an index, found an empty file, as one is before it is complete")
      }
      try create(database, wanted)
    }
    let facts = try check(database)
    if let fingerprint = wanted.fingerprint, fingerprint != facts.fingerprint {
      throw ClipError(
        CLIP_MISMATCH,
        database.path + ": expected embeddings of \"" + fingerprint.string + "\", found those of \""
          + facts.fingerprint.string + "\"")
    }
    guard wanted.width == 0 || wanted.width == facts.format.width else {
      throw ClipError(
        CLIP_MISMATCH,
        database.path + ": expected embeddings of \(wanted.width) elements, found \(facts.format.width)")
    }
    return facts
  }

  /// Whether the file has 0 bytes, or only what exists before the first transaction.
  private static func isEmpty(_ database: Database) throws(ClipError) -> Bool {
    let application = try number(database, "PRAGMA application_id")
    return try application == 0 ? number(database, "SELECT count(*) FROM sqlite_schema") == 0 : false
  }

  private static func create(_ database: Database, _ wanted: Wanted) throws(ClipError) {
    guard let fingerprint = wanted.fingerprint, wanted.width > 0 else { throw incomplete }
    try database.run("PRAGMA journal_mode = WAL")
    try database.run("BEGIN IMMEDIATE")
    do throws(ClipError) {
      // Another process may have been first.
      if try isEmpty(database) {
        for table in tables { try database.run(table) }
        let put: StaticString = "INSERT INTO information VALUES (?, ?)"
        try database.run(put, .text("fingerprint"), .text(fingerprint))
        try database.run(put, .text("embedding_width"), .integer(Int64(wanted.width)))
        try database.run(put, .text("storage"), .text(name(of: wanted.storage)))
        try database.run(put, .text("changes"), .integer(0))
        try database.run("PRAGMA user_version = 1")
        try database.run("PRAGMA application_id = 0x434c4950")
      }
      try database.run("COMMIT")
    } catch {
      if database.isInTransaction { do throws(ClipError) { try database.run("ROLLBACK") } catch {} }
      throw error
    }
  }

  private static func check(_ database: Database) throws(ClipError) -> Facts {
    guard try number(database, "PRAGMA application_id") == application else { throw foreign(database) }
    let found = try number(database, "PRAGMA user_version")
    guard found == version else {
      throw ClipError(
        CLIP_UNSUPPORTED, database.path + ": expected an index of version \(version), found version \(found)")
    }
    for table in tables {
      let sql = Name(table.description)
      var isThere = false
      try database.run("SELECT 1 FROM sqlite_schema WHERE sql = ?", .text(sql)) { _ throws(ClipError) in
        isThere = true
        return false
      }
      guard isThere else { throw database.damaged("expected " + sql.string) }
    }
    guard try number(database, "SELECT count(*) FROM sqlite_schema WHERE type NOT IN ('table', 'index')") == 0 else {
      throw database.damaged("expected tables alone, found a trigger or a view")
    }
    let width = try information(database, "embedding_width") { statement throws(ClipError) in try statement.integer(0) }
    let kind = try information(database, "storage") { statement throws(ClipError) in
      Name(utf8: Array(try statement.bytes(0)))
    }
    let fingerprint = try information(database, "fingerprint") { statement throws(ClipError) in
      Name(utf8: Array(try statement.bytes(0)))
    }
    guard (1...65536).contains(width) else { throw database.damaged("embedding_width is \(width)") }
    guard let storage = [CLIP_STORAGE_F32, CLIP_STORAGE_F16, CLIP_STORAGE_INT8].first(where: { name(of: $0) == kind })
    else { throw database.damaged("storage is \"" + kind.string + "\"") }
    return Facts(format: RowFormat(storage: storage, width: Int(width)), fingerprint: fingerprint)
  }

  private static func name(of storage: clip_storage) -> Name {
    storage == CLIP_STORAGE_F32 ? "f32" : storage == CLIP_STORAGE_F16 ? "f16" : "int8"
  }

  static var incomplete: ClipError {
    ClipError(
      CLIP_INVALID_ARGUMENT, "options: expected a fingerprint and an embedding_width for a new index, found none")
  }

  private static func foreign(_ database: Database) -> ClipError {
    ClipError(CLIP_FORMAT, database.path + ": expected an index of clipcore's, found another database")
  }

  static func number(_ database: Database, _ sql: StaticString) throws(ClipError) -> Int64 {
    var number: Int64 = 0
    try database.run(sql) { statement throws(ClipError) in
      number = try statement.integer(0)
      return false
    }
    return number
  }

  private static func information<Value>(
    _ database: Database, _ name: Name, _ read: (Statement) throws(ClipError) -> Value
  ) throws(ClipError) -> Value {
    var value: Value?
    try database.run("SELECT value FROM information WHERE name = ?", .text(name)) { statement throws(ClipError) in
      value = try read(statement)
      return false
    }
    guard let value else { throw database.damaged("no " + name.string) }
    return value
  }
}
