import CClip
import CSystem

/// A filter of Pillow's antialiased resampling (libImaging/Resample.c).
enum ResampleFilter {
  case bilinear
  /// Keys' cubic convolution with a = -0.5.
  case bicubic
  /// A sinc windowed by a wider sinc, three lobes.
  case lanczos

  /// Where the filter ends, in input pixels of an image that is not made smaller.
  var support: Double {
    switch self {
    case .bilinear: 1
    case .bicubic: 2
    case .lanczos: 3
    }
  }

  func callAsFunction(_ x: Double) -> Double {
    switch self {
    case .bilinear: return abs(x) < 1 ? 1 - abs(x) : 0
    case .bicubic:
      let (a, x) = (-0.5, abs(x))
      if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0
    case .lanczos: return -3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0
    }
  }

  private func sinc(_ x: Double) -> Double {
    guard x != 0 else { return 1 }
    return sin(x * Double.pi) / (x * Double.pi)
  }
}

/// What one axis of a resize needs: for each output position, the input positions it looks at and
/// their weights, in Pillow's fixed point of 22 bits.
///
/// Weights come in pairs and in two parts, so that 16-bit multiply-add instructions give the exact
/// 32-bit sums: weight = high * 2^15 + low. Memory belongs to the buffer they were made in.
struct ResampleWeights {
  /// Input positions [first, first + count) and where their weights begin; an odd count has a
  /// last weight of 0.
  struct Span {
    var first: Int
    var count: Int
    var pairs: UnsafePointer<Pair>

    var pairCount: Int { (count + 1) >> 1 }
  }

  /// Weights 2i in the lower and 2i + 1 in the upper 16 bits.
  struct Pair {
    var low: UInt32
    var high: UInt32
  }

  static let precision = 22
  private static let maximumPairs = 1 << 23

  /// One for each output position of the range asked for.
  let spans: UnsafePointer<Span>
  /// The input positions that all spans together look at.
  let input: Range<Int>
  /// The largest count.
  let longest: Int

  /// Weights of output positions `range` when `inputSize` pixels become `outputSize`. The caller
  /// has checked that sizes are in 1...2^48 and that the range is not empty and lies within.
  /// CLIP_LIMIT when they would take more than 64 MiB.
  init(
    inputSize: Int, outputSize: Int, range: Range<Int>, filter: ResampleFilter, buffer: inout GrowingBuffer
  ) throws(ClipError) {
    let scale = Double(inputSize) / Double(outputSize)
    let filterScale = max(scale, 1)
    let support = filter.support * filterScale
    let most = min(Int(support.rounded(.up)) * 2 + 1, inputSize)
    let pairsEach = (most + 1) >> 1
    let pairCount = try product(pairsEach, range.count, "weights of a resize")
    guard pairCount <= ResampleWeights.maximumPairs else {
      throw ClipError(
        CLIP_LIMIT, "resizing a side of \(inputSize) pixels to \(outputSize): too many pixels go into one")
    }
    let spanBytes = range.count * MemoryLayout<Span>.stride
    let pairBytes = pairCount * MemoryLayout<Pair>.stride
    let base = try buffer.reserve(spanBytes + pairBytes + (most + 1) * 8, for: "weights of a resize")
    let spans = base.bindMemory(to: Span.self, capacity: range.count)
    let pairs = (base + spanBytes).bindMemory(to: Pair.self, capacity: pairCount)
    let weights = (base + spanBytes + pairBytes).bindMemory(to: Double.self, capacity: most + 1)

    var low = inputSize
    var high = 0
    var longest = 1
    for index in 0..<range.count {
      let centre = (Double(range.lowerBound + index) + 0.5) * scale
      let first = min(max(Int(centre - support + 0.5), 0), inputSize - 1)
      let count = max(min(min(Int(centre + support + 0.5), inputSize) - first, most), 1)
      var sum = 0.0
      for i in 0..<count {
        weights[i] = filter((Double(i + first) - centre + 0.5) * (1 / filterScale))
        sum += weights[i]
      }
      weights[count] = 0
      if sum != 0 { for i in 0..<count { weights[i] /= sum } }

      let own = pairs + index * pairsEach
      for pair in 0..<(count + 1) >> 1 {
        let a = ResampleWeights.fixed(weights[pair * 2])
        let b = ResampleWeights.fixed(weights[pair * 2 + 1])
        own[pair] = Pair(
          low: UInt32(truncatingIfNeeded: (a & 0x7FFF) | (b & 0x7FFF) << 16),
          high: UInt32(truncatingIfNeeded: (a >> 15) & 0xFFFF | (b >> 15) << 16))
      }
      spans[index] = Span(first: first, count: count, pairs: own)
      low = min(low, first)
      high = max(high, first + count)
      longest = max(longest, count)
    }
    self.spans = UnsafePointer(spans)
    self.longest = longest
    input = low..<max(high, low)
  }

  /// A weight rounded away from zero to 22 fractional bits. Weights stay far below 2^7.
  private static func fixed(_ weight: Double) -> Int32 {
    let scaled = weight * Double(1 << precision)
    return Int32(exactly: (scaled + (weight < 0 ? -0.5 : 0.5)).rounded(.towardZero)) ?? 0
  }
}
