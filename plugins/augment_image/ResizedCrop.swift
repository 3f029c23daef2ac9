import CClip
import CSystem
import ClipPluginKit

/// The distribution of a random rectangle in an image.
struct RectangleDraw {
  /// The rectangle's share of the area.
  let scale: Interval
  /// The ratio of its sides, uniform on a logarithmic scale.
  let ratio: Interval

  init(_ settings: Settings) throws(PluginFailure) {
    scale = try settings.interval("scale")
    ratio = try settings.interval("ratio")
  }

  /// Draws two sides. Their product is the share of `area`, and the first is the ratio times the second.
  func sides(area: Double, _ random: Random) -> (Int, Int) {
    let area = area * scale.draw(random)
    let ratio = exp(random.uniform(log(ratio.low), log(ratio.high)))
    return (rounded((area * ratio).squareRoot()), rounded((area / ratio).squareRoot()))
  }
}

/// torchvision's RandomResizedCrop: resizes a random rectangle of the image as Pillow does.
struct ResizedCrop: ImageAugmentation {
  private let width: Int
  private let height: Int
  private let rectangle: RectangleDraw
  private let resample: clip_resample

  init(_ settings: Settings) throws(PluginFailure) {
    let size = try settings.integers("size")
    guard let height = size.first, let width = size.last else {
      throw PluginFailure(CLIP_INVALID_ARGUMENT, "size: expected 1 or 2 integers, found none")
    }
    let resamples = [CLIP_RESAMPLE_BILINEAR, CLIP_RESAMPLE_BICUBIC, CLIP_RESAMPLE_NEAREST]
    self.width = width
    self.height = height
    rectangle = try RectangleDraw(settings)
    resample = resamples[settings.choice("interpolation")]
  }

  func apply(_ image: Pixels, _ sink: ImageSink, _ random: Random) throws(PluginFailure) {
    let part = crop(of: image, random)
    try sink.resize(
      part, resample, width: width, height: height, into: sink.allocate(width: width, height: height, CLIP_PIXELS_RGB))
  }

  /// Draws up to ten rectangles. If none fits in the image, takes the largest one at its centre with an allowed ratio.
  private func crop(of image: Pixels, _ random: Random) -> Pixels {
    for _ in 0..<10 {
      let (width, height) = rectangle.sides(area: Double(image.width * image.height), random)
      guard width > 0, height > 0, width <= image.width, height <= image.height else { continue }
      let top = random.below(image.height - height + 1)
      let left = random.below(image.width - width + 1)
      return image.part(left: left, top: top, width: width, height: height)
    }
    var (width, height) = (image.width, image.height)
    let ratio = Double(width) / Double(height)
    if ratio < rectangle.ratio.low {
      height = max(1, rounded(Double(width) / rectangle.ratio.low))
    } else if ratio > rectangle.ratio.high {
      width = max(1, rounded(Double(height) * rectangle.ratio.high))
    }
    return image.part(
      left: (image.width - width) / 2, top: (image.height - height) / 2, width: width, height: height)
  }
}
