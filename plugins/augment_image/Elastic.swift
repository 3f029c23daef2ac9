import CClip
import CSystem
import ClipPluginKit

/// torchvision's ElasticTransform for 8-bit tensors: displaces each pixel by smoothed noise.
struct Elastic: ImageAugmentation {
  /// The scale of the displacement along x and y, and the smoothing's standard deviation; in pixels.
  private let alpha: (Double, Double)
  private let sigma: (Double, Double)
  private let interpolation: Interpolation
  private let fill: Colour

  init(_ settings: Settings) throws(PluginFailure) {
    func pair(_ name: StaticString) -> (Double, Double) {
      let values = settings.numbers(name)
      return (values.first ?? 0, values.last ?? 0)
    }
    alpha = pair("alpha")
    sigma = pair("sigma")
    interpolation = settings.choice("interpolation") == 0 ? .bilinear : .nearest
    fill = try Colour(settings.integers("fill"), "fill")
    guard (sigma.0 > 0) == (sigma.1 > 0) else {
      throw PluginFailure(
        CLIP_INVALID_ARGUMENT, "sigma: expected none or both above 0, found \(sigma.0) and \(sigma.1)")
    }
  }

  /// Draws the noise along x for all pixels, row by row, then the noise along y.
  func apply(_ image: Pixels, _ sink: ImageSink, _ random: Random) throws(PluginFailure) {
    let (width, height) = (image.width, image.height)
    let raster = try sink.raster(width: width, height: height)
    let scratch = try Scratch(byteCount: 2 * width * height * MemoryLayout<Float>.stride)
    defer { withExtendedLifetime(scratch) {} }
    let noise = scratch.base.assumingMemoryBound(to: Float.self)
    let shiftsX = noise + width * height
    let source = Raster(viewing: image)
    // torchvision divides alpha by the image's size, and its grid spans 2 over the image: a shift of 1 is alpha / 2
    // pixels.
    let (scaleX, scaleY) = (Float(alpha.0 / 2), Float(alpha.1 / 2))
    try drawSmooth(noise, width, height, sigma.0, random) { y, shifts in
      memcpy(shiftsX + y * width, shifts, width * MemoryLayout<Float>.stride)
    }
    try drawSmooth(noise, width, height, sigma.1, random) { y, shiftsY in
      let (row, shiftsX) = (raster.row(y), shiftsX + y * width)
      for x in 0..<width {
        let (sourceX, sourceY) = (Float(x) + scaleX * shiftsX[x], Float(y) + scaleY * shiftsY[x])
        if interpolation == .nearest {
          sampleNearest(source, sourceX, sourceY, row + x &* 3)
        } else {
          sampleBilinear(source, sourceX, sourceY, row + x &* 3)
        }
      }
    }
  }

  /// Draws noise, uniform in [-1, 1), smooths it, and calls `store` for each row. `extent` is the standard deviation
  /// from which torchvision derives the size of the kernel.
  private func drawSmooth(
    _ noise: UnsafeMutablePointer<Float>, _ width: Int, _ height: Int, _ extent: Double, _ random: Random,
    store: (_ row: Int, _ shifts: UnsafeMutablePointer<Float>) -> Void
  ) throws(PluginFailure) {
    for i in 0..<width * height { noise[i] = Float(random.bits() >> 8) * 0x1p-23 - 1 }
    let taps = Int(8 * extent + 1) | 1
    try Gaussian(width: taps, height: taps, sigmaX: sigma.0, sigmaY: sigma.1).smooth(
      width: width, height: height, channels: 1
    ) { y, weight, sums in
      let row = noise + y * width
      for i in 0..<width { sums[i] += weight * row[i] }
    } store: {
      store($0, $1)
    }
  }

  private func sampleNearest(_ source: Raster, _ x: Float, _ y: Float, _ target: UnsafeMutablePointer<UInt8>) {
    let (column, line) = (Int(x.rounded(.toNearestOrEven)), Int(y.rounded(.toNearestOrEven)))
    let isInside = column >= 0 && column < source.width && line >= 0 && line < source.height
    let pixel = source.row(isInside ? line : 0) + (isInside ? column : 0) * 3
    for channel in 0..<3 { target[channel] = isInside ? pixel[channel] : fill[channel] }
  }

  /// Pixels outside the image count as 0, and the fill is blended in by their share of the weights, as in torchvision
  /// (_apply_grid_transform).
  @inline(__always)
  private func sampleBilinear(_ source: Raster, _ x: Float, _ y: Float, _ target: UnsafeMutablePointer<UInt8>) {
    let (column, line) = (floor(x), floor(y))
    let (fractionX, fractionY) = (x - Float(column), y - Float(line))
    let weights = SIMD4<Float>(
      (1 - fractionX) * (1 - fractionY), fractionX * (1 - fractionY), (1 - fractionX) * fractionY,
      fractionX * fractionY)
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

// Float's rounding functions are calls of libm on x86-64 without SSE4.1.

/// The largest integer up to `value`, which must fit Int.
@inline(__always)
private func floor(_ value: Float) -> Int {
  let truncated = Int(value)
  return Float(truncated) > value ? truncated - 1 : truncated
}

/// Rounds a value in [0, 255] to the nearest integer, halves to even.
@inline(__always)
private func byte(_ value: Float) -> UInt8 { UInt8(truncatingIfNeeded: Int32(value + 0x1p23 - 0x1p23)) }
