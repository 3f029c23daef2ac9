import CClip
import CSystem

/// The memory of one running call: activations, scratch and the layout of texts. It grows as needed and is kept for
/// later calls, so that a warm call allocates nothing.
final class Workspace {
  let failures = Failures()
  private var activations: Memory?
  private var layout: Memory?
  private var slotTable: Memory?
  private var slotCapacity = 0
  private var itemCapacity = -1
  private var tokenCapacity = -1

  private(set) var scratch: UnsafeMutablePointer<Float>
  private(set) var arena: UnsafeMutablePointer<Float>
  /// Where each slot begins in the arena, in floats.
  private(set) var offsets: UnsafeMutablePointer<Int>
  private(set) var firstTokens: UnsafeMutablePointer<Int>
  private(set) var endPositions: UnsafeMutablePointer<Int>
  private(set) var tokenIDs: UnsafeMutablePointer<Int32>

  private let meter: MemoryMeter?

  /// `meter` counts the activations.
  convenience init(_ meter: MemoryMeter? = nil) throws(ClipError) {
    self.init(try Memory(byteCount: 64, for: "a workspace"), meter)
  }

  private init(_ memory: Memory, _ meter: MemoryMeter?) {
    self.meter = meter
    layout = memory
    arena = memory.floats
    scratch = arena
    offsets = memory.base.assumingMemoryBound(to: Int.self)
    firstTokens = offsets
    endPositions = offsets
    tokenIDs = memory.base.assumingMemoryBound(to: Int32.self)
  }

  func reserveItems(_ items: Int, tokens: Int) throws(ClipError) {
    guard items > itemCapacity || tokens > tokenCapacity else { return }
    let words = try product(2 * (items + 1), 8, "a batch's layout")
    let memory = try Memory(byteCount: words + tokens * 4, for: "a batch's layout")
    layout = memory
    firstTokens = memory.base.assumingMemoryBound(to: Int.self)
    endPositions = firstTokens + items + 1
    tokenIDs = (memory.base + words).assumingMemoryBound(to: Int32.self)
    itemCapacity = items
    tokenCapacity = tokens
  }

  func emptyBatch(items: Int) -> Batch {
    Batch(
      items: items, pixels: nil, tokenIDs: UnsafePointer(tokenIDs), firstTokens: UnsafePointer(firstTokens),
      endPositions: UnsafePointer(endPositions), totalTokens: 0, longestText: 0)
  }

  func clearSlots(_ count: Int) throws(ClipError) {
    if count > slotCapacity {
      let memory = try Memory(byteCount: try product(count, 8, "slots"), for: "a memory plan")
      slotTable = memory
      offsets = memory.base.assumingMemoryBound(to: Int.self)
      slotCapacity = count
    }
    for slot in 0..<count { offsets[slot] = 0 }
  }

  /// Until `lay`, `offsets` holds sizes.
  func growSlot(_ slot: Int, to floats: Int) { offsets[slot] = max(offsets[slot], (floats + 15) & ~15) }

  /// Turns sizes into offsets and makes sure that everything fits.
  func lay(slots: Int, scratch scratchFloats: Int) throws(ClipError) {
    var total = 0
    for slot in 0..<slots {
      let size = offsets[slot]
      offsets[slot] = total
      let (sum, overflow) = total.addingReportingOverflow(size)
      guard !overflow else { throw ClipError(CLIP_LIMIT, "activations: the batch is too large") }
      total = sum
    }
    let (all, overflow) = total.addingReportingOverflow(scratchFloats)
    guard !overflow else { throw ClipError(CLIP_LIMIT, "activations: the batch is too large") }
    if (activations?.byteCount ?? -1) / 4 < all {
      activations = nil
      let larger = try Memory(floats: all, for: "activations")
      if let meter { larger.count(in: meter) }
      activations = larger
    }
    guard let activations else { return }
    arena = activations.floats
    scratch = arena + total
  }
}
