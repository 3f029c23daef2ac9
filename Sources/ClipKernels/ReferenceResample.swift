import CClip

/// Pillow's resize: sums of integer weights, rounded half up.
extension Reference {
  static func resampleHorizontal(
    _ source: UnsafePointer<UInt8>?, _ first: Int, _ spans: UnsafePointer<clip_resample_span>?, _ width: Int,
    _ output: UnsafeMutablePointer<UInt8>?
  ) {
    guard let source, let spans, let output else { return }
    for x in 0..<max(0, width) {
      let pixels = source + (spans[x].first &- first) &* 4
      for channel in 0..<3 { output[x &* 3 &+ channel] = sum(spans[x]) { pixels[$0 &* 4 &+ channel] } }
    }
  }

  static func resampleVertical(
    _ rows: UnsafePointer<UnsafePointer<UInt8>?>?, _ span: UnsafePointer<clip_resample_span>?, _ bytes: Int,
    _ output: UnsafeMutablePointer<UInt8>?
  ) {
    guard let rows, let span, let output else { return }
    for x in 0..<max(0, bytes) { output[x] = sum(span.pointee) { rows[$0]?[x] ?? 0 } }
  }

  private static func sum(_ span: clip_resample_span, _ byte: (Int) -> UInt8) -> UInt8 {
    guard let weights = UnsafeRawPointer(span.weights) else { return 0 }
    var sum: Int32 = 1 << 21
    for tap in 0..<max(0, span.count) {
      let place = (tap >> 2) &* 16 &+ (tap & 3) &* 2
      let low = Int32(weights.load(fromByteOffset: place, as: Int16.self))
      let high = Int32(weights.load(fromByteOffset: place &+ 8, as: Int16.self))
      sum &+= (high &<< 15 &+ low) &* Int32(byte(tap))
    }
    return UInt8(truncatingIfNeeded: max(0, min(255, sum >> 22)))
  }
}
