import CClip
import ClipPluginKit

/// torchvision's ColorJitter: changes brightness, contrast, saturation and hue by random factors in random order.
struct ColorJitter: ImageAugmentation {
  /// The ranges of brightness, contrast, saturation and hue; nil for no change.
  private let factors: [Interval?]

  init(_ settings: Settings) throws(PluginFailure) {
    func around(_ centre: Double, _ name: StaticString) throws(PluginFailure) -> Interval? {
      let interval = try settings.interval(name) { centre == 0 ? (-$0, $0) : (max(0, centre - $0), centre + $0) }
      return interval.low == centre && interval.high == centre ? nil : interval
    }
    factors = [
      try around(1, "brightness"), try around(1, "contrast"), try around(1, "saturation"), try around(0, "hue"),
    ]
  }

  func apply(_ image: Pixels, _ sink: ImageSink, _ random: Random) throws(PluginFailure) {
    let order = random.permutation(4)
    var drawn: InlineArray<4, Double> = [1, 1, 1, 0]
    for (index, factor) in factors.enumerated() { if let factor { drawn[index] = factor.draw(random) } }
    let raster = try sink.copy(of: image)
    for index in order where factors[index] != nil {
      switch index {
      case 0: raster.adjustBrightness(drawn[index])
      case 1: raster.adjustContrast(drawn[index])
      case 2: raster.adjustSaturation(drawn[index])
      default: raster.adjustHue(drawn[index])
      }
    }
  }
}

/// torchvision's RandomGrayscale.
struct Grayscale: ImageAugmentation {
  init(_ settings: Settings) {}

  func apply(_ image: Pixels, _ sink: ImageSink, _ random: Random) throws(PluginFailure) {
    try sink.copy(of: image).convertToGray()
  }
}
