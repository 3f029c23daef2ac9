import Glibc

/// The rows of an unfinished `clip embed`, kept in "<output>.partial" until the output is written.
///
/// The first line is JSON that identifies the run. Records follow: a byte for the kind, the lengths of name and content
/// as little-endian UInt32, the name, the content. A truncated record is ignored.
final class EmbeddingJournal {
  struct Record {
    enum Kind: UInt8 {
      case image = 1
      case text = 2
      /// An image without a row. The content is the reason.
      case skipped = 3
    }

    let kind: Kind
    let name: ByteString
    let content: [UInt8]
  }

  /// nil if the journal is a temporary file, because no file can be beside the output.
  let path: ByteString?
  private let descriptor: Int32
  /// The offset of the first record, and of the end of the last.
  private let start: Int
  private var end: Int

  private static let chunk = 1 << 20

  /// Opens the journal of `output`, or creates one. Throws if it is of another run.
  static func open(for output: ByteString, run: JSON) throws(CLIPError) -> EmbeddingJournal {
    var status = stat()
    let exists = output.withCString { stat($0, &status) } == 0
    if exists && status.st_mode & S_IFMT != S_IFREG {
      guard let file = tmpfile() else { throw .system("cannot make a temporary file") }
      return EmbeddingJournal(nil, fileno(file), 0, 0)
    }
    let path = ByteString(output.bytes + Array(".partial".utf8))
    let descriptor = path.withCString { Glibc.open($0, O_RDWR | O_CREAT | O_CLOEXEC, 0o666) }
    guard descriptor >= 0 else { throw .system("cannot write \(path.shown)") }
    do throws(CLIPError) {
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        throw CLIPError("\(path.shown): another command is writing it", status: .io)
      }
      let header = Array((run.compact() + "\n").utf8)
      guard fstat(descriptor, &status) == 0 else { throw .system("cannot look at \(path.shown)") }
      if status.st_size == 0 {
        let code = header.withUnsafeBytes { writeAll(descriptor, $0) }
        guard code == 0 else { throw .system("cannot write \(path.shown)", code) }
        return EmbeddingJournal(path, descriptor, header.count, header.count)
      }
      let journal = EmbeddingJournal(path, descriptor, header.count, Int(status.st_size))
      guard try journal.bytes(at: 0, header.count) == header else {
        throw CLIPError(
          "\(path.shown) is of a run with another model or other options: run those again to go on with it, or delete it",
          status: .mismatch)
      }
      return journal
    } catch {
      close(descriptor)
      throw error
    }
  }

  private init(_ path: ByteString?, _ descriptor: Int32, _ start: Int, _ end: Int) {
    (self.path, self.descriptor, self.start, self.end) = (path, descriptor, start, end)
  }

  deinit { close(descriptor) }

  private var shown: String { path?.shown ?? "a temporary file" }

  /// Visits the records in order until `body` returns false.
  func forEach(_ body: (Record) throws(CLIPError) -> Bool) throws(CLIPError) {
    _ = try read(body)
  }

  /// Keeps the records before the first one for which `isGood` is false, and drops the rest.
  func keep(while isGood: (Record) -> Bool) throws(CLIPError) {
    end = try read { record throws(CLIPError) in isGood(record) }
    guard ftruncate(descriptor, off_t(end)) == 0 else { throw .system("cannot write \(shown)") }
  }

  func append(_ record: Record) throws(CLIPError) {
    var bytes: [UInt8] = [record.kind.rawValue]
    for count in [record.name.bytes.count, record.content.count] {
      withUnsafeBytes(of: UInt32(count).littleEndian) { bytes += $0 }
    }
    bytes += record.name.bytes
    bytes += record.content
    guard lseek(descriptor, off_t(end), SEEK_SET) >= 0 else { throw .system("cannot write \(shown)") }
    let code = bytes.withUnsafeBytes { writeAll(descriptor, $0) }
    guard code == 0 else { throw .system("cannot write \(shown)", code) }
    end += bytes.count
  }

  /// Deletes the file.
  func remove() {
    if let path { _ = path.withCString { unlink($0) } }
  }

  /// The offset of the first record that `body` refuses or that is truncated.
  private func read(_ body: (Record) throws(CLIPError) -> Bool) throws(CLIPError) -> Int {
    var offset = start
    var window: ArraySlice<UInt8> = []
    func has(_ count: Int) throws(CLIPError) -> Bool {
      guard window.count < count else { return true }
      guard offset + count <= end else { return false }
      window = try bytes(at: offset, min(max(count, EmbeddingJournal.chunk), end - offset))[...]
      return window.count >= count
    }
    while try has(9) {
      let at = window.startIndex
      func length(_ from: Int) -> Int { (0..<4).reduce(0) { $0 | Int(window[from + $1]) << (8 * $1) } }
      let (name, content) = (length(at + 1), length(at + 5))
      guard let kind = Record.Kind(rawValue: window[at]), try has(9 + name + content) else { break }
      let record = window.dropFirst(9)
      let keeps = try body(
        Record(
          kind: kind, name: ByteString(record.prefix(name)), content: Array(record.dropFirst(name).prefix(content))))
      guard keeps else { break }
      window = window.dropFirst(9 + name + content)
      offset += 9 + name + content
    }
    return offset
  }

  private func bytes(at offset: Int, _ count: Int) throws(CLIPError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let got = bytes.withUnsafeMutableBytes { buffer in
        pread(descriptor, buffer.baseAddress.map { $0 + done }, count - done, off_t(offset + done))
      }
      if got < 0 && errno == EINTR { continue }
      guard got >= 0 else { throw .system("cannot read \(shown)") }
      if got == 0 { break }
      done += got
    }
    return Array(bytes.prefix(done))
  }
}
