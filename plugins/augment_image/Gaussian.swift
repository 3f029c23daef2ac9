import CSystem
import ClipPluginKit

/// A Gaussian kernel for each direction, as torchvision makes it: the curve's values at whole distances,
/// together 1.
struct Gaussian {
  private let across: [Float]
  private let down: [Float]

  /// Odd sizes; a deviation of 0 is for a size of 1 alone.
  init(width: Int, height: Int, sigmaX: Double, sigmaY: Double) {
    across = Gaussian.kernel(width, sigmaX)
    down = Gaussian.kernel(height, sigmaY)
  }

  private static func kernel(_ size: Int, _ sigma: Double) -> [Float] {
    guard size > 1 else { return [1] }
    var weights: [Float] = []
    var sum: Float = 0
    for tap in 0..<size {
      let distance = (Double(tap) - Double(size / 2)) / sigma
      weights.append(Float(exp(-0.5 * distance * distance)))
      sum += weights[tap]
    }
    for tap in 0..<size { weights[tap] /= sum }
    return weights
  }

  /// Smooths `height` rows of `width` pixels of `channels` numbers, mirrored at their ends; the edge pixels
  /// themselves are not repeated. `add` adds a row, times the weight, to the sums; `store` takes the smoothed
  /// row, from the upper one down.
  @inline(__always)
  func smooth(
    width: Int, height: Int, channels: Int,
    add: (_ row: Int, _ weight: Float, _ sums: UnsafeMutablePointer<Float>) -> Void,
    store: (_ row: Int, _ sums: UnsafeMutablePointer<Float>) -> Void
  ) throws(PluginFailure) {
    let (count, margin) = (width * channels, across.count / 2)
    let scratch = try Scratch(byteCount: (2 * count + 2 * margin * channels) * MemoryLayout<Float>.stride)
    defer { withExtendedLifetime(scratch) {} }
    let padded = scratch.base.assumingMemoryBound(to: Float.self)
    let middle = padded + margin * channels
    let sums = middle + count + margin * channels
    for y in 0..<height {
      for i in 0..<count { middle[i] = 0 }
      for (tap, weight) in down.enumerated() { add(mirrored(y + tap - down.count / 2, height), weight, middle) }
      for x in 1..<margin + 1 {
        let (left, right) = (mirrored(-x, width), mirrored(width - 1 + x, width))
        for channel in 0..<channels {
          (middle - x * channels)[channel] = middle[left * channels + channel]
          middle[count + (x - 1) * channels + channel] = middle[right * channels + channel]
        }
      }
      for i in 0..<count { sums[i] = 0 }
      for (tap, weight) in across.enumerated() {
        let source = padded + tap * channels
        for i in 0..<count { sums[i] += weight * source[i] }
      }
      store(y, sums)
    }
  }
}

/// The position in 0..<count that `position` shows in mirrors at both ends.
private func mirrored(_ position: Int, _ count: Int) -> Int {
  guard count > 1 else { return 0 }
  let period = 2 * (count - 1)
  let place = ((position % period) + period) % period
  return place < count ? place : period - place
}
