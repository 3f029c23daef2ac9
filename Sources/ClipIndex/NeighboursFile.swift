import CClip
import CSystem

/// The file of a structure, beside the index: what it was built from, the structure, a checksum of all in pieces.
///
///     "CLIPNBR1" | hash of the plugin's id and method | segments, rows | marks of segments | numbers of rows | structure | checksum
enum NeighboursFile {
  static var magic: UInt64 { 0x3152_424e_5049_4c43 }
  fileprivate static var pieceBytes: Int { 1 << 20 }

  struct Head: BitwiseCopyable {
    var magic: UInt64
    var method: UInt64
    var segments: UInt64
    var rows: UInt64
  }
}

/// What tells a file from another, or from itself after a change.
struct FileState: Equatable {
  private let device: UInt
  private let inode: UInt
  private let seconds: Int
  private let nanoseconds: Int

  /// nil where there is none.
  init?(_ path: String) {
    var facts = stat()
    guard withPath(path, { stat($0, &facts) }) == 0 else { return nil }
    device = UInt(facts.st_dev)
    inode = UInt(facts.st_ino)
    seconds = facts.st_mtim.tv_sec
    nanoseconds = facts.st_mtim.tv_nsec
  }
}

final class NeighboursWriter {
  /// Names of temporary files of one process.
  private static var mostNames: Int { 16 }

  private let descriptor: Int32
  private let path: String
  private let temporary: String
  private var isPlaced = false
  private let piece: Memory
  private var used = 0
  private var sum: UInt64 = 0

  convenience init(_ path: String) throws(ClipError) {
    let piece = try Memory(byteCount: NeighboursFile.pieceBytes, for: "a file")
    var temporary = path
    var descriptor: Int32 = -1
    // Another handle of this process may write, and one of the same number that ended may have left its file.
    for number in 0..<NeighboursWriter.mostNames {
      temporary = path + ".\(getpid())-\(number).new"
      descriptor = withPath(temporary) { csystem_open_new($0) }
      if descriptor >= 0 || csystem_errno() != EEXIST { break }
    }
    guard descriptor >= 0 else { throw systemError("cannot write " + temporary) }
    self.init(descriptor, path, temporary, piece)
  }

  private init(_ descriptor: Int32, _ path: String, _ temporary: String, _ piece: Memory) {
    self.descriptor = descriptor
    self.path = path
    self.temporary = temporary
    self.piece = piece
  }

  deinit {
    close(descriptor)
    if !isPlaced { removeFile(temporary) }
  }

  func put(_ bytes: UnsafeRawBufferPointer) throws(ClipError) {
    var done = 0
    while done < bytes.count, let base = bytes.baseAddress {
      let count = min(bytes.count - done, piece.byteCount - used)
      (piece.base + used).copyMemory(from: base + done, byteCount: count)
      used += count
      done += count
      if used == piece.byteCount { try flush() }
    }
  }

  /// Puts the file in its place.
  func finish() throws(ClipError) {
    try flush()
    withUnsafeBytes(of: sum) {
      piece.base.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(piece.base), byteCount: 8)
    }
    try write(8)
    guard withPaths(temporary, path, rename) == 0 else { throw systemError("cannot write " + path) }
    isPlaced = true
  }

  private func flush() throws(ClipError) {
    // Readers take a checksum of the pieces that there are.
    guard used > 0 else { return }
    sum = checksum(UnsafeRawBufferPointer(start: piece.base, count: used), seed: sum)
    try write(used)
    used = 0
  }

  private func write(_ count: Int) throws(ClipError) {
    var done = 0
    while done < count {
      let written = csystem_write(descriptor, piece.base + done, count - done)
      guard written > 0 else { throw systemError("cannot write " + temporary) }
      done += written
    }
  }
}

final class NeighboursReader {
  private let file: OpenFile
  private let piece: Memory
  private var offset = 0
  private var used = 0
  private var filled = 0
  private var sum: UInt64 = 0

  convenience init(_ path: String) throws(ClipError) {
    self.init(try OpenFile(path), try Memory(byteCount: NeighboursFile.pieceBytes, for: "a file"))
  }

  private init(_ file: OpenFile, _ piece: Memory) {
    self.file = file
    self.piece = piece
  }

  /// Bytes before the checksum that have not been read.
  var remaining: Int { max(0, file.size - 8 - offset) + filled - used }

  func get(_ count: Int, into target: UnsafeMutableRawPointer) throws(ClipError) {
    guard count <= remaining else { throw damaged("expected \(count) bytes more, found \(remaining)") }
    var done = 0
    while done < count {
      if used == filled { try fill() }
      let part = min(count - done, filled - used)
      (target + done).copyMemory(from: piece.base + used, byteCount: part)
      used += part
      done += part
    }
  }

  func get<T: BitwiseCopyable>(_ type: T.Type) throws(ClipError) -> T {
    let place = try Memory(byteCount: MemoryLayout<T>.size, for: "a file")
    try get(MemoryLayout<T>.size, into: place.base)
    return place.base.load(as: T.self)
  }

  /// Throws unless all was read, and is as it was written.
  func finish() throws(ClipError) {
    guard remaining == 0 else { throw damaged("\(remaining) bytes too many") }
    guard try file.read(at: offset, 8, into: piece.base) == 8, piece.base.load(as: UInt64.self) == sum else {
      throw damaged("another checksum")
    }
  }

  private func fill() throws(ClipError) {
    let count = min(piece.byteCount, file.size - 8 - offset)
    guard count > 0, try file.read(at: offset, count, into: piece.base) == count else { throw damaged("cut short") }
    sum = checksum(UnsafeRawBufferPointer(start: piece.base, count: count), seed: sum)
    offset += count
    used = 0
    filled = count
  }

  func damaged(_ what: String) -> ClipError { ClipError(CLIP_FORMAT, file.path + ": damaged: " + what) }
}
