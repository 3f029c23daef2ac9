import CClip
import CSystem
import Synchronization

/// A block of C memory at 64 bytes, freed with its last reference. Large buffers live here, so
/// that one that does not fit is an error and not a trap. Blocks of 2 MB and more ask for huge
/// pages: they are there sooner, and weights that stream past miss no page table.
package final class Memory {
  package let base: UnsafeMutableRawPointer
  package let byteCount: Int
  /// Whose block this is a part of; nil for a block of its own.
  private let owner: Memory?
  private var meter: MemoryMeter?

  /// `what` names the buffer in the error.
  package convenience init(byteCount: Int, for what: StaticString) throws(ClipError) {
    guard byteCount >= 0, byteCount <= Int.max - 64 else {
      throw ClipError(CLIP_OUT_OF_MEMORY, "\(what): cannot take \(byteCount) bytes")
    }
    let rounded = max(64, (byteCount + 63) & ~63)
    let hugePage = 2 << 20
    let isLarge = rounded >= hugePage
    try requireMemory(what)
    guard let pointer = clip_reserve_system_block(rounded, isLarge ? hugePage : 64) else {
      throw ClipError(CLIP_OUT_OF_MEMORY, "\(what): the system has no \(rounded) bytes left")
    }
    if isLarge { csystem_ask_for_huge_pages(pointer, rounded) }
    self.init(pointer, byteCount)
  }

  private init(_ base: UnsafeMutableRawPointer, _ byteCount: Int, owner: Memory? = nil) {
    self.base = base
    self.byteCount = byteCount
    self.owner = owner
  }

  /// Floats [start, start + count) of `owner`, which must be inside it.
  package convenience init(part start: Int, count: Int, of owner: Memory) {
    self.init(owner.base + start * 4, count * 4, owner: owner)
  }

  package convenience init(floats count: Int, for what: StaticString) throws(ClipError) {
    try self.init(byteCount: try product(count, 4, what), for: what)
  }

  /// Counts the block until it is freed.
  package func count(in meter: MemoryMeter) {
    meter.add(byteCount)
    self.meter = meter
  }

  deinit {
    meter?.add(-byteCount)
    if owner == nil { free(base) }
  }

  package var floats: UnsafeMutablePointer<Float> { base.assumingMemoryBound(to: Float.self) }
  package var bytes: UnsafeMutablePointer<UInt8> { base.assumingMemoryBound(to: UInt8.self) }
}

/// Throws while the memory reserve is low: what begins then, and each turn of a loop whose memory grows with its input,
/// ends before the reserve does. See ClipReserve.
@inline(never)
package func requireMemory(_ what: StaticString) throws(ClipError) {
  guard clip_reserve_is_low() == 0 else {
    throw ClipError(CLIP_OUT_OF_MEMORY, "\(what): the system has no memory left")
  }
}

extension Array {
  /// Makes room for `count` elements in all, or throws. For arrays whose size depends on a file or a caller: Swift's own
  /// ends the process where it has no memory for a large one.
  package mutating func reserve(_ count: Int, for what: StaticString) throws(ClipError) {
    guard count > capacity else { return }
    let held = try hold(count, MemoryLayout<Element>.stride, what)
    reserveCapacity(count)
    clip_reserve_drop(held)
  }

  /// Appends, or throws: see `reserve`.
  package mutating func add(_ element: Element, for what: StaticString) throws(ClipError) {
    if count == capacity { try reserve(Swift.max(4, 2 * count), for: what) }
    append(element)
  }
}

/// A block set aside for an array of `count` elements, to be dropped once that is made; nil for a small one, for which
/// the reserve is enough.
@inline(never)
package func hold(_ count: Int, _ stride: Int, _ what: StaticString) throws(ClipError) -> UnsafeMutableRawPointer? {
  try requireMemory(what)
  let byteCount = try product(count, stride, what)
  guard byteCount >= 16384 else { return nil }
  // With the array's own header.
  guard byteCount < Int.max - 64, let held = clip_reserve_hold(byteCount + 64) else {
    throw ClipError(CLIP_OUT_OF_MEMORY, "\(what): the system has no \(byteCount) bytes left")
  }
  return held
}

/// How many bytes the blocks that it counts take.
package final class MemoryMeter {
  private let total = Atomic(0)

  package init() {}

  package var bytes: Int { total.load(ordering: .relaxed) }
  fileprivate func add(_ bytes: Int) { total.wrappingAdd(bytes, ordering: .relaxed) }
}

/// a * b for sizes, or CLIP_LIMIT when it does not fit an Int.
package func product(_ a: Int, _ b: Int, _ what: StaticString) throws(ClipError) -> Int {
  let (result, overflow) = a.multipliedReportingOverflow(by: b)
  guard !overflow, result >= 0 else { throw ClipError(CLIP_LIMIT, "\(what): \(a) times \(b) is too large") }
  return result
}
