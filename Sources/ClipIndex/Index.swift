import CClip
import CSQLite
import CSystem

/// An open index: its file, and the rows that searches hold in memory. Its calls run one at a time.
final class Index {
  let runtime: Runtime
  let kernels: ScoreKernels
  let database: Database
  let format: RowFormat
  let fingerprint: Name
  let isReadOnly: Bool
  var loaded: LoadedRows
  /// nil where all rows are compared.
  let neighbours: Neighbours?
  private let lock: CallLock
  private let file: FileIdentity

  convenience init(_ runtime: Runtime, _ path: UnsafePointer<CChar>, _ options: clip_index_options) throws(ClipError) {
    let isReadOnly = Int(options.flags) & CLIP_INDEX_READ_ONLY != 0
    let isCreated = Int(options.flags) & CLIP_INDEX_CREATE != 0
    guard !(isReadOnly && isCreated) else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT, "options.flags: CLIP_INDEX_CREATE and CLIP_INDEX_READ_ONLY exclude each other")
    }
    guard path.pointee != 0 else { throw ClipError(CLIP_INVALID_ARGUMENT, "path: expected a file, found \"\"") }
    let wanted = try Schema.Wanted(options)
    if isCreated, wanted.isIncomplete, try FileKind(ClipBase.path(path)) == .absent { throw Schema.incomplete }
    let kernels = try ScoreKernels(runtime)
    let lock = try CallLock()
    let access = isReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | (isCreated ? SQLITE_OPEN_CREATE : 0)
    let wait = options.wait_milliseconds == 0 ? 10000 : Int32(clamping: options.wait_milliseconds)
    let database = try Database(path, flags: access, wait: wait)
    do throws(ClipError) {
      let facts = try Schema.open(database, wanted, isCreated: isCreated, isReadOnly: isReadOnly)
      let neighbours = try Neighbours(runtime, options.neighbours, database.path, facts.format)
      self.init(
        runtime, kernels, database, facts, lock, try FileIdentity(path, database.path), neighbours,
        isReadOnly: isReadOnly)
    } catch {
      database.close()
      throw error
    }
  }

  private init(
    _ runtime: Runtime, _ kernels: ScoreKernels, _ database: Database, _ facts: Schema.Facts, _ lock: CallLock,
    _ file: FileIdentity, _ neighbours: Neighbours?, isReadOnly: Bool
  ) {
    self.runtime = runtime
    self.kernels = kernels
    self.database = database
    self.lock = lock
    self.file = file
    self.isReadOnly = isReadOnly
    self.neighbours = neighbours
    format = facts.format
    fingerprint = facts.fingerprint
    loaded = LoadedRows(facts.format)
  }

  deinit { if !lock.isInChild { database.close() } }

  /// Runs `body` over the index as it is at one moment.
  func reading<Result>(_ body: () throws(ClipError) -> Result) throws(ClipError) -> Result {
    try transaction("BEGIN", body)
  }

  /// Runs `body`, all of whose changes are kept or, after an error, none.
  func writing(_ body: () throws(ClipError) -> Void) throws(ClipError) {
    guard !isReadOnly else { throw ClipError(CLIP_INVALID_ARGUMENT, database.path + ": opened to be read only") }
    try transaction("BEGIN IMMEDIATE", body)
  }

  private func transaction<Result>(_ begin: StaticString, _ body: () throws(ClipError) -> Result) throws(ClipError)
    -> Result
  {
    try lock.lock()
    defer { lock.unlock() }
    try file.check()
    let limit = csystem_hold_file_limit()
    defer { csystem_drop_file_limit(limit) }
    try database.run(begin)
    do throws(ClipError) {
      let result = try body()
      try requireMemory("an index")
      try file.check()
      try database.run("COMMIT")
      return result
    } catch {
      // SQLite may have rolled back already; the first error is the one to tell.
      if database.isInTransaction { do throws(ClipError) { try database.run("ROLLBACK") } catch {} }
      throw error
    }
  }
}

/// One call at a time, of the process that opened the index, and none from inside another on the same thread.
final class CallLock {
  private let raw: UnsafeMutablePointer<pthread_mutex_t>
  private let process = getpid()

  init() throws(ClipError) {
    raw = .allocate(capacity: 1)
    raw.initialize(to: pthread_mutex_t())
    var attributes = pthread_mutexattr_t()
    pthread_mutexattr_init(&attributes)
    pthread_mutexattr_settype(&attributes, Int32(PTHREAD_MUTEX_ERRORCHECK))
    pthread_mutex_init(raw, &attributes)
    pthread_mutexattr_destroy(&attributes)
  }

  deinit {
    pthread_mutex_destroy(raw)
    raw.deallocate()
  }

  var isInChild: Bool { getpid() != process }

  func lock() throws(ClipError) {
    guard !isInChild else {
      throw ClipError(
        CLIP_UNSUPPORTED, "index: expected the process that opened it, found a child that was forked since")
    }
    guard pthread_mutex_lock(raw) == 0 else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "index: called from inside a callback of a call with the same index")
    }
  }

  func unlock() { pthread_mutex_unlock(raw) }
}

/// The file behind a path, as it was opened.
struct FileIdentity {
  private let path: [CChar]
  private let shown: String
  private let facts: stat

  init(_ path: UnsafePointer<CChar>, _ shown: String) throws(ClipError) {
    var facts = stat()
    // The host may change its working folder.
    guard let real = realpath(path, nil) else { throw systemError("cannot look at " + shown) }
    defer { free(real) }
    guard stat(real, &facts) == 0 else { throw systemError("cannot look at " + shown) }
    self.path = Array(UnsafeBufferPointer(start: real, count: strlen(real) + 1))
    self.shown = shown
    self.facts = facts
  }

  /// Throws if the path has another file or none: SQLite would write to a file that nobody finds again.
  func check() throws(ClipError) {
    var now = stat()
    guard path.withUnsafeBufferPointer({ $0.baseAddress.map { stat($0, &now) } ?? -1 }) == 0 else {
      throw systemError("cannot look at " + shown)
    }
    guard now.st_dev == facts.st_dev, now.st_ino == facts.st_ino else {
      throw ClipError(CLIP_IO, shown + ": expected the file that was opened, found another in its place")
    }
  }
}
