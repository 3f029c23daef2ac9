import CClip
import CSystem

/// A counter-based random generator: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
/// 2011). Its output depends only on seed, name and position, so work may be divided among threads in any way, and an
/// interrupted run continues from a saved position.
package struct RandomStream {
  /// Streams of different purposes never share numbers, whatever their names.
  package enum Purpose: UInt32 {
    case augmentation = 1
    case dropout = 2
    case shuffle = 3
    case weights = 4
  }

  /// The number of 32-bit outputs so far, at most 2^34. Set it to continue from there.
  package var position: UInt64
  private let key: SIMD2<UInt32>
  /// The counter's upper three words.
  private let name: (UInt32, UInt32, UInt32)
  private var block = SIMD4<UInt32>()
  private var blockNumber = UInt64.max

  /// `stream` is an index within the purpose, such as an image's index or a training step. `part`, below 2^24,
  /// separates streams of one index, such as those of a pipeline's steps.
  package init(seed: UInt64, purpose: Purpose, stream: UInt64, part: UInt32 = 0, position: UInt64 = 0) {
    key = SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
    name = (
      purpose.rawValue << 24 | part & 0xff_ffff, UInt32(truncatingIfNeeded: stream),
      UInt32(truncatingIfNeeded: stream >> 32)
    )
    self.position = position
  }

  /// The four numbers at `counter`, in ten rounds.
  package static func philox(_ counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
    // Scalars, because the products need whole registers: vectors would be split and merged in each round.
    var (a, b, c, d) = (counter[0], counter[1], counter[2], counter[3])
    var (first, second) = (key[0], key[1])
    for _ in 0..<10 {
      let left = a.multipliedFullWidth(by: 0xD251_1F53)
      let right = c.multipliedFullWidth(by: 0xCD9E_8D57)
      (a, b, c, d) = (right.high ^ b ^ first, right.low, left.high ^ d ^ second, left.low)
      first &+= 0x9E37_79B9
      second &+= 0xBB67_AE85
    }
    return SIMD4(a, b, c, d)
  }

  /// 32 random bits.
  package mutating func bits() -> UInt32 {
    let number = position >> 2
    if number != blockNumber {
      block = RandomStream.philox(SIMD4(UInt32(truncatingIfNeeded: number), name.0, name.1, name.2), key: key)
      blockNumber = number
    }
    let word = block[Int(position & 3)]
    position &+= 1
    return word
  }

  /// In [0, 1), a multiple of 2^-53. Takes two numbers.
  package mutating func uniform() -> Double {
    let high = UInt64(bits() >> 5)
    let low = UInt64(bits() >> 6)
    return Double(high << 26 | low) * 0x1p-53
  }

  /// A uniform integer in [0, n) (Lemire, "Fast random integer generation in an interval", 2019); 0 for n = 0.
  package mutating func below(_ n: UInt32) -> UInt32 {
    guard n > 0 else { return 0 }
    var product = bits().multipliedFullWidth(by: n)
    if product.low < n {
      let biased = (0 &- n) % n
      while product.low < biased { product = bits().multipliedFullWidth(by: n) }
    }
    return product.high
  }

  /// Mean 0, deviation 1 (Box and Muller, 1958). Takes four numbers.
  package mutating func normal() -> Double {
    let radius = (-2 * log(1 - uniform())).squareRoot()
    return radius * cos(2 * Double.pi * uniform())
  }

  /// Runs `body` with this stream as a clip_random for plugins. The stream continues where they stopped.
  package mutating func lend<Result>(_ body: (UnsafeMutablePointer<clip_random>) -> Result) -> Result {
    withUnsafeMutablePointer(to: &self) { stream in
      var table = clip_random(
        struct_size: UInt32(MemoryLayout<clip_random>.size), host: UnsafeMutableRawPointer(stream),
        bits: { lent($0)?.pointee.bits() ?? 0 }, uniform: { lent($0)?.pointee.uniform() ?? 0 },
        below: { lent($0)?.pointee.below($1) ?? 0 }, normal: { lent($0)?.pointee.normal() ?? 0 })
      return body(&table)
    }
  }
}

private func lent(_ random: UnsafeMutablePointer<clip_random>?) -> UnsafeMutablePointer<RandomStream>? {
  random?.pointee.host?.assumingMemoryBound(to: RandomStream.self)
}
