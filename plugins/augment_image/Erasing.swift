import CClip
import ClipPluginKit

/// torchvision's RandomErasing: fills a rectangle with a colour or with noise.
struct Erasing: ImageAugmentation {
  private let rectangle: RectangleDraw
  private let colour: Colour
  private let isRandom: Bool

  init(_ settings: Settings) throws(PluginFailure) {
    rectangle = try RectangleDraw(settings)
    colour = try Colour(settings.integers("value"), "value")
    isRandom = settings.boolean("random")
  }

  /// Draws up to ten rectangles; if none is smaller than the image, the image stays as it is.
  func apply(_ image: Pixels, _ sink: ImageSink, _ random: Random) throws(PluginFailure) {
    for _ in 0..<10 {
      let (height, width) = rectangle.sides(area: Double(image.width * image.height), random)
      guard width < image.width, height < image.height else { continue }
      let top = random.below(image.height - height + 1)
      let left = random.below(image.width - width + 1)
      let raster = try sink.copy(of: image)
      let hole = Raster(base: raster.row(top) + left * 3, width: width, height: height, stride: raster.stride)
      if isRandom { hole.fillWithNoise(random) } else { hole.fill(colour) }
      return
    }
  }
}

extension Raster {
  /// Fills with noise that CLIP's normalisation turns into standard normal noise, since torchvision erases after
  /// normalisation.
  fileprivate func fillWithNoise(_ random: Random) {
    let mean: InlineArray<3, Double> = [0.48145466, 0.4578275, 0.40821073]
    let deviation: InlineArray<3, Double> = [0.26862954, 0.26130258, 0.27577711]
    for y in 0..<height {
      let row = row(y)
      for x in 0..<width {
        for channel in 0..<3 {
          let value = 255 * (mean[channel] + deviation[channel] * random.normal())
          row[x * 3 + channel] = UInt8(max(0, min(255, value)).rounded())
        }
      }
    }
  }
}
