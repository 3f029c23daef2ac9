import CClip
import CSystem

/// A filter of Pillow's antialiased resampling (libImaging/Resample.c).
enum ResampleFilter {
  case bilinear
  /// Keys' cubic convolution with a = -0.5.
  case bicubic
  /// A sinc windowed by a wider sinc, three lobes.
  case lanczos

  /// nil for the nearest pixel.
  init?(_ resample: PreprocessConfig.Resample) {
    switch resample {
    case .bilinear: self = .bilinear
    case .bicubic: self = .bicubic
    case .lanczos: self = .lanczos
    case .nearest: return nil
    }
  }

  /// The filter's radius in input pixels for an image that is not downscaled.
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

/// The weights of one axis of a resize: for each output position a span of input positions and their
/// weights, in Pillow's fixed point with 22 fractional bits or as floats. They lie in the buffer given to `init`.
struct ResampleWeights {
  private static var precision: Int { 22 }
  /// Weights are stored in groups of 4.
  private static var maximumGroups: Int { 1 << 22 }

  /// One for each output position in `range`.
  let spans: UnsafePointer<clip_resample_span>
  /// The smallest range of input positions that contains all spans.
  let input: Range<Int>
  /// The number of positions of the longest span.
  let longest: Int

  /// Computes the weights of output positions `range` for a resize from `inputSize` to `outputSize`. The image covers
  /// input positions `from` to `from + extent`: all of the input, or up to one position less. The caller checks that
  /// both sizes are in 1...2^48, and that the range is not empty and lies in the output. CLIP_LIMIT for more than 64
  /// MiB of weights.
  init(
    inputSize: Int, _ extent: (from: Double, count: Double), outputSize: Int, range: Range<Int>, filter: ResampleFilter,
    isFixed: Bool = true, buffer: inout GrowingBuffer
  ) throws(ClipError) {
    let scale = extent.count / Double(outputSize)
    let filterScale = max(scale, 1)
    let support = filter.support * filterScale
    let most = min(Int(support.rounded(.up)) * 2 + 1, inputSize)
    let groupsEach = (most + 3) >> 2
    let groupCount = try product(groupsEach, range.count, "weights of a resize")
    guard groupCount <= ResampleWeights.maximumGroups else {
      throw ClipError(
        CLIP_LIMIT, "resizing a side of \(inputSize) pixels to \(outputSize): too many pixels go into one")
    }
    let spanBytes = range.count * MemoryLayout<clip_resample_span>.stride
    let groupBytes = groupCount * MemoryLayout<clip_resample_weights>.stride
    let base = try buffer.reserve(spanBytes + groupBytes + (most + 3) * 8, for: "weights of a resize")
    let spans = base.bindMemory(to: clip_resample_span.self, capacity: range.count)
    let groups = (base + spanBytes).bindMemory(to: clip_resample_weights.self, capacity: groupCount)
    let weights = (base + spanBytes + groupBytes).bindMemory(to: Double.self, capacity: most + 3)

    var low = inputSize
    var high = 0
    var longest = 1
    for index in 0..<range.count {
      let centre = (Double(range.lowerBound + index) + 0.5) * scale + extent.from
      let first = min(max(Int(centre - support + 0.5), 0), inputSize - 1)
      let count = max(min(min(Int(centre + support + 0.5), inputSize) - first, most), 1)
      var sum = 0.0
      for i in 0..<count {
        weights[i] = filter((Double(i + first) - centre + 0.5) * (1 / filterScale))
        sum += weights[i]
      }
      if sum != 0 { for i in 0..<count { weights[i] /= sum } }
      for i in count..<count + 3 { weights[i] = 0 }

      let own = groups + index * groupsEach
      for group in 0..<(count + 3) >> 2 {
        let parts = UnsafeMutableRawPointer(own + group)
        for i in 0..<4 {
          guard isFixed else {
            parts.storeBytes(of: Float(weights[group * 4 + i]), toByteOffset: i * 4, as: Float.self)
            continue
          }
          let weight = ResampleWeights.fixed(weights[group * 4 + i])
          parts.storeBytes(of: Int16(truncatingIfNeeded: weight & 0x7FFF), toByteOffset: i * 2, as: Int16.self)
          parts.storeBytes(of: Int16(truncatingIfNeeded: weight >> 15), toByteOffset: 8 + i * 2, as: Int16.self)
        }
      }
      spans[index] = clip_resample_span(first: first, count: count, weights: own)
      low = min(low, first)
      high = max(high, first + count)
      longest = max(longest, count)
    }
    self.spans = UnsafePointer(spans)
    self.longest = longest
    input = low..<max(high, low)
  }

  /// A weight with 22 fractional bits, halves rounded away from zero. Weights are far below 2^7.
  private static func fixed(_ weight: Double) -> Int32 {
    let scaled = weight * Double(1 << precision)
    return Int32(exactly: (scaled + (weight < 0 ? -0.5 : 0.5)).rounded(.towardZero)) ?? 0
  }
}
