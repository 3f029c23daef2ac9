import CSystem

/// C strings and arrays at fixed addresses, freed together.
package final class Arena {
  private var blocks: [UnsafeMutableRawPointer] = []

  package init() {}

  deinit { for block in blocks { block.deallocate() } }

  /// A copy that ends in NUL.
  package func keep(_ text: Name) -> UnsafePointer<CChar> {
    UnsafePointer(keep(text.utf8.map { CChar(bitPattern: $0) } + [0]))
  }

  package func keep<Value: BitwiseCopyable>(_ values: [Value]) -> UnsafeMutablePointer<Value> {
    let block = UnsafeMutablePointer<Value>.allocate(capacity: max(1, values.count))
    for (index, value) in values.enumerated() { (block + index).initialize(to: value) }
    blocks.append(UnsafeMutableRawPointer(block))
    return block
  }

  /// A copy of the bytes, aligned for every C type.
  package func keep(bytes: [UInt8]) -> UnsafeMutableRawPointer {
    let block = UnsafeMutableRawPointer.allocate(byteCount: max(16, bytes.count), alignment: 16)
    for (index, byte) in bytes.enumerated() { block.storeBytes(of: byte, toByteOffset: index, as: UInt8.self) }
    blocks.append(block)
    return block
  }
}
