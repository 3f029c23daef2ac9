import CClip
import CSQLite
import CSystem

/// A connection to an SQLite database, with the statements it has prepared. For one thread at a time.
final class Database {
  enum Value {
    case null
    case integer(Int64)
    case bytes(UnsafeRawBufferPointer)
    case text(Name)
    case zeros(Int)
  }

  /// For messages.
  let path: String
  fileprivate let handle: OpaquePointer
  private var statements: [(sql: UnsafePointer<UInt8>, statement: Statement)] = []

  /// `flags`: SQLITE_OPEN_*. `wait`: milliseconds for another writer.
  convenience init(_ path: UnsafePointer<CChar>, flags: Int32, wait: Int32) throws(ClipError) {
    let shown = ClipBase.path(path)
    guard sqlite3_threadsafe() != 0 else {
      throw ClipError(CLIP_UNSUPPORTED, "index: expected an SQLite library for threads, found one without")
    }
    // So that no path is ":memory:" or a URI.
    let name = (path.pointee == 0x2f ? [] : [0x2e, 0x2f]) + UnsafeBufferPointer(start: path, count: strlen(path) + 1)
    var handle: OpaquePointer?
    let code = name.withUnsafeBytes {
      sqlite3_open_v2($0.baseAddress?.assumingMemoryBound(to: CChar.self), &handle, flags | SQLITE_OPEN_NOMUTEX, nil)
    }
    guard let handle else { throw ClipError(CLIP_OUT_OF_MEMORY, "index: the system has no memory left") }
    guard code == SQLITE_OK else {
      let error = Database.failure(handle, shown)
      sqlite3_close_v2(handle)
      if code & 0xff == SQLITE_CANTOPEN, let cause = Database.cause(path, flags, shown) { throw cause }
      throw error
    }
    sqlite3_busy_timeout(handle, wait)
    self.init(shown, handle)
  }

  private init(_ path: String, _ handle: OpaquePointer) {
    self.path = path
    self.handle = handle
  }

  /// Moves the log into the file if this is its last user. Not done in a forked child, which would remove its parent's
  /// log.
  func close() {
    statements = []
    let limit = csystem_hold_file_limit()
    sqlite3_close_v2(handle)
    csystem_drop_file_limit(limit)
  }

  var error: ClipError { Database.failure(handle, path) }

  private static func failure(_ handle: OpaquePointer, _ path: String) -> ClipError {
    let code = sqlite3_extended_errcode(handle)
    let system = sqlite3_system_errno(handle)
    var message = path + ": " + (sqlite3_errmsg(handle).map { String(cString: $0) } ?? "unknown error")
    let isSystem = [SQLITE_IOERR, SQLITE_CANTOPEN, SQLITE_FULL].contains(code & 0xff) && system != 0
    if code & 0xff == SQLITE_BUSY { message += " by another writer" }
    if isSystem { message += " (" + describe(errno: system) + ")" }
    return ClipError(status(code, system), message)
  }

  /// Why the file cannot be opened: SQLite looks at more files before it says what the system's error was.
  private static func cause(_ path: UnsafePointer<CChar>, _ flags: Int32, _ shown: String) -> ClipError? {
    let access = flags & SQLITE_OPEN_READONLY != 0 ? O_RDONLY | O_NONBLOCK : O_RDWR
    let descriptor = csystem_open(path, flags & SQLITE_OPEN_CREATE != 0 ? access | O_CREAT : access)
    guard descriptor < 0 else {
      _ = csystem_close(descriptor)
      return nil
    }
    return systemError("cannot open " + shown)
  }

  private static func status(_ code: Int32, _ system: Int32) -> clip_status {
    switch code & 0xff {
    case SQLITE_NOMEM: return CLIP_OUT_OF_MEMORY
    case SQLITE_IOERR where code >> 8 == 12 || system == ENOMEM: return CLIP_OUT_OF_MEMORY  // SQLITE_IOERR_NOMEM
    case SQLITE_CANTOPEN where system == ENOENT: return CLIP_NOT_FOUND
    case SQLITE_CANTOPEN where system == ENOMEM: return CLIP_OUT_OF_MEMORY
    case SQLITE_ERROR, SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_CONSTRAINT, SQLITE_MISMATCH, SQLITE_SCHEMA, SQLITE_FORMAT,
      SQLITE_RANGE:
      return CLIP_FORMAT
    case SQLITE_TOOBIG: return CLIP_LIMIT
    default: return CLIP_IO
    }
  }

  /// An error about what the database holds.
  func damaged(_ what: String) -> ClipError { ClipError(CLIP_FORMAT, path + ": damaged: " + what) }

  /// Runs `sql` with its parameters, and calls `row` for each row until that returns false.
  func run(
    _ sql: StaticString, _ values: Value...,
    row: (Statement) throws(ClipError) -> Bool = { _ throws(ClipError) in true }
  ) throws(ClipError) {
    let statement = try prepared(sql)
    defer { statement.reset() }
    for (index, value) in values.enumerated() {
      guard statement.bind(Int32(index + 1), value) == SQLITE_OK else { throw error }
    }
    while try statement.step() {
      if try !row(statement) { return }
    }
  }

  private func prepared(_ sql: StaticString) throws(ClipError) -> Statement {
    if let known = statements.first(where: { $0.sql == sql.utf8Start }) { return known.statement }
    var prepared: OpaquePointer?
    let flags = UInt32(SQLITE_PREPARE_PERSISTENT)
    guard sqlite3_prepare_v3(handle, sql.cString, -1, flags, &prepared, nil) == SQLITE_OK, let prepared else {
      throw error
    }
    let statement = Statement(prepared, self)
    try statements.add((sql.utf8Start, statement), for: "statements")
    return statement
  }

  var changedRows: Int { Int(sqlite3_changes(handle)) }
  var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

  /// The blob of rows of a segment.
  func blob(_ segment: Int, isWritten: Bool) throws(ClipError) -> Blob {
    var blob: OpaquePointer?
    let (main, table, column) = (StaticString("main"), StaticString("rows"), StaticString("rows"))
    guard
      sqlite3_blob_open(
        handle, main.cString, table.cString, column.cString, Int64(segment), isWritten ? 1 : 0, &blob) == SQLITE_OK,
      let blob
    else { throw error }
    return Blob(blob, self)
  }
}

/// A prepared statement; finalised with its last reference.
final class Statement {
  private let handle: OpaquePointer
  private unowned(unsafe) let database: Database

  fileprivate init(_ handle: OpaquePointer, _ database: Database) {
    self.handle = handle
    self.database = database
  }

  deinit { sqlite3_finalize(handle) }

  /// Bytes stay the caller's, valid until `reset`.
  fileprivate func bind(_ place: Int32, _ value: Database.Value) -> Int32 {
    switch value {
    case .null: return sqlite3_bind_null(handle, place)
    case .integer(let number): return sqlite3_bind_int64(handle, place, number)
    case .zeros(let count): return sqlite3_bind_zeroblob64(handle, place, UInt64(max(0, count)))
    case .bytes(let bytes):
      guard bytes.count > 0 else { return sqlite3_bind_zeroblob64(handle, place, 0) }
      return sqlite3_bind_blob64(handle, place, bytes.baseAddress, UInt64(bytes.count), nil)
    case .text(let name):
      let copy: sqlite3_destructor_type = unsafeBitCast(-1, to: sqlite3_destructor_type.self)  // SQLITE_TRANSIENT
      return name.utf8.withUnsafeBytes {
        sqlite3_bind_text64(
          handle, place, $0.baseAddress?.assumingMemoryBound(to: CChar.self), UInt64($0.count), copy,
          UInt8(SQLITE_UTF8))
      }
    }
  }

  fileprivate func step() throws(ClipError) -> Bool {
    switch sqlite3_step(handle) {
    case SQLITE_ROW: return true
    case SQLITE_DONE: return false
    default: throw database.error
    }
  }

  fileprivate func reset() {
    sqlite3_reset(handle)
    sqlite3_clear_bindings(handle)
  }

  func integer(_ column: Int32) throws(ClipError) -> Int64 {
    guard sqlite3_column_type(handle, column) == SQLITE_INTEGER else {
      throw database.damaged("expected a number in column \(column)")
    }
    return sqlite3_column_int64(handle, column)
  }

  /// The bytes of a blob or a text, valid until the next step.
  func bytes(_ column: Int32) throws(ClipError) -> UnsafeRawBufferPointer {
    let kind = sqlite3_column_type(handle, column)
    guard kind == SQLITE_BLOB || kind == SQLITE_TEXT || kind == SQLITE_NULL else {
      throw database.damaged("expected bytes in column \(column)")
    }
    let start = sqlite3_column_blob(handle, column)
    let count = Int(sqlite3_column_bytes(handle, column))
    guard let start else {
      guard count == 0 else { throw ClipError(CLIP_OUT_OF_MEMORY, database.path + ": the system has no memory left") }
      return UnsafeRawBufferPointer(start: nil, count: 0)
    }
    return UnsafeRawBufferPointer(start: start, count: count)
  }
}

/// An open blob; closed with its last reference, before the transaction ends.
final class Blob {
  private let handle: OpaquePointer
  private let database: Database

  fileprivate init(_ handle: OpaquePointer, _ database: Database) {
    self.handle = handle
    self.database = database
  }

  deinit { sqlite3_blob_close(handle) }

  var byteCount: Int { Int(sqlite3_blob_bytes(handle)) }

  func read(_ count: Int, at offset: Int, into target: UnsafeMutableRawPointer) throws(ClipError) {
    guard sqlite3_blob_read(handle, target, Int32(count), Int32(offset)) == SQLITE_OK else { throw database.error }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(ClipError) {
    guard sqlite3_blob_write(handle, bytes.baseAddress, Int32(bytes.count), Int32(offset)) == SQLITE_OK else {
      throw database.error
    }
  }
}
