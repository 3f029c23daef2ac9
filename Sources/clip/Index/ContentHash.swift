import Glibc

/// XXH64 of a file's bytes with seed 0, as `xxhsum -H64` prints it (github.com/Cyan4973/xxHash, doc/xxhash_spec.md).
struct ContentHash: Hashable {
  let value: UInt64

  init(_ value: UInt64) { self.value = value }

  /// The hash of the file's current content.
  init(contentsOf path: ByteString) throws(CLIPError) {
    let descriptor = path.withCString { open($0, O_RDONLY | O_CLOEXEC) }
    guard descriptor >= 0 else { throw .system(path.shown) }
    defer { close(descriptor) }
    var state = State()
    // A multiple of a stripe's 32 bytes, so that only the last call has a remainder.
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = try ContentHash.fill(&buffer, descriptor, path)
      buffer.withUnsafeBytes { state.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
      if count < buffer.count { break }
    }
    value = state.finish()
  }

  init(bytes: UnsafeRawBufferPointer) {
    var state = State()
    state.update(bytes)
    value = state.finish()
  }

  /// Reads until the buffer is full or the file ends. Returns the number of bytes.
  private static func fill(
    _ buffer: inout [UInt8], _ descriptor: Int32, _ path: ByteString
  ) throws(CLIPError) -> Int {
    var filled = 0
    while filled < buffer.count {
      let wanted = buffer.count - filled
      let count = buffer.withUnsafeMutableBytes {
        read(descriptor, UnsafeMutableRawBufferPointer(rebasing: $0[filled...]).baseAddress, wanted)
      }
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw .system(path.shown) }
      if count == 0 { break }
      filled += count
    }
    return filled
  }

  private struct State {
    static let p1: UInt64 = 0x9E37_79B1_85EB_CA87
    static let p2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
    static let p3: UInt64 = 0x1656_67B1_9E37_79F9
    static let p4: UInt64 = 0x85EB_CA77_C2B2_AE63
    static let p5: UInt64 = 0x27D4_EB2F_1656_67C5

    var lanes: (UInt64, UInt64, UInt64, UInt64) = (p1 &+ p2, p2, 0, 0 &- p1)
    var length: UInt64 = 0
    var rest: [UInt8] = []

    /// The size must be a multiple of 32 bytes, except in the last call.
    mutating func update(_ bytes: UnsafeRawBufferPointer) {
      length &+= UInt64(bytes.count)
      let whole = bytes.count & ~31
      var position = 0
      while position < whole {
        lanes.0 = State.round(lanes.0, State.word(bytes, position))
        lanes.1 = State.round(lanes.1, State.word(bytes, position + 8))
        lanes.2 = State.round(lanes.2, State.word(bytes, position + 16))
        lanes.3 = State.round(lanes.3, State.word(bytes, position + 24))
        position += 32
      }
      rest = Array(bytes[whole...])
    }

    func finish() -> UInt64 {
      var hash = State.p5
      if length >= 32 {
        hash =
          State.rotated(lanes.0, 1) &+ State.rotated(lanes.1, 7) &+ State.rotated(lanes.2, 12)
          &+ State.rotated(lanes.3, 18)
        for lane in [lanes.0, lanes.1, lanes.2, lanes.3] {
          hash = (hash ^ State.round(0, lane)) &* State.p1 &+ State.p4
        }
      }
      hash &+= length
      rest.withUnsafeBytes { bytes in
        var position = 0
        while position + 8 <= bytes.count {
          hash ^= State.round(0, State.word(bytes, position))
          hash = State.rotated(hash, 27) &* State.p1 &+ State.p4
          position += 8
        }
        if position + 4 <= bytes.count {
          let word = UInt64(bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self).littleEndian)
          hash ^= word &* State.p1
          hash = State.rotated(hash, 23) &* State.p2 &+ State.p3
          position += 4
        }
        for byte in bytes[position...] {
          hash ^= UInt64(byte) &* State.p5
          hash = State.rotated(hash, 11) &* State.p1
        }
      }
      hash = (hash ^ (hash >> 33)) &* State.p2
      hash = (hash ^ (hash >> 29)) &* State.p3
      return hash ^ (hash >> 32)
    }

    private static func word(_ bytes: UnsafeRawBufferPointer, _ position: Int) -> UInt64 {
      bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self).littleEndian
    }

    private static func rotated(_ value: UInt64, _ bits: UInt64) -> UInt64 { value << bits | value >> (64 - bits) }

    private static func round(_ lane: UInt64, _ word: UInt64) -> UInt64 {
      rotated(lane &+ word &* p2, 31) &* p1
    }
  }
}
