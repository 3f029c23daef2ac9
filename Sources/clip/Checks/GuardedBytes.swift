import Glibc

/// Bytes that end at a protected page, so reading or writing beyond them crashes. A margin before them reveals writes.
final class GuardedBytes: @unchecked Sendable {
  let data: UnsafeMutablePointer<UInt8>
  let count: Int
  private let base: UnsafeMutableRawPointer
  private let mapped: Int
  private let margin: Int
  private static let marginByte: UInt8 = 0x3c
  private static let page = 4096

  /// nil if the system has no memory.
  init?(count: Int, fill: UInt8 = 0) {
    let inside = (count + 64 + GuardedBytes.page - 1) / GuardedBytes.page * GuardedBytes.page
    mapped = inside + GuardedBytes.page
    guard let base = mmap(nil, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), base != MAP_FAILED
    else { return nil }
    mprotect(base + inside, GuardedBytes.page, PROT_NONE)
    self.base = base
    self.count = count
    // At most a page of the memory before them is checked.
    margin = min(inside - count, GuardedBytes.page)
    data = (base + inside - count).assumingMemoryBound(to: UInt8.self)
    memset(data - margin, Int32(GuardedBytes.marginByte), margin)
    memset(data, Int32(fill), count)
  }

  convenience init?(_ bytes: [UInt8]) {
    self.init(count: bytes.count)
    for (index, byte) in bytes.enumerated() { data[index] = byte }
  }

  deinit { munmap(base, mapped) }

  /// Protects all of the memory from now on.
  func close() { mprotect(base, mapped, PROT_NONE) }

  var bytes: [UInt8] { Array(UnsafeBufferPointer(start: data, count: count)) }

  /// Whether nothing was written before the bytes.
  var isMarginIntact: Bool { (1...margin).allSatisfy { data[-$0] == GuardedBytes.marginByte } }
}
