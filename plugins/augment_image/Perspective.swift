import CClip
import ClipPluginKit

/// torchvision's RandomPerspective: moves the image's corners inwards.
struct Perspective: ImageAugmentation {
  private let distortion: Double
  private let interpolation: Interpolation
  private let fill: Colour

  init(_ settings: Settings) throws(PluginFailure) {
    let interpolations: [Interpolation] = [.bilinear, .nearest, .bicubic]
    distortion = settings.number("distortion_scale")
    interpolation = interpolations[settings.choice("interpolation")]
    fill = try Colour(settings.integers("fill"), "fill")
  }

  /// Draws the new upper left, upper right, lower right and lower left corners, x before y. If there is no perspective
  /// map to them, because three are on a line, the image stays as it is.
  func apply(_ image: Pixels, _ sink: ImageSink, _ random: Random) throws(PluginFailure) {
    let (width, height) = (image.width, image.height)
    func draw(_ side: Int, isFar: Bool) -> Double {
      let bound = Int(distortion * Double(side / 2)) + 1
      return Double(random.below(bound) + (isFar ? side - bound : 0))
    }
    var corners: InlineArray<4, (x: Double, y: Double)> = .init(repeating: (0, 0))
    for corner in 0..<4 {
      let x = draw(width, isFar: corner == 1 || corner == 2)
      corners[corner] = (x, draw(height, isFar: corner >= 2))
    }
    guard let map = PerspectiveMap(corners, width: width, height: height) else { return }
    let raster = try sink.raster(width: width, height: height)
    raster.fill(fill)
    warp(Raster(viewing: image), into: raster, by: map, interpolation)
  }
}

/// The map to ((a x + b y + c) / w, (d x + e y + f) / w) with w = g x + h y + 1.
struct PerspectiveMap: CoordinateMap {
  private let a, b, c, d, e, f, g, h: Double

  @inline(__always)
  func callAsFunction(_ x: Double, _ y: Double) -> (x: Double, y: Double) {
    let w = g * x + h * y + 1
    return ((a * x + b * y + c) / w, (d * x + e * y + f) / w)
  }

  /// The map from `corners` to the centres of the image's corner pixels, in the same order: the inverse of Heckbert's
  /// map of the unit square to a quadrilateral (Fundamentals of Texture Mapping and Image Warping, 1989). Coefficients
  /// are rounded to float, as in torchvision. nil if there is no inverse.
  init?(_ corners: InlineArray<4, (x: Double, y: Double)>, width: Int, height: Int) {
    let (p0, p1, p2, p3) = (corners[0], corners[1], corners[2], corners[3])
    let (x1, y1, x2, y2) = (p1.x - p2.x, p1.y - p2.y, p3.x - p2.x, p3.y - p2.y)
    let (sumX, sumY) = (p0.x - p1.x + p2.x - p3.x, p0.y - p1.y + p2.y - p3.y)
    let (i, g, h) = (x1 * y2 - x2 * y1, sumX * y2 - x2 * sumY, x1 * sumY - sumX * y1)
    let (a, b, c) = (i * (p1.x - p0.x) + g * p1.x, i * (p3.x - p0.x) + h * p3.x, i * p0.x)
    let (d, e, f) = (i * (p1.y - p0.y) + g * p1.y, i * (p3.y - p0.y) + h * p3.y, i * p0.y)
    // The adjugate of (a b c, d e f, g h i), which is the inverse times the determinant.
    let (across, down, unit) = (e * i - f * h, f * g - d * i, d * h - e * g)
    let scale = a * e - b * d
    guard a * across + b * down + c * unit != 0, scale != 0 else { return nil }
    let (toX, toY) = (Double(width - 1) / scale, Double(height - 1) / scale)
    func float(_ number: Double) -> Double { Double(Float(number)) }
    (self.a, self.b, self.c) = (float(across * toX), float((c * h - b * i) * toX), float((b * f - c * e) * toX))
    (self.d, self.e, self.f) = (float(down * toY), float((a * i - c * g) * toY), float((c * d - a * f) * toY))
    (self.g, self.h) = (float(unit / scale), float((b * g - a * h) / scale))
  }
}
