import Glibc

/// Bytes that end where a page begins that nobody may touch, so that what reads or writes behind them is a
/// crash. What is written before them shows in a margin.
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
    // A page at most of what is before them is looked at.
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

  /// From now on nobody may touch any of it.
  func close() { mprotect(base, mapped, PROT_NONE) }

  var bytes: [UInt8] { Array(UnsafeBufferPointer(start: data, count: count)) }

  /// Nothing was written before the bytes.
  var isMarginIntact: Bool { (1...margin).allSatisfy { data[-$0] == GuardedBytes.marginByte } }
}
