import CClip
import CSystem
import ClipPluginKit

/// The settings that Rotation and Affine share.
struct WarpSettings {
  let degrees: Interval
  let interpolation: Interpolation
  let fill: Colour
  /// The fixed point of the map; nil for the image's centre.
  let centre: (x: Double, y: Double)?

  init(_ settings: Settings) throws(PluginFailure) {
    degrees = try settings.interval("degrees") { (-$0, $0) }
    interpolation = Interpolation(rawValue: settings.choice("interpolation")) ?? .nearest
    fill = try Colour(settings.integers("fill"), "fill")
    let centre = settings.numbers("center")
    guard centre.count != 1 else {
      throw PluginFailure(CLIP_INVALID_ARGUMENT, "center: expected x and y, found one number")
    }
    self.centre = centre.isEmpty ? nil : (centre[0], centre[1])
  }
}

/// torchvision's RandomRotation. Positive angles are counter-clockwise.
struct Rotation: ImageAugmentation {
  private let settings: WarpSettings
  private let expands: Bool

  init(_ settings: Settings) throws(PluginFailure) {
    self.settings = try WarpSettings(settings)
    expands = settings.boolean("expand")
  }

  func apply(_ image: Pixels, _ sink: ImageSink, _ random: Random) throws(PluginFailure) {
    let angle = settings.degrees.draw(random)
    var (width, height) = (image.width, image.height)
    let rotation = PillowRotation(
      angle, width: width, height: height, centre: settings.centre, expands, settings.interpolation)
    var map = rotation.map
    if expands {
      let corners = [(0, 0), (Double(width), 0), (Double(width), Double(height)), (0, Double(height))]
      var (left, top, right, bottom) = (Double.infinity, Double.infinity, -Double.infinity, -Double.infinity)
      for (x, y) in corners {
        let corner = map(x, y)
        (left, right) = (min(left, corner.x), max(right, corner.x))
        (top, bottom) = (min(top, corner.y), max(bottom, corner.y))
      }
      let (newWidth, newHeight) = (right.rounded(.up) - left.rounded(.down), bottom.rounded(.up) - top.rounded(.down))
      let moved = map(-(newWidth - Double(width)) / 2, -(newHeight - Double(height)) / 2)
      (map.c, map.f) = (moved.x, moved.y)
      (width, height) = (rounded(newWidth), rounded(newHeight))
    }
    let raster = try sink.raster(width: width, height: height)
    warp(Raster(viewing: image), into: raster, map, rotation.interpolation, fill: settings.fill)
  }
}

/// The map and interpolation of Pillow's Image.rotate, which moves pixels exactly for multiples of 90 degrees about the
/// centre.
struct PillowRotation {
  let map: AffineMap
  let interpolation: Interpolation

  init(
    _ degrees: Double, width: Int, height: Int, centre: (x: Double, y: Double)?, _ expands: Bool,
    _ interpolation: Interpolation
  ) {
    map = AffineMap(rotation: degrees, centre: centre ?? (Double(width) / 2, Double(height) / 2))
    let isHalf = degrees.remainder(dividingBy: 180) == 0
    let isQuarter = degrees.remainder(dividingBy: 90) == 0 && (expands || width == height)
    self.interpolation = centre == nil && (isHalf || isQuarter) ? .nearest : interpolation
  }
}

/// torchvision's RandomAffine.
struct Affine: ImageAugmentation {
  private let settings: WarpSettings
  /// The largest translation as a share of the width and of the height; empty for none.
  private let translate: [Double]
  private let scale: Interval
  private let shearX: Interval
  private let shearY: Interval

  init(_ settings: Settings) throws(PluginFailure) {
    self.settings = try WarpSettings(settings)
    translate = settings.numbers("translate")
    guard translate.count != 1 else {
      throw PluginFailure(CLIP_INVALID_ARGUMENT, "translate: expected two numbers, found one")
    }
    scale = try settings.interval("scale")
    let shear = settings.numbers("shear")
    switch shear.count {
    case 1: shearX = try Interval(-shear[0], shear[0], "shear")
    case 2, 4: shearX = try Interval(shear[0], shear[1], "shear")
    default: throw PluginFailure(CLIP_INVALID_ARGUMENT, "shear: expected 1, 2 or 4 numbers, found \(shear.count)")
    }
    shearY = shear.count == 4 ? try Interval(shear[2], shear[3], "shear") : try Interval(0, 0, "shear")
  }

  func apply(_ image: Pixels, _ sink: ImageSink, _ random: Random) throws(PluginFailure) {
    let (width, height) = (Double(image.width), Double(image.height))
    let angle = settings.degrees.draw(random)
    var (moveX, moveY) = (0.0, 0.0)
    if translate.count == 2 {
      moveX = random.uniform(-translate[0] * width, translate[0] * width).rounded(.toNearestOrEven)
      moveY = random.uniform(-translate[1] * height, translate[1] * height).rounded(.toNearestOrEven)
    }
    let map = AffineMap(
      centre: settings.centre ?? (width * 0.5, height * 0.5), angle: angle, translate: (moveX, moveY),
      scale: scale.draw(random), shear: (shearX.draw(random), shearY.draw(random)))
    let raster = try sink.raster(width: image.width, height: image.height)
    warp(Raster(viewing: image), into: raster, map, settings.interpolation, fill: settings.fill)
  }
}
