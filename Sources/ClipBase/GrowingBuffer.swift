/// A block of memory that is replaced by a larger one when needed.
package struct GrowingBuffer {
  private var memory: Memory?

  package init() {}

  /// At least `byteCount` bytes, aligned to 64, of unspecified content. Valid until the next call.
  package mutating func reserve(_ byteCount: Int, for what: StaticString) throws(ClipError) -> UnsafeMutableRawPointer {
    if let memory, memory.byteCount >= byteCount { return memory.base }
    memory = nil
    let larger = try Memory(byteCount: byteCount, for: what)
    memory = larger
    return larger.base
  }
}
