import CSystem

extension Raster {
  /// torchvision's adjust_hue: rotates hues by `factor` of the circle in Pillow's 8-bit HSV (libImaging/Convert.c).
  /// Without branches, since which channel is largest is unpredictable.
  func adjustHue(_ factor: Double) {
    let shift = SIMD8(repeating: Int32(truncatingIfNeeded: Int(factor * 255)))
    forEachEight { pixels in
      let colour = EightColours(pixels)
      let hue = csystem_floats8((csystem_truncated8(colour.hue * 255) &+ shift) & 255)
      colour.convert(hue: hue, to: &pixels)
    }
  }
}

/// Hue, saturation and value of eight pixels.
private struct EightColours {
  typealias Lanes = EightPixels.Lanes

  /// In [0, 1). The operations and their order are chosen so that the hue as a byte equals Pillow's for every pixel.
  let hue: Lanes
  /// Integers from 0 to 255.
  let saturation: Lanes
  let value: Lanes

  @inline(__always)
  init(_ pixels: EightPixels) {
    let (red, green, blue) = (pixels.red, pixels.green, pixels.blue)
    let most = EightPixels.larger(red, EightPixels.larger(green, blue))
    let least = EightPixels.smaller(red, EightPixels.smaller(green, blue))
    let one = Lanes(repeating: 1)
    let range = most - least
    // The distance of the middle channel from the largest, relative to that of the smallest.
    let middle = red + green + blue - most - least
    let distance = (most - middle) / EightPixels.larger(range, one)
    // In sixths of the circle, hue is start + sign * distance: `start` is an odd sixth next to that of the largest
    // channel, and `sign` points from it to that channel.
    let (isRed, isGreen) = (red .== most, green .== most)
    var start = Lanes(repeating: 5).replacing(with: 3, where: red .<= green)
    var sign = Lanes(repeating: -1).replacing(with: 1, where: red .<= green)
    start = start.replacing(with: Lanes(repeating: 3).replacing(with: 1, where: blue .<= red), where: isGreen)
    sign = sign.replacing(with: Lanes(repeating: -1).replacing(with: 1, where: blue .<= red), where: isGreen)
    start = start.replacing(with: Lanes(repeating: -1).replacing(with: 1, where: blue .<= green), where: isRed)
    sign = sign.replacing(with: Lanes(repeating: 1).replacing(with: -1, where: blue .<= green), where: isRed)
    let signedHue = (start + sign * distance) / 6
    hue = signedHue.replacing(with: signedHue + one, where: signedHue .< Lanes.zero)
    saturation = EightPixels.truncated(range / EightPixels.larger(most, one) * 255)
    value = most
  }

  /// Converts to RGB with another hue, of integers from 0 to 255. The hue determines how far each channel is below the
  /// value, from 0 to 255 for the full saturation.
  @inline(__always)
  func convert(hue: Lanes, to pixels: inout EightPixels) {
    let position = hue * 6
    let depth = value * saturation
    @inline(__always) func channel(_ distance: Lanes) -> Lanes {
      // Exact up to the last multiplication, since all integers are below 2^24.
      value - depth * EightPixels.clamped(distance, 0, 255) * (1 / 65025) + 0.5
    }
    pixels.red = channel(510 - magnitude(position - 765))
    pixels.green = channel(magnitude(position - 510) - 255)
    pixels.blue = channel(magnitude(position - 1020) - 255)
  }

  @inline(__always)
  private func magnitude(_ values: Lanes) -> Lanes { EightPixels.larger(values, Lanes.zero - values) }
}
