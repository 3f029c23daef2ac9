import Glibc

/// The path of the unfinished file, which the signal handler below deletes.
private nonisolated(unsafe) var pendingPath: UnsafeMutablePointer<CChar>?

/// Writes a file atomically: to another name in the same folder, then renamed.
enum OutputFile {
  /// Throws errors that would otherwise appear only after the work: a missing or read-only folder, or a folder at the
  /// file's path.
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

  /// Calls `body` with a writer and moves the file into place. An error leaves the previous file unchanged.
  static func write(to path: ByteString, _ body: (FileWriter) throws(CLIPError) -> Void) throws(CLIPError) {
    let target = resolved(path)
    var status = stat()
    let exists = target.withCString { stat($0, &status) } == 0
    if exists && status.st_mode & S_IFMT != S_IFREG {
      // Pipes and devices are written directly.
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
    // A pipe cannot be synchronised: EINVAL.
    let synced = fsync(descriptor) == 0 || errno == EINVAL ? 0 : errno
    let closed = close(descriptor) == 0 ? 0 : errno
    guard synced == 0, closed == 0 else {
      throw .system("cannot write \(path.shown)", synced != 0 ? synced : closed)
    }
  }

  /// The path with links resolved, so that renaming replaces the file and not a link to it.
  private static func resolved(_ path: ByteString) -> ByteString {
    guard let real = path.withCString({ realpath($0, nil) }) else { return path }
    defer { free(real) }
    return ByteString(UnsafeRawBufferPointer(start: real, count: strlen(real)))
  }

  /// From now on a signal that ends the program first deletes `path`.
  private static func remember(_ path: ByteString) {
    pendingPath = path.withCString { strdup($0) }
    for number in [SIGINT, SIGTERM, SIGHUP] {
      let before = signal(number) { number in
        if let pendingPath { unlink(pendingPath) }
        signal(number, SIG_DFL)
        raise(number)
      }
      // Signals that are ignored or handled stay so.
      if unsafeBitCast(before, to: Int.self) != unsafeBitCast(SIG_DFL, to: Int.self) { signal(number, before) }
    }
  }

  private static func forget() {
    let path = pendingPath
    pendingPath = nil
    free(path)
  }
}

/// Writes bytes to an open file, a megabyte at a time.
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

  /// Writes float32 in host byte order, which is little-endian on all supported machines.
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
