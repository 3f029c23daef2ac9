import CClip
import CSystem
import ClipPluginKit

/// torchvision's GaussianBlur, of the same kernel; one deviation for both directions.
final class GaussianBlur: ImageAugmentation {
  private let kernelWidth: Int
  private let kernelHeight: Int
  private let sigma: Interval

  convenience init(_ settings: Settings) throws(PluginFailure) {
    let size = try settings.integers("kernel_size")
    for side in size where side % 2 == 0 {
      throw PluginFailure(CLIP_INVALID_ARGUMENT, "kernel_size: expected odd numbers, found \(side)")
    }
    self.init(size.first ?? 1, size.last ?? 1, try settings.interval("sigma"))
  }

  private init(_ kernelWidth: Int, _ kernelHeight: Int, _ sigma: Interval) {
    self.kernelWidth = kernelWidth
    self.kernelHeight = kernelHeight
    self.sigma = sigma
  }

  /// Row by row: down into one row of floats, mirrored at its ends, then across. The picture's own edge
  /// pixels are not repeated.
  override func apply(_ picture: Pixels, _ sink: ImageSink, _ random: Random) throws(PluginFailure) {
    let sigma = sigma.draw(random)
    let across = kernel(kernelWidth, sigma)
    let down = kernel(kernelHeight, sigma)
    let raster = try sink.raster(width: picture.width, height: picture.height)
    let margin = kernelWidth / 2
    let count = picture.width * 3
    let scratch = try Scratch(byteCount: (2 * count + 6 * margin) * MemoryLayout<Float>.stride)
    defer { withExtendedLifetime(scratch) {} }
    let padded = scratch.base.assumingMemoryBound(to: Float.self)
    let middle = padded + margin * 3
    let sums = middle + count + margin * 3
    for y in 0..<picture.height {
      for i in 0..<count { middle[i] = 0 }
      for (tap, weight) in down.enumerated() {
        let row = picture.row(mirrored(y + tap - kernelHeight / 2, picture.height))
        for i in 0..<count { middle[i] += weight * Float(row[i]) }
      }
      for x in 1..<margin + 1 {
        let (left, right) = (mirrored(-x, picture.width), mirrored(picture.width - 1 + x, picture.width))
        for channel in 0..<3 {
          (middle - x * 3)[channel] = middle[left * 3 + channel]
          middle[count + (x - 1) * 3 + channel] = middle[right * 3 + channel]
        }
      }
      for i in 0..<count { sums[i] = 0 }
      for (tap, weight) in across.enumerated() {
        let source = padded + tap * 3
        for i in 0..<count { sums[i] += weight * source[i] }
      }
      let target = raster.row(y)
      for i in 0..<count { target[i] = UInt8(truncatingIfNeeded: Int32(min(255, sums[i]).rounded(.toNearestOrEven))) }
    }
  }

  private func kernel(_ size: Int, _ sigma: Double) -> [Float] {
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
}

/// The position in 0..<count that `position` shows in mirrors at both ends.
private func mirrored(_ position: Int, _ count: Int) -> Int {
  guard count > 1 else { return 0 }
  let period = 2 * (count - 1)
  let place = ((position % period) + period) % period
  return place < count ? place : period - place
}
