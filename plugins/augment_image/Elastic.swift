import CClip
import CSystem
import ClipPluginKit

/// torchvision's ElasticTransform: noise, smoothed, says how far each pixel looks aside. On 8-bit tensors:
/// torchvision's own form for Pillow's pictures goes through them.
final class Elastic: ImageAugmentation {
  /// Along x and along y.
  private let alpha: (Double, Double)
  private let sigma: (Double, Double)
  private let interpolation: Interpolation
  private let fill: Colour

  convenience init(_ settings: Settings) throws(PluginFailure) {
    func pair(_ name: StaticString) -> (Double, Double) {
      let numbers = settings.numbers(name)
      return (numbers.first ?? 0, numbers.last ?? 0)
    }
    let sigma = pair("sigma")
    guard (sigma.0 > 0) == (sigma.1 > 0) else {
      throw PluginFailure(
        CLIP_INVALID_ARGUMENT, "sigma: expected none or both above 0, found \(sigma.0) and \(sigma.1)")
    }
    self.init(
      pair("alpha"), sigma, settings.choice("interpolation") == 0 ? .bilinear : .nearest,
      try Colour(settings.integers("fill"), "fill"))
  }

  private init(_ alpha: (Double, Double), _ sigma: (Double, Double), _ interpolation: Interpolation, _ fill: Colour) {
    self.alpha = alpha
    self.sigma = sigma
    self.interpolation = interpolation
    self.fill = fill
  }

  /// Draws the noise along x of all pixels, row by row, then that along y.
  override func apply(_ picture: Pixels, _ sink: ImageSink, _ random: Random) throws(PluginFailure) {
    let (width, height) = (picture.width, picture.height)
    let raster = try sink.raster(width: width, height: height)
    let scratch = try Scratch(byteCount: 2 * width * height * MemoryLayout<Float>.stride)
    defer { withExtendedLifetime(scratch) {} }
    let noise = scratch.base.assumingMemoryBound(to: Float.self)
    let aside = noise + width * height
    let source = Raster(viewing: picture)
    // A shift of 1 is half the picture to torchvision, and alpha is divided by the whole.
    let (reachX, reachY) = (Float(alpha.0 / 2), Float(alpha.1 / 2))
    try drawSmooth(noise, width, height, sigma.0, random) { y, shifts in
      memcpy(aside + y * width, shifts, width * MemoryLayout<Float>.stride)
    }
    try drawSmooth(noise, width, height, sigma.1, random) { y, shifts in
      let (row, across) = (raster.row(y), aside + y * width)
      for x in 0..<width {
        let (toX, toY) = (Float(x) + reachX * across[x], Float(y) + reachY * shifts[x])
        if interpolation == .nearest {
          pickNearest(source, toX, toY, row + x &* 3)
        } else {
          mixFour(source, toX, toY, row + x &* 3)
        }
      }
    }
  }

  /// Gives `store` rows of noise, uniform from -1 to 1 before it is smoothed by a kernel of `size` deviations.
  private func drawSmooth(
    _ noise: UnsafeMutablePointer<Float>, _ width: Int, _ height: Int, _ size: Double, _ random: Random,
    store: (_ row: Int, _ shifts: UnsafeMutablePointer<Float>) -> Void
  ) throws(PluginFailure) {
    for i in 0..<width * height { noise[i] = Float(random.bits() >> 8) * 0x1p-23 - 1 }
    let taps = Int(8 * size + 1) | 1
    try Gaussian(width: taps, height: taps, sigmaX: sigma.0, sigmaY: sigma.1).smooth(
      width: width, height: height, channels: 1
    ) { y, weight, sums in
      let row = noise + y * width
      for i in 0..<width { sums[i] += weight * row[i] }
    } store: {
      store($0, $1)
    }
  }

  private func pickNearest(_ source: Raster, _ x: Float, _ y: Float, _ target: UnsafeMutablePointer<UInt8>) {
    let (column, line) = (Int(x.rounded(.toNearestOrEven)), Int(y.rounded(.toNearestOrEven)))
    let isInside = column >= 0 && column < source.width && line >= 0 && line < source.height
    let pixel = source.row(isInside ? line : 0) + (isInside ? column : 0) * 3
    for channel in 0..<3 { target[channel] = isInside ? pixel[channel] : fill[channel] }
  }

  /// Of the four pixels around, those beside the picture are 0, and the more of them there are the more of the
  /// fill is mixed in, as torchvision does (_apply_grid_transform).
  @inline(__always)
  private func mixFour(_ source: Raster, _ x: Float, _ y: Float, _ target: UnsafeMutablePointer<UInt8>) {
    let (column, line) = (floor(x), floor(y))
    let (towardX, towardY) = (x - Float(column), y - Float(line))
    let weights = SIMD4<Float>(
      (1 - towardX) * (1 - towardY), towardX * (1 - towardY), (1 - towardX) * towardY, towardX * towardY)
    if column >= 0, column < source.width - 1, line >= 0, line < source.height - 1 {
      let first = source.row(line) + column * 3
      let second = first + source.stride
      for channel in 0..<3 {
        let sum =
          weights[0] * Float(first[channel]) + weights[1] * Float(first[channel + 3])
          + weights[2] * Float(second[channel]) + weights[3] * Float(second[channel + 3])
        target[channel] = byte(sum)
      }
      return
    }
    var sums = SIMD4<Float>()
    for corner in 0..<4 {
      let (column, line) = (column + corner & 1, line + corner >> 1)
      guard column >= 0, column < source.width, line >= 0, line < source.height else { continue }
      let pixel = source.row(line) + column * 3
      sums += weights[corner] * SIMD4(Float(pixel[0]), Float(pixel[1]), Float(pixel[2]), 1)
    }
    for channel in 0..<3 {
      let colour = Float(fill[channel])
      let mixed = (sums[channel] - colour) * sums[3] + colour
      target[channel] = byte(mixed)
    }
  }
}

// What Float's own rounding does by a call of libm on processors of the first x86-64.

/// Of a number of a picture's size.
@inline(__always)
private func floor(_ number: Float) -> Int {
  let whole = Int(number)
  return Float(whole) > number ? whole - 1 : whole
}

/// The nearest, halves to even, of 0 to 255.
@inline(__always)
private func byte(_ number: Float) -> UInt8 { UInt8(truncatingIfNeeded: Int32(number + 0x1p23 - 0x1p23)) }
