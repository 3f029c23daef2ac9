import CClip
import CSystem

/// The bytes of a file: in memory, or mapped with `mapping`. What is read of a mapping raises SIGBUS where the file was
/// cut short by someone else or the disk fails, so only plugins look at one; `read` copies of the file itself.
package final class MappedFile {
  package let path: String
  package let bytes: UnsafeRawBufferPointer
  /// Whose bytes these are; nil for a mapping.
  private let memory: Memory?
  /// What is mapped.
  private let file: OpenFile?

  /// The most that is read into memory.
  private static var largest: Int { 1 << 30 }

  /// All of a file of at most 1 GiB. CLIP_IO for one that ends before the size that it had when it was opened.
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

  /// Zeros that no file has; they take no memory until somebody writes.
  package convenience init(zeros byteCount: Int) throws(ClipError) {
    let mapping = mmap(nil, max(1, byteCount), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let mapping, mapping != UnsafeMutableRawPointer(bitPattern: -1) else { throw systemError("cannot map zeros") }
    self.init("zeros", UnsafeRawBufferPointer(start: mapping, count: max(1, byteCount)))
  }

  /// A block in the place of a file; `name` stands for a path in messages.
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

  /// Copies `part` of `bytes` to `target`, of a mapping without reading it. CLIP_IO where the file cannot be read, or is
  /// not as it was opened.
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
