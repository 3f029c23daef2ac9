import Glibc

/// NumPy's legacy `RandomState(seed)`: the Mersenne Twister of Matsumoto and Nishimura (1998), and normal numbers by
/// Marsaglia's polar method with the second of each pair kept. NumPy has frozen this stream, so numbers are equal bit
/// for bit.
struct NumPyRandom: ~Copyable {
  private let state: UnsafeMutablePointer<UInt32>
  private var position = 624
  private var kept: Double?

  init(seed: UInt32) {
    state = .allocate(capacity: 624)
    var word = seed
    for i in 0..<624 {
      state[i] = word
      word = 1_812_433_253 &* (word ^ (word >> 30)) &+ UInt32(i) &+ 1
    }
  }

  deinit { state.deallocate() }

  private mutating func refill() {
    for i in 0..<624 {
      let mixed = (state[i] & 0x8000_0000) | (state[i == 623 ? 0 : i + 1] & 0x7fff_ffff)
      let other = state[i < 227 ? i + 397 : i - 227]
      state[i] = other ^ (mixed >> 1) ^ (mixed & 1 == 0 ? 0 : 0x9908_b0df)
    }
    position = 0
  }

  @inline(__always)
  private mutating func word() -> UInt32 {
    if position == 624 { refill() }
    var y = state[position]
    position += 1
    y ^= y >> 11
    y ^= (y << 7) & 0x9d2c_5680
    y ^= (y << 15) & 0xefc6_0000
    return y ^ (y >> 18)
  }

  /// Uniform in [0, 1), 53 bits.
  @inline(__always)
  mutating func uniform() -> Double {
    let high = Double(word() >> 5)
    let low = Double(word() >> 6)
    return (high * 67_108_864 + low) / 9_007_199_254_740_992
  }

  @inline(__always)
  mutating func normal() -> Double {
    if let value = kept {
      kept = nil
      return value
    }
    while true {
      let a = 2 * uniform() - 1
      let b = 2 * uniform() - 1
      let square = a * a + b * b
      if square >= 1 || square == 0 { continue }
      let factor = (-2 * log(square) / square).squareRoot()
      kept = factor * a
      return factor * b
    }
  }
}

/// zlib's CRC-32 of a string's UTF-8 bytes.
func crc32(_ text: String) -> UInt32 {
  var crc: UInt32 = 0xffff_ffff
  for byte in text.utf8 {
    crc ^= UInt32(byte)
    for _ in 0..<8 { crc = (crc >> 1) ^ (crc & 1 == 0 ? 0 : 0xedb8_8320) }
  }
  return ~crc
}
