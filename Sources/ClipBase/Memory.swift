import CClip
import CSystem
import Synchronization

/// A block of memory aligned to 64 bytes, freed with its last reference. Large buffers are such blocks, so that a
/// failed allocation is an error instead of a trap. Blocks of 2 MB and more ask for huge pages: fewer page faults, and
/// no page-table misses when weights are streamed.
package final class Memory {
  package let base: UnsafeMutableRawPointer
  package let byteCount: Int
  /// The block that this is a part of; nil for a block of its own.
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

  /// Floats [start, start + count) of `owner`, which must have them.
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

/// Throws while the memory reserve is low. Called where a call or a task begins, and in each turn of a loop whose
/// memory grows with its input, so that these end before the reserve is used up. See ClipReserve.
@inline(never)
package func requireMemory(_ what: StaticString) throws(ClipError) {
  guard clip_reserve_is_low() == 0 else {
    throw ClipError(CLIP_OUT_OF_MEMORY, "\(what): the system has no memory left")
  }
}

extension Array {
  /// Makes room for `count` elements in all, or throws. For arrays whose size depends on a file or a caller, because
  /// Swift's own allocation ends the process if it fails.
  package mutating func reserve(_ count: Int, for what: StaticString) throws(ClipError) {
    guard count > capacity else { return }
    let held = try hold(count, MemoryLayout<Element>.stride, what)
    reserveCapacity(count)
    clip_reserve_drop(held)
  }

  /// Appends an element, or throws as `reserve` does.
  package mutating func add(_ element: Element, for what: StaticString) throws(ClipError) {
    if count == capacity { try reserve(Swift.max(4, 2 * count), for: what) }
    append(element)
  }
}

/// Holds memory for an array of `count` elements, to be freed just before the array is made; nil for a small one, which
/// the reserve covers.
@inline(never)
package func hold(_ count: Int, _ stride: Int, _ what: StaticString) throws(ClipError) -> UnsafeMutableRawPointer? {
  try requireMemory(what)
  let byteCount = try product(count, stride, what)
  guard byteCount >= 16384 else { return nil }
  // Includes the array's header.
  guard byteCount < Int.max - 64, let held = clip_reserve_hold(byteCount + 64) else {
    throw ClipError(CLIP_OUT_OF_MEMORY, "\(what): the system has no \(byteCount) bytes left")
  }
  return held
}

/// The total size of the blocks that are counted in it, in bytes.
package final class MemoryMeter {
  private let total = Atomic(0)

  package init() {}

  package var bytes: Int { total.load(ordering: .relaxed) }
  fileprivate func add(_ bytes: Int) { total.wrappingAdd(bytes, ordering: .relaxed) }
}

/// a * b for sizes; throws CLIP_LIMIT if it does not fit an Int.
package func product(_ a: Int, _ b: Int, _ what: StaticString) throws(ClipError) -> Int {
  let (result, overflow) = a.multipliedReportingOverflow(by: b)
  guard !overflow, result >= 0 else { throw ClipError(CLIP_LIMIT, "\(what): \(a) times \(b) is too large") }
  return result
}
