import CClip
import CSystem
import ClipPluginKit

/// torchvision's RandAugment (Cubuk et al., 2019): applies random ones of 14 ops, equally likely, with one magnitude.
struct RandAugment: ImageAugmentation {
  private enum Operation: Int, CaseIterable {
    case identity, shearX, shearY, translateX, translateY, rotate, brightness, color, contrast, sharpness, posterize
    case solarize, autoContrast, equalize

    /// Whether the magnitude has a random sign.
    var isSigned: Bool { (Operation.shearX.rawValue...Operation.sharpness.rawValue).contains(rawValue) }
  }

  /// Ops for each image.
  private let count: Int
  /// The magnitude is value `bin` of `bins` in the range of each op.
  private let bin: Int
  private let bins: Int
  private let interpolation: Interpolation
  private let fill: Colour

  init(_ settings: Settings) throws(PluginFailure) {
    count = settings.integer("num_ops")
    bin = settings.integer("magnitude")
    bins = settings.integer("num_magnitude_bins")
    interpolation = Interpolation(rawValue: settings.choice("interpolation")) ?? .nearest
    fill = try Colour(settings.integers("fill"), "fill")
    guard bin < bins else {
      throw PluginFailure(
        CLIP_INVALID_ARGUMENT, "magnitude: expected less than num_magnitude_bins, \(bins), found \(bin)")
    }
  }

  func apply(_ image: Pixels, _ sink: ImageSink, _ random: Random) throws(PluginFailure) {
    let raster = try sink.copy(of: image)
    for _ in 0..<count {
      let operation = Operation(rawValue: random.below(Operation.allCases.count)) ?? .identity
      let isNegative = operation.isSigned && random.below(2) == 1
      try apply(operation, isNegative ? -1 : 1, raster)
    }
  }

  private func apply(_ operation: Operation, _ sign: Double, _ raster: Raster) throws(PluginFailure) {
    let (width, height) = (Double(raster.width), Double(raster.height))
    let factor = 1 + sign * magnitude(0, 0.9)
    switch operation {
    case .identity: break
    case .shearX, .shearY:
      let degrees = atan(sign * magnitude(0, 0.3)) * 180 / Double.pi
      try warp(raster, AffineMap(centre: (0, 0), shear: operation == .shearX ? (degrees, 0) : (0, degrees)))
    case .translateX, .translateY:
      let pixels = (sign * magnitude(0, 150 / 331 * (operation == .translateX ? width : height))).rounded(.towardZero)
      let centre = (width * 0.5, height * 0.5)
      try warp(raster, AffineMap(centre: centre, translate: operation == .translateX ? (pixels, 0) : (0, pixels)))
    case .rotate:
      let degrees = sign * magnitude(0, 30)
      let rotation = PillowRotation(
        degrees, width: raster.width, height: raster.height, centre: nil, false, interpolation)
      try warp(raster, rotation.map)
    case .brightness: raster.adjustBrightness(factor)
    case .color: raster.adjustSaturation(factor)
    case .contrast: raster.adjustContrast(factor)
    case .sharpness:
      let (scratch, original) = try Scratch.copy(of: raster)
      defer { withExtendedLifetime(scratch) {} }
      raster.adjustSharpness(factor, original: original)
    case .posterize:
      let mask = UInt8.max << UInt8(clamping: rounded(Double(bin) / (Double(bins - 1) / 4)))
      raster.map { $0 & mask }
    case .solarize:
      let threshold = magnitude(255, 0)
      raster.map { Double($0) < threshold ? $0 : 255 - $0 }
    case .autoContrast: raster.stretchContrast()
    case .equalize: raster.equalize()
    }
  }

  /// Element `bin` of torch.linspace(first, last, bins), with its rounding.
  private func magnitude(_ first: Double, _ last: Double) -> Double {
    let (first, last) = (Float(first), Float(last))
    let step = (last - first) / Float(bins - 1)
    return Double(bin < bins / 2 ? first + step * Float(bin) : last - step * Float(bins - 1 - bin))
  }

  private func warp(_ raster: Raster, _ map: AffineMap) throws(PluginFailure) {
    let (scratch, original) = try Scratch.copy(of: raster)
    defer { withExtendedLifetime(scratch) {} }
    augment_image.warp(original, into: raster, map, interpolation, fill: fill)
  }
}
