import CSystem

extension Raster {
  /// torchvision's adjust_hue: hues are turned by `factor` of the circle, in Pillow's 8-bit HSV
  /// (libImaging/Convert.c). Without branches: which channel is the largest is noise.
  func adjustHue(_ factor: Double) {
    let shift = SIMD8(repeating: Int32(truncatingIfNeeded: Int(factor * 255)))
    forEachEight { pixels in
      let colour = EightColours(pixels)
      let hue = csystem_floats8((csystem_truncated8(colour.hue * 255) &+ shift) & 255)
      colour.turn(to: hue, &pixels)
    }
  }
}

/// Eight pixels' hue, saturation and value.
private struct EightColours {
  typealias Lanes = EightPixels.Lanes

  /// As a share of the circle, rounded as Pillow rounds it: all bytes that there can be are the same, which
  /// floats give where the operations are these, in this order.
  let hue: Lanes
  /// 0 to 255, whole.
  let saturation: Lanes
  let value: Lanes

  @inline(__always)
  init(_ pixels: EightPixels) {
    let (red, green, blue) = (pixels.red, pixels.green, pixels.blue)
    let most = EightPixels.larger(red, EightPixels.larger(green, blue))
    let least = EightPixels.smaller(red, EightPixels.smaller(green, blue))
    let one = Lanes(repeating: 1)
    let range = most - least
    // How far the middle channel is below the largest; the smallest is below it by 1.
    let middle = red + green + blue - most - least
    let below = (most - middle) / EightPixels.larger(range, one)
    // Sixths of the circle: from the odd one beside the largest channel's, towards it, or for red from -1 up.
    let (isRed, isGreen) = (red .== most, green .== most)
    var start = Lanes(repeating: 5).replacing(with: 3, where: red .<= green)
    var sign = Lanes(repeating: -1).replacing(with: 1, where: red .<= green)
    start = start.replacing(with: Lanes(repeating: 3).replacing(with: 1, where: blue .<= red), where: isGreen)
    sign = sign.replacing(with: Lanes(repeating: -1).replacing(with: 1, where: blue .<= red), where: isGreen)
    start = start.replacing(with: Lanes(repeating: -1).replacing(with: 1, where: blue .<= green), where: isRed)
    sign = sign.replacing(with: Lanes(repeating: 1).replacing(with: -1, where: blue .<= green), where: isRed)
    let turn = (start + sign * below) / 6
    hue = turn.replacing(with: turn + one, where: turn .< Lanes.zero)
    saturation = EightPixels.whole(range / EightPixels.larger(most, one) * 255)
    value = most
  }

  /// The same saturation and value with hue `hue`, 0 to 255, whole. Of each channel it says how far it is below
  /// the value, 255 being the whole saturation.
  @inline(__always)
  func turn(to hue: Lanes, _ pixels: inout EightPixels) {
    let place = hue * 6
    let depth = value * saturation
    @inline(__always) func channel(_ distance: Lanes) -> Lanes {
      // Whole numbers below 2^24 are exact up to the division.
      value - depth * EightPixels.clamped(distance, 0, 255) * (1 / 65025) + 0.5
    }
    pixels.red = channel(510 - magnitude(place - 765))
    pixels.green = channel(magnitude(place - 510) - 255)
    pixels.blue = channel(magnitude(place - 1020) - 255)
  }

  @inline(__always)
  private func magnitude(_ numbers: Lanes) -> Lanes { EightPixels.larger(numbers, Lanes.zero - numbers) }
}
