import CSystem

/// A file in memory that a C library reads through a callback, whose user data is this struct's address.
public struct ByteSource {
  public let data: UnsafeBufferPointer<UInt8>
  /// The offset of the next byte to read.
  public var at = 0

  public init(_ data: UnsafeBufferPointer<UInt8>) { self.data = data }

  /// Copies the next `count` bytes, or as many as there are; returns how many.
  public mutating func read(_ count: Int, into target: UnsafeMutableRawPointer) -> Int {
    guard at >= 0, at < data.count, count > 0, let base = data.baseAddress else { return 0 }
    let size = min(count, data.count - at)
    memcpy(target, base + at, size)
    at += size
    return size
  }
}
