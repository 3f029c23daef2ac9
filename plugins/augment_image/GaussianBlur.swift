import CClip
import ClipPluginKit

/// torchvision's GaussianBlur, with one standard deviation for both directions.
struct GaussianBlur: ImageAugmentation {
  private let kernelWidth: Int
  private let kernelHeight: Int
  private let sigma: Interval

  init(_ settings: Settings) throws(PluginFailure) {
    let size = try settings.integers("kernel_size")
    for side in size where side % 2 == 0 {
      throw PluginFailure(CLIP_INVALID_ARGUMENT, "kernel_size: expected odd numbers, found \(side)")
    }
    kernelWidth = size.first ?? 1
    kernelHeight = size.last ?? 1
    sigma = try settings.interval("sigma")
  }

  func apply(_ image: Pixels, _ sink: ImageSink, _ random: Random) throws(PluginFailure) {
    let sigma = sigma.draw(random)
    let raster = try sink.raster(width: image.width, height: image.height)
    let count = image.width * 3
    try Gaussian(width: kernelWidth, height: kernelHeight, sigmaX: sigma, sigmaY: sigma).smooth(
      width: image.width, height: image.height, channels: 3
    ) { y, weight, sums in
      let row = image.row(y)
      for i in 0..<count { sums[i] += weight * Float(row[i]) }
    } store: { y, sums in
      let target = raster.row(y)
      for i in 0..<count { target[i] = UInt8(truncatingIfNeeded: Int32(min(255, sums[i]).rounded(.toNearestOrEven))) }
    }
  }
}
