import CClip
import CSystem

/// The bytes of a file, read into memory or mapped. A read of a mapping raises SIGBUS if another process truncates the
/// file or the disk fails, so only plugins use the mapped bytes directly; `read` copies from the file itself.
package final class MappedFile {
  package let path: String
  package let bytes: UnsafeRawBufferPointer
  /// Owns the bytes; nil for a mapping.
  private let memory: Memory?
  /// The mapped file.
  private let file: OpenFile?

  /// The most bytes that are read into memory.
  private static var largest: Int { 1 << 30 }

  /// Reads a file of at most 1 GiB. CLIP_IO if it ends before the size that it had when it was opened.
  package convenience init(path: String) throws(ClipError) {
    let file = try OpenFile(path)
    guard file.size <= MappedFile.largest else {
      throw ClipError(CLIP_LIMIT, "\(path): expected at most \(MappedFile.largest) bytes, found \(file.size)")
    }
    let memory = try Memory(byteCount: file.size, for: "a file")
    guard try file.read(at: 0, file.size, into: memory.base) == file.size else {
      throw ClipError(CLIP_IO, "\(path): expected \(file.size) bytes, found fewer: the file was cut short meanwhile")
    }
    self.init(memory, name: path)
  }

  /// A private mapping for reading.
  package convenience init(mapping path: String) throws(ClipError) {
    let file = try OpenFile(path)
    guard file.size > 0 else {
      self.init(path, UnsafeRawBufferPointer(start: nil, count: 0))
      return
    }
    let mapping = mmap(nil, file.size, PROT_READ, MAP_PRIVATE, file.descriptor, 0)
    guard let mapping, mapping != UnsafeMutableRawPointer(bitPattern: -1) else {
      throw systemError("cannot map " + path)
    }
    self.init(path, UnsafeRawBufferPointer(start: mapping, count: file.size), file: file)
  }

  /// Zeros without a file. They take no memory until written to.
  package convenience init(zeros byteCount: Int) throws(ClipError) {
    let mapping = mmap(nil, max(1, byteCount), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let mapping, mapping != UnsafeMutableRawPointer(bitPattern: -1) else { throw systemError("cannot map zeros") }
    self.init("zeros", UnsafeRawBufferPointer(start: mapping, count: max(1, byteCount)))
  }

  /// A block of memory in place of a file; `name` stands for the path in messages.
  package convenience init(_ memory: Memory, name: String) {
    self.init(name, UnsafeRawBufferPointer(start: memory.base, count: memory.byteCount), memory: memory)
  }

  private init(_ path: String, _ bytes: UnsafeRawBufferPointer, file: OpenFile? = nil, memory: Memory? = nil) {
    self.path = path
    self.bytes = bytes
    self.memory = memory
    self.file = file
  }

  /// Whether there is a file that `read` can read.
  package var canBeRead: Bool { file != nil }

  /// Copies `part` of `bytes` to `target`; for a mapping it reads the file instead. CLIP_IO if the file cannot be read
  /// or was changed since it was opened.
  package func read(_ part: UnsafeRawBufferPointer, into target: UnsafeMutableRawPointer) throws(ClipError) {
    guard let base = bytes.baseAddress, let start = part.baseAddress else { return }
    guard let file else {
      target.copyMemory(from: start, byteCount: part.count)
      return
    }
    let count = try file.read(at: start - base, part.count, into: target)
    try file.requireUnchanged()
    guard count == part.count else {
      throw ClipError(CLIP_IO, "\(path): expected \(part.count) bytes at \(start - base), found \(count)")
    }
  }

  deinit {
    if memory == nil, let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
  }
}
