import CSystem
import ClipPluginKit

/// A separable Gaussian filter, as in torchvision: the density at integer distances, normalised to a sum of 1.
struct Gaussian {
  private let horizontal: [Float]
  private let vertical: [Float]

  /// Sizes must be odd. A standard deviation of 0 requires a size of 1.
  init(width: Int, height: Int, sigmaX: Double, sigmaY: Double) {
    horizontal = Gaussian.kernel(width, sigmaX)
    vertical = Gaussian.kernel(height, sigmaY)
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

  /// Smooths `height` rows of `width` pixels of `channels` elements, mirrored at the edges without repeating the edge
  /// pixels. `add` adds a row of the input times a weight to `sums`. `store` gets each smoothed row, from the top down.
  @inline(__always)
  func smooth(
    width: Int, height: Int, channels: Int,
    add: (_ row: Int, _ weight: Float, _ sums: UnsafeMutablePointer<Float>) -> Void,
    store: (_ row: Int, _ sums: UnsafeMutablePointer<Float>) -> Void
  ) throws(PluginFailure) {
    let (count, margin) = (width * channels, horizontal.count / 2)
    let scratch = try Scratch(byteCount: (2 * count + 2 * margin * channels) * MemoryLayout<Float>.stride)
    defer { withExtendedLifetime(scratch) {} }
    let padded = scratch.base.assumingMemoryBound(to: Float.self)
    let middle = padded + margin * channels
    let sums = middle + count + margin * channels
    for y in 0..<height {
      for i in 0..<count { middle[i] = 0 }
      for (tap, weight) in vertical.enumerated() {
        add(mirrored(y + tap - vertical.count / 2, height), weight, middle)
      }
      for x in 1..<margin + 1 {
        let (left, right) = (mirrored(-x, width), mirrored(width - 1 + x, width))
        for channel in 0..<channels {
          (middle - x * channels)[channel] = middle[left * channels + channel]
          middle[count + (x - 1) * channels + channel] = middle[right * channels + channel]
        }
      }
      for i in 0..<count { sums[i] = 0 }
      for (tap, weight) in horizontal.enumerated() {
        let source = padded + tap * channels
        for i in 0..<count { sums[i] += weight * source[i] }
      }
      store(y, sums)
    }
  }
}

/// The index in 0..<count of `position` in a sequence that is mirrored at both ends.
private func mirrored(_ position: Int, _ count: Int) -> Int {
  guard count > 1 else { return 0 }
  let period = 2 * (count - 1)
  let place = ((position % period) + period) % period
  return place < count ? place : period - place
}
