import CClip
import CSystem

/// A range of bytes in a file.
struct Extent {
  var offset: Int
  var size: Int
}

/// A file that is read by offset, not mapped, so that truncation by another process is an error. For one thread at a
/// time.
final class FileReader {
  private let file: OpenFile
  private var window: Memory?
  private var windowStart = 0
  private var windowCount = 0

  /// The most bytes that `peek` returns.
  static var windowBytes: Int { 1 << 14 }

  convenience init(_ path: String) throws(ClipError) { self.init(try OpenFile(path)) }

  private init(_ file: OpenFile) { self.file = file }

  var path: String { file.path }
  /// The size in bytes when it was opened.
  var size: Int { file.size }

  /// `count` bytes at `offset`, at most `windowBytes`, fewer at the end of the file; valid until the next call.
  func peek(at offset: Int, _ count: Int) throws(ClipError) -> UnsafeBufferPointer<UInt8> {
    let wanted = min(count, FileReader.windowBytes, max(0, size - offset))
    guard wanted > 0 else { return UnsafeBufferPointer(start: nil, count: 0) }
    if window == nil { window = try Memory(byteCount: FileReader.windowBytes, for: "a piece of a file") }
    guard let memory = window else { return UnsafeBufferPointer(start: nil, count: 0) }
    if offset < windowStart || offset + wanted > windowStart + windowCount {
      windowCount = 0
      windowStart = offset
      windowCount = try file.read(at: offset, FileReader.windowBytes, into: memory.base)
    }
    return UnsafeBufferPointer(
      start: memory.bytes + (offset - windowStart), count: min(wanted, windowCount - (offset - windowStart)))
  }

  /// The buffered bytes from `offset` on; none at the end of the file. Valid until the next call.
  func piece(at offset: Int) throws(ClipError) -> UnsafeBufferPointer<UInt8> {
    let atHand = windowStart + windowCount - offset
    return try peek(at: offset, offset >= windowStart && atHand > 0 ? atHand : FileReader.windowBytes)
  }

  /// Reads all of `extent` into new memory. CLIP_FORMAT if the file ends before it.
  func read(_ extent: Extent, for what: StaticString) throws(ClipError) -> Memory {
    guard extent.offset >= 0, extent.size >= 0, extent.offset <= size, extent.size <= size - extent.offset else {
      throw cut(extent, size)
    }
    let memory = try Memory(byteCount: extent.size, for: what)
    let count = try file.read(at: extent.offset, extent.size, into: memory.base)
    guard count == extent.size else { throw cut(extent, extent.offset + count) }
    return memory
  }

  private func cut(_ extent: Extent, _ end: Int) -> ClipError {
    ClipError(
      CLIP_FORMAT, "\(path): expected \(extent.size) bytes at byte \(extent.offset), the file ends at byte \(end)")
  }
}
