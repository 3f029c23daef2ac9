import CClip

/// Strings handed to C callers, which outlive the plugin they are about: each text once, until the
/// pool is freed. Reloading a plugin adds none.
final class StringPool {
  private let mutex = Mutex()
  private var known: [Name: Memory] = [:]

  /// The text, NUL-terminated.
  func keep(_ text: Name) throws(ClipError) -> UnsafePointer<CChar> {
    mutex.lock()
    defer { mutex.unlock() }
    if let memory = known[text] { return StringPool.pointer(memory) }
    let memory = try Memory(byteCount: text.utf8.count + 1, for: "a name")
    for (index, byte) in text.utf8.enumerated() { memory.bytes[index] = byte }
    memory.bytes[text.utf8.count] = 0
    known[text] = memory
    return StringPool.pointer(memory)
  }

  private static func pointer(_ memory: Memory) -> UnsafePointer<CChar> {
    UnsafeRawPointer(memory.base).assumingMemoryBound(to: CChar.self)
  }
}
