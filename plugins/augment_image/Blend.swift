import CSystem

/// ITU-R 601-2 luma, in Pillow's fixed point.
@inline(__always)
func luma(_ pixel: UnsafeMutablePointer<UInt8>) -> UInt8 {
  let sum = UInt32(pixel[0]) &* 19595 &+ UInt32(pixel[1]) &* 38470 &+ UInt32(pixel[2]) &* 7471 &+ 0x8000
  return UInt8(truncatingIfNeeded: sum >> 16)
}

/// Pillow's Image.blend: interpolates linearly from `from` at 0 to `to` at 1, extrapolates beyond, and clamps to a byte.
@inline(__always)
func blend(_ from: UInt8, _ to: UInt8, _ amount: Float) -> UInt8 {
  let mixed = Float(from) + amount * (Float(to) - Float(from))
  return UInt8(truncatingIfNeeded: Int32(max(0, min(255, mixed))))
}

extension Raster {
  /// Replaces each pixel by its luma.
  func convertToGray() {
    forEachEight { pixels in
      let gray = pixels.luma
      (pixels.red, pixels.green, pixels.blue) = (gray, gray, gray)
    }
  }

  /// torchvision's adjust_brightness: 0 is black, 1 the image.
  func adjustBrightness(_ factor: Double) {
    let factor = Float(factor)
    map { blend(0, $0, factor) }
  }

  /// torchvision's adjust_contrast: 0 is the mean gray, 1 the image.
  func adjustContrast(_ factor: Double) {
    var sum = 0
    for y in 0..<height {
      let row = row(y)
      var rowSum: UInt32 = 0  // overflows for rows of more than 2^24 pixels, which the host refuses
      for x in 0..<width { rowSum &+= UInt32(luma(row + x &* 3)) }
      sum += Int(rowSum)
    }
    let mean = UInt8(clamping: Int(Double(sum) / Double(width * height) + 0.5))
    let factor = Float(factor)
    map { blend(mean, $0, factor) }
  }

  /// torchvision's adjust_saturation: 0 is gray, 1 the image.
  func adjustSaturation(_ factor: Double) {
    let factor = Float(factor)
    forEachEight { pixels in
      let gray = pixels.luma
      pixels.red = EightPixels.blend(gray, pixels.red, factor)
      pixels.green = EightPixels.blend(gray, pixels.green, factor)
      pixels.blue = EightPixels.blend(gray, pixels.blue, factor)
    }
  }

  /// torchvision's adjust_sharpness: 0 is the smoothed image, 1 the image. `original` is a copy of this raster.
  func adjustSharpness(_ factor: Double, original: Raster) {
    guard width >= 3, height >= 3 else { return }  // all pixels are at the border, which Pillow leaves unchanged
    let factor = Float(factor)
    for y in 1..<height - 1 {
      let (above, here, below, target) = (original.row(y - 1), original.row(y), original.row(y + 1), row(y))
      for i in 3..<(width - 1) * 3 {
        var sum = 4 &* Int32(here[i])
        for near in -1...1 {
          let at = i &+ near &* 3
          sum &+= Int32(above[at]) &+ Int32(here[at]) &+ Int32(below[at])
        }
        target[i] = blend(UInt8(truncatingIfNeeded: (2 &* sum &+ 13) / 26), here[i], factor)
      }
    }
  }

  /// Replaces each byte by `change` of it, by means of a table.
  func map(_ change: (UInt8) -> UInt8) { map { _, value in change(UInt8(value)) } }

  /// The same for a `change` that depends on the channel, 0 to 2. Values are 0 to 255.
  func map(_ change: (_ channel: Int, _ value: Int) -> UInt8) {
    let table = Table(768) { change($0 / 256, $0 % 256) }
    defer { withExtendedLifetime(table) {} }
    let (reds, greens, blues) = (table.base, table.base + 256, table.base + 512)
    for y in 0..<height {
      let row = row(y)
      for x in 0..<width {
        let pixel = row + x &* 3
        pixel[0] = reds[Int(pixel[0])]
        pixel[1] = greens[Int(pixel[1])]
        pixel[2] = blues[Int(pixel[2])]
      }
    }
  }
}
