import CClip
import CSystem

/// The two passes of a resize. Sums are exact, so every kernel set gives the same bytes.
extension KernelSet {
  private typealias Weights = clip_resample_weights

  /// clip_kernels.resample_horizontal: four pixels at a time, two in each half of an accumulator.
  @_alwaysEmitIntoClient @inline(never)
  public static func resampleHorizontal(
    _ source: UnsafePointer<UInt8>?, _ first: Int, _ spans: UnsafePointer<clip_resample_span>?, _ width: Int,
    _ output: UnsafeMutablePointer<UInt8>?
  ) {
    guard let source, let spans, let output else { return }
    for x in 0..<width {
      let span = spans[x]
      guard var weights = UnsafeRawPointer(span.weights) else { return }
      var pixels = UnsafeRawPointer(source) + (span.first - first) * 4
      var (low, high) = (SIMD8<Float>.zero, SIMD8<Float>.zero)
      for _ in 0..<(span.count + 3) >> 2 {
        let pairs = csystem_pixel_pairs8(pixels)
        low = csystem_add_pairs8(low, pairs, csystem_repeat_pairs8(weights))
        high = csystem_add_pairs8(high, pairs, csystem_repeat_pairs8(weights + 8))
        pixels += 16
        weights += 16
      }
      UnsafeMutableRawPointer(output).storeBytes(
        of: csystem_resampled4(low, high), toByteOffset: x * 3, as: UInt32.self)
    }
  }

  /// clip_kernels.resample_vertical: two rows at a time.
  @_alwaysEmitIntoClient @inline(never)
  public static func resampleVertical(
    _ rows: UnsafePointer<UnsafePointer<UInt8>?>?, _ span: UnsafePointer<clip_resample_span>?, _ bytes: Int,
    _ output: UnsafeMutablePointer<UInt8>?
  ) {
    guard let rows, let span = span?.pointee, let weights = UnsafeRawPointer(span.weights), let output else { return }
    var x = 0
    while x < bytes {
      var (low, high) = (SIMD8<Float>.zero, SIMD8<Float>.zero)
      var (lowBeside, highBeside) = (low, high)
      for pair in 0..<(span.count + 1) >> 1 {
        guard let above = rows[pair * 2], let below = rows[pair * 2 + 1] else { return }
        let own = weights + (pair >> 1) * 16 + (pair & 1) * 4
        let (lowWeights, highWeights) = (csystem_repeat_pair8(own), csystem_repeat_pair8(own + 8))
        let (here, beside) = (
          csystem_row_pairs8(above + x, below + x), csystem_row_pairs8(above + x + 8, below + x + 8)
        )
        low = csystem_add_pairs8(low, here, lowWeights)
        high = csystem_add_pairs8(high, here, highWeights)
        lowBeside = csystem_add_pairs8(lowBeside, beside, lowWeights)
        highBeside = csystem_add_pairs8(highBeside, beside, highWeights)
      }
      let target = UnsafeMutableRawPointer(output) + x
      target.storeBytes(of: csystem_resampled8(low, high), as: UInt64.self)
      target.storeBytes(of: csystem_resampled8(lowBeside, highBeside), toByteOffset: 8, as: UInt64.self)
      x += 16
    }
  }
}
