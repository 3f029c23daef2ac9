import CClip
import CSystem

/// A file mapped for reading, unmapped with its last reference. The mapping is private; a file
/// that is cut short by someone else while mapped raises SIGBUS, as with any mapping.
final class MappedFile {
  let path: String
  let bytes: UnsafeRawBufferPointer
  /// Whose bytes these are; nil for a mapping.
  private let memory: Memory?

  convenience init(path: String) throws(ClipError) {
    let descriptor = path.withCString { csystem_open_read($0) }
    guard descriptor >= 0 else { throw systemError("cannot open " + path) }
    defer { close(descriptor) }
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
    guard let mapping, mapping != UnsafeMutableRawPointer(bitPattern: -1) else { throw systemError("cannot map " + path) }
    self.init(path, UnsafeRawBufferPointer(start: mapping, count: size))
  }

  /// Zeros that no file has; they take no memory until somebody writes.
  convenience init(zeros byteCount: Int) throws(ClipError) {
    let mapping = mmap(nil, max(1, byteCount), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let mapping, mapping != UnsafeMutableRawPointer(bitPattern: -1) else { throw systemError("cannot map zeros") }
    self.init("zeros", UnsafeRawBufferPointer(start: mapping, count: max(1, byteCount)))
  }

  /// A block in the place of a file; `name` stands for a path in messages.
  convenience init(_ memory: Memory, name: String) {
    self.init(name, UnsafeRawBufferPointer(start: memory.base, count: memory.byteCount), memory)
  }

  private init(_ path: String, _ bytes: UnsafeRawBufferPointer, _ memory: Memory? = nil) {
    self.path = path
    self.bytes = bytes
    self.memory = memory
  }

  /// Gives back the memory that reading these of the bytes took; they may be read again.
  func forget(_ part: UnsafeRawBufferPointer) {
    guard memory == nil, let base = part.baseAddress else { return }
    csystem_forget_pages(base, base + part.count)
  }

  deinit {
    if memory == nil, let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
  }
}

/// An error with the reason that errno gives.
func systemError(_ what: String) -> ClipError {
  let code = csystem_errno()
  var text = [CChar](repeating: 0, count: 128)
  text.withUnsafeMutableBufferPointer { csystem_describe(code, $0.baseAddress, $0.count) }
  let reason = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  return ClipError(code == ENOENT ? CLIP_NOT_FOUND : code == ENOMEM ? CLIP_OUT_OF_MEMORY : CLIP_IO, what + ": " + reason)
}
