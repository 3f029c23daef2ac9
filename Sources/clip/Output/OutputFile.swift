import Glibc

/// Path of the file being written aside, for the signal handler below to delete.
private nonisolated(unsafe) var pendingPath: UnsafeMutablePointer<CChar>?

/// Writes a file so that nobody sees half of it: aside in the same folder, then renamed.
enum OutputFile {
  /// Throws now what would otherwise fail only after the work: a folder that is missing or read-only,
  /// or a folder at the file's own path.
  static func checkWritable(_ path: ByteString) throws(CLIPError) {
    var status = stat()
    if path.withCString({ stat($0, &status) }) == 0 {
      if status.st_mode & S_IFMT == S_IFDIR { throw .system("cannot write \(path.shown)", EISDIR) }
      if status.st_mode & S_IFMT != S_IFREG { return }
    }
    let folder = resolved(path).folder
    guard folder.withCString({ access($0, W_OK | X_OK) }) == 0 else {
      throw .system("cannot write \(path.shown): folder \(folder.shown)")
    }
  }

  /// Calls `body` with a writer and puts the file in place. On an error the file that was there before
  /// is as it was.
  static func write(to path: ByteString, _ body: (FileWriter) throws(CLIPError) -> Void) throws(CLIPError) {
    let target = resolved(path)
    var status = stat()
    let exists = target.withCString { stat($0, &status) } == 0
    if exists && status.st_mode & S_IFMT != S_IFREG {
      // A pipe or device is written itself: there is nothing to rename.
      return try fill(target, O_WRONLY, named: path, body)
    }
    let aside = target.folder.appending(Array(".clip-\(getpid()).part".utf8))
    remember(aside)
    defer { forget() }
    do throws(CLIPError) {
      try fill(aside, O_WRONLY | O_CREAT | O_EXCL, named: path, body)
      if exists { _ = aside.withCString { chmod($0, status.st_mode & 0o7777) } }
      let renamed = aside.withCString { from in target.withCString { to in rename(from, to) } }
      guard renamed == 0 else { throw CLIPError.system("cannot write \(path.shown)") }
    } catch {
      _ = aside.withCString { unlink($0) }
      throw error
    }
  }

  private static func fill(
    _ file: ByteString, _ flags: Int32, named path: ByteString, _ body: (FileWriter) throws(CLIPError) -> Void
  ) throws(CLIPError) {
    let descriptor = file.withCString { open($0, flags | O_CLOEXEC, 0o666) }
    guard descriptor >= 0 else { throw .system("cannot write \(path.shown)") }
    let writer = FileWriter(descriptor, name: path.shown)
    do throws(CLIPError) {
      try body(writer)
      try writer.flush()
    } catch {
      close(descriptor)
      throw error
    }
    // A pipe cannot be synchronised and says EINVAL.
    let synced = fsync(descriptor) == 0 || errno == EINVAL ? 0 : errno
    let closed = close(descriptor) == 0 ? 0 : errno
    guard synced == 0, closed == 0 else {
      throw .system("cannot write \(path.shown)", synced != 0 ? synced : closed)
    }
  }

  /// The path with links followed, so that renaming replaces the file and not a link to it.
  private static func resolved(_ path: ByteString) -> ByteString {
    guard let real = path.withCString({ realpath($0, nil) }) else { return path }
    defer { free(real) }
    return ByteString(UnsafeRawBufferPointer(start: real, count: strlen(real)))
  }

  /// From now on a signal that ends the program deletes `path` first.
  private static func remember(_ path: ByteString) {
    pendingPath = path.withCString { strdup($0) }
    for number in [SIGINT, SIGTERM, SIGHUP] {
      let before = signal(number) { number in
        if let pendingPath { unlink(pendingPath) }
        signal(number, SIG_DFL)
        raise(number)
      }
      // A signal that is ignored, or that the program does not end from, stays so.
      if unsafeBitCast(before, to: Int.self) != unsafeBitCast(SIG_DFL, to: Int.self) { signal(number, before) }
    }
  }

  private static func forget() {
    let path = pendingPath
    pendingPath = nil
    free(path)
  }
}

/// Bytes to an open file, gathered to pieces of a megabyte.
final class FileWriter {
  private let descriptor: Int32
  private let name: String
  private var buffer: [UInt8] = []
  private static let capacity = 1 << 20

  init(_ descriptor: Int32, name: String) {
    self.descriptor = descriptor
    self.name = name
  }

  func write(_ bytes: some Sequence<UInt8>) throws(CLIPError) {
    buffer += bytes
    if buffer.count >= FileWriter.capacity { try flush() }
  }

  func write(_ text: String) throws(CLIPError) {
    try write(text.utf8)
  }

  /// The numbers as float32, in host byte order: little-endian on every machine this is built for.
  func write(_ values: [Float]) throws(CLIPError) {
    try flush()
    try put(values.withUnsafeBytes { writeAll(descriptor, $0) })
  }

  func flush() throws(CLIPError) {
    let code = buffer.withUnsafeBytes { writeAll(descriptor, $0) }
    buffer.removeAll(keepingCapacity: true)
    try put(code)
  }

  private func put(_ code: Int32) throws(CLIPError) {
    guard code == 0 else { throw .system("cannot write \(name)", code) }
  }
}
