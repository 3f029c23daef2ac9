import CSystem

/// Memory for when the system has none.
///
/// Embedded Swift ends the process if an object, an array or a string cannot be allocated. Therefore the libraries and
/// plugins are linked with `--wrap=posix_memalign --wrap=free`: if the system refuses a block, it comes from this
/// reserve. While less than half of the reserve is free, new calls are refused, and loops whose memory grows with their
/// input throw CLIP_OUT_OF_MEMORY, so that a call ends before the reserve is used up. Large blocks do not use it: see
/// ClipBase's Memory.
private enum Reserve {
  /// The start of a free block. Offsets are from the first byte of the reserve, and sizes are multiples of 16. The list
  /// is in the order of offsets, and no two of its blocks are adjacent.
  private struct Free {
    var next: Int
    var size: Int
  }

  /// The header of a block in use: where its part of the reserve begins.
  private struct Taken {
    let start: Int
    let size: Int
  }

  private static var header: Int { MemoryLayout<Taken>.size }
  private static var bytes: UnsafeMutableRawPointer { UnsafeMutableRawPointer(csystem_reserve().pointee.bytes) }

  private static func block(_ offset: Int) -> UnsafeMutablePointer<Free> {
    (bytes + offset).assumingMemoryBound(to: Free.self)
  }

  /// Allocates from the reserve; nil if no free block is large enough. `alignment` is a power of two.
  static func take(_ alignment: Int, _ size: Int) -> UnsafeMutableRawPointer? {
    let state = csystem_reserve()
    let capacity = Int(csystem_reserve_bytes)
    guard size <= capacity, alignment <= 4096 else { return nil }
    csystem_reserve_lock(state)
    defer { csystem_reserve_unlock(state) }
    if state.pointee.is_ready == 0 {
      block(0).pointee = Free(next: -1, size: capacity)
      state.pointee.is_ready = 1
    }
    let needed = (header + max(0, alignment - 16) + size + 15) & ~15
    var previous = -1
    var offset = state.pointee.free
    while offset >= 0 {
      let found = block(offset).pointee
      if found.size >= needed {
        // The end of the free block is used, so the rest keeps its offset.
        let rest = found.size - needed
        if rest > 0 {
          block(offset).pointee.size = rest
        } else if previous >= 0 {
          block(previous).pointee.next = found.next
        } else {
          state.pointee.free = found.next
        }
        csystem_reserve_count(state, needed)
        let start = offset + rest
        let address = (UInt(bitPattern: bytes + start + header) + UInt(alignment) - 1) & ~(UInt(alignment) - 1)
        guard let taken = UnsafeMutableRawPointer(bitPattern: address) else { return nil }
        (taken - header).storeBytes(of: Taken(start: start, size: needed), as: Taken.self)
        return taken
      }
      previous = offset
      offset = found.next
    }
    return nil
  }

  private static var held: UnsafeMutableBufferPointer<csystem_held_block> {
    UnsafeMutableBufferPointer(start: csystem_reserve_held(), count: Int(csystem_held_blocks))
  }

  /// Keeps a block of the system for this thread; false if there is no place for it.
  static func hold(_ block: UnsafeMutableRawPointer, _ size: Int) -> Bool {
    change { () -> UnsafeMutableRawPointer? in
      guard let place = held.firstIndex(where: { $0.block == nil }) else { return nil }
      held[place] = csystem_held_block(block: block, size: size, thread: pthread_self())
      return block
    } != nil
  }

  /// Removes and returns a block held by this thread: `block`, or if that is nil one of at least `size` bytes; nil if
  /// there is none.
  static func release(_ block: UnsafeMutableRawPointer?, size: Int) -> UnsafeMutableRawPointer? {
    change { () -> UnsafeMutableRawPointer? in
      for place in held.indices where held[place].block != nil && pthread_equal(held[place].thread, pthread_self()) != 0
      {
        guard block == nil ? held[place].size >= size : held[place].block == block else { continue }
        let found = held[place].block
        held[place].block = nil
        return found
      }
      return nil
    }
  }

  private static func change(_ body: () -> UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    csystem_reserve_lock(csystem_reserve())
    defer { csystem_reserve_unlock(csystem_reserve()) }
    return body()
  }

  /// Frees a block; false if it is not from the reserve.
  static func give(_ taken: UnsafeMutableRawPointer) -> Bool {
    let state = csystem_reserve()
    guard UInt(bitPattern: taken) &- UInt(bitPattern: bytes) < UInt(csystem_reserve_bytes) else { return false }
    let facts = (taken - header).load(as: Taken.self)
    let (start, size) = (facts.start, facts.size)
    csystem_reserve_lock(state)
    defer { csystem_reserve_unlock(state) }
    csystem_reserve_count(state, -size)
    var previous = -1
    var next = state.pointee.free
    while next >= 0, next < start {
      previous = next
      next = block(next).pointee.next
    }
    block(start).pointee = Free(next: next, size: size)
    if next == start + size {
      block(start).pointee = Free(next: block(next).pointee.next, size: size + block(next).pointee.size)
    }
    guard previous >= 0 else {
      state.pointee.free = start
      return true
    }
    if previous + block(previous).pointee.size == start {
      block(previous).pointee.size += block(start).pointee.size
      block(previous).pointee.next = block(start).pointee.next
    } else {
      block(previous).pointee.next = start
    }
    return true
  }
}

@c @implementation
public func clip_reserve_is_low() -> Int32 {
  csystem_reserve_live(csystem_reserve()) > Int(csystem_reserve_bytes) / 2 ? 1 : 0
}

@c @implementation
public func clip_reserve_system_block(_ size: Int, _ alignment: Int) -> UnsafeMutableRawPointer? {
  var block: UnsafeMutableRawPointer?
  return __real_posix_memalign(&block, alignment, size) == 0 ? block : nil
}

@c @implementation
public func clip_reserve_hold(_ size: Int) -> UnsafeMutableRawPointer? {
  guard let block = clip_reserve_system_block(size, 64) else { return nil }
  if Reserve.hold(block, size) { return block }
  __real_free(block)
  return nil
}

@c @implementation
public func clip_reserve_drop(_ block: UnsafeMutableRawPointer?) {
  if let block { __real_free(Reserve.release(block, size: 0)) }
}

@c(__wrap_posix_memalign)
public func wrappedMemalign(
  _ block: UnsafeMutablePointer<UnsafeMutableRawPointer?>, _ alignment: Int, _ size: Int
) -> Int32 {
  let code = __real_posix_memalign(block, alignment, size)
  guard code != 0 else { return code }
  // A block that this thread holds is used first, so that the reserve stays as it is.
  let held = alignment <= 64 && size >= 4096 ? Reserve.release(nil, size: size) : nil
  guard let taken = held ?? Reserve.take(alignment, size) else { return code }
  block.pointee = taken
  return 0
}

@c(__wrap_free)
public func wrappedFree(_ block: UnsafeMutableRawPointer?) {
  guard let block, !Reserve.give(block) else { return }
  __real_free(block)
}

/// A system that gives no random bytes leaves the seed as it is: tables work with any.
@c @implementation
public func arc4random_buf(_ buffer: UnsafeMutableRawPointer, _ size: Int) {
  var done = 0
  while done < size {
    let got = getrandom(buffer + done, size - done, 0)
    if got <= 0 && csystem_errno() != EINTR { return }
    done += max(0, got)
  }
}
