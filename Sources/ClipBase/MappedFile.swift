import CClip
import CSystem

/// A file mapped for reading, unmapped and closed with its last reference. The mapping is private; a file
/// that is cut short by someone else while mapped raises SIGBUS where the mapping is read, as with any mapping.
package final class MappedFile {
  package let path: String
  package let bytes: UnsafeRawBufferPointer
  /// Whose bytes these are; nil for a mapping.
  private let memory: Memory?
  private let descriptor: Int32
  /// The file as it was opened.
  private let facts: stat

  package convenience init(path: String) throws(ClipError) { try self.init(path: Name(path)) }

  package convenience init(path name: Name) throws(ClipError) {
    let descriptor = name.withCString { csystem_open_read($0) }
    let path = name.string
    guard descriptor >= 0 else { throw systemError("cannot open " + path) }
    var isKept = false
    defer { if !isKept { close(descriptor) } }
    var facts = stat()
    guard fstat(descriptor, &facts) == 0 else { throw systemError("cannot look at " + path) }
    guard csystem_is_file(&facts) != 0 else {
      let found = csystem_is_folder(&facts) != 0 ? "a folder" : "something else"
      throw ClipError(CLIP_IO, path + ": expected a file, found " + found)
    }
    let size = Int(facts.st_size)
    guard size > 0 else {
      self.init(path, UnsafeRawBufferPointer(start: nil, count: 0))
      return
    }
    let mapping = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let mapping, mapping != UnsafeMutableRawPointer(bitPattern: -1) else {
      throw systemError("cannot map " + path)
    }
    isKept = true
    self.init(path, UnsafeRawBufferPointer(start: mapping, count: size), descriptor, facts)
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

  private init(
    _ path: String, _ bytes: UnsafeRawBufferPointer, _ descriptor: Int32 = -1, _ facts: stat = stat(),
    memory: Memory? = nil
  ) {
    self.path = path
    self.bytes = bytes
    self.memory = memory
    self.descriptor = descriptor
    self.facts = facts
  }

  /// Whether there is a file that `read` can read.
  package var canBeRead: Bool { descriptor >= 0 }

  /// Copies `part` of `bytes` to `target` without the mapping. CLIP_IO where it cannot be read, or the file is not as
  /// it was opened.
  package func read(_ part: UnsafeRawBufferPointer, into target: UnsafeMutableRawPointer) throws(ClipError) {
    guard let base = bytes.baseAddress, let start = part.baseAddress else { return }
    let offset = start - base
    var done = 0
    while done < part.count {
      let count = pread(descriptor, target + done, part.count - done, offset + done)
      if count < 0, csystem_errno() == EINTR { continue }
      guard count >= 0 else { throw systemError("cannot read " + path) }
      if count == 0 { break }
      done += count
    }
    var now = stat()
    guard fstat(descriptor, &now) == 0 else { throw systemError("cannot look at " + path) }
    guard done == part.count, now.st_dev == facts.st_dev, now.st_ino == facts.st_ino,
      now.st_size == facts.st_size, now.st_mtim.tv_sec == facts.st_mtim.tv_sec,
      now.st_mtim.tv_nsec == facts.st_mtim.tv_nsec
    else {
      throw ClipError(CLIP_IO, path + ": expected the file as it was opened, found that it was changed since")
    }
  }

  /// Gives back the memory that reading these of the bytes took; they may be read again.
  package func forget(_ part: UnsafeRawBufferPointer) {
    guard memory == nil, let base = part.baseAddress else { return }
    csystem_discard_pages(base, base + part.count)
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
    if memory == nil, let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
  }
}
