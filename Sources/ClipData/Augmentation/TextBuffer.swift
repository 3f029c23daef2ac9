import CClip
import CSystem

/// A text in C memory, NUL-terminated, that text augmentations append to.
final class TextBuffer {
  private(set) var count = 0
  private(set) var failure: ClipError?
  /// Whether the augmentation that wrote this text reported a failure to augment it.
  private(set) var isFailureCounted = false
  private var memory: UnsafeMutablePointer<UInt8>?
  private var capacity = 0

  /// The most bytes of a text.
  private static var limit: Int { 16 << 20 }

  deinit { free(memory) }

  func append(_ bytes: UnsafeRawBufferPointer) throws(ClipError) {
    guard bytes.count <= TextBuffer.limit - count else {
      throw ClipError(CLIP_LIMIT, "a text of more than \(TextBuffer.limit) bytes")
    }
    if count + bytes.count >= capacity {
      let wanted = max(64, (count + bytes.count + 1) * 3 / 2)
      guard let larger = realloc(memory, wanted) else {
        throw ClipError(CLIP_OUT_OF_MEMORY, "a text: the system has no \(wanted) bytes left")
      }
      memory = larger.assumingMemoryBound(to: UInt8.self)
      capacity = wanted
    }
    guard let memory else { return }
    if let source = bytes.baseAddress { memcpy(memory + count, source, bytes.count) }
    count += bytes.count
    memory[count] = 0
  }

  /// The error if this is not UTF-8 without NUL; nil if it is.
  var problem: String? {
    let bytes = UnsafeBufferPointer(start: memory, count: count)
    var at = 0
    while at < count {
      guard bytes[at] != 0, let (_, length) = UTF8Text.scalar(bytes, at: at) else {
        return "expected UTF-8 without NUL, found byte \(bytes[at]) at offset \(at)"
      }
      at += length
    }
    return nil
  }

  func withCharacters<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    defer { withExtendedLifetime(self) {} }
    guard let memory else { return body(StaticString("").cString) }
    return body(UnsafeRawPointer(memory).assumingMemoryBound(to: CChar.self))
  }

  /// Runs `body` with this text as a clip_text_sink for plugins.
  func lend<Result>(_ body: (UnsafeMutablePointer<clip_text_sink>) -> Result) -> Result {
    defer { withExtendedLifetime(self) {} }
    var table = clip_text_sink(
      struct_size: UInt32(MemoryLayout<clip_text_sink>.size), host: Unmanaged.passUnretained(self).toOpaque(),
      append: { sink, bytes, size in
        guard let host = sink?.pointee.host else { return 0 }
        return Unmanaged<TextBuffer>.fromOpaque(host).takeUnretainedValue().take(bytes, size)
      },
      count_failure: { sink in
        guard let host = sink?.pointee.host else { return }
        Unmanaged<TextBuffer>.fromOpaque(host).takeUnretainedValue().isFailureCounted = true
      })
    return body(&table)
  }

  private func take(_ bytes: UnsafePointer<CChar>?, _ size: Int) -> Int32 {
    do throws(ClipError) {
      if let failure { throw failure }
      guard size >= 0, bytes != nil || size == 0 else {
        throw ClipError(
          CLIP_PLUGIN, "expected \(UInt(bitPattern: size)) bytes of text, found a null pointer or too many")
      }
      try append(UnsafeRawBufferPointer(start: bytes, count: size))
      return 1
    } catch {
      if failure == nil { failure = error }
      return 0
    }
  }
}
