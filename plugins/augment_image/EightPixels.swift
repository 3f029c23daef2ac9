import CSystem

/// Eight pixels' channels as numbers, a vector for each.
struct EightPixels {
  typealias Lanes = SIMD8<Float>

  var red: Lanes
  var green: Lanes
  var blue: Lanes

  /// Of 24 bytes and one more.
  @inline(__always)
  init(_ source: UnsafeRawPointer) {
    let pixels = csystem_load_pixels8(source)
    (red, green, blue) = (csystem_channel8(pixels, 0), csystem_channel8(pixels, 8), csystem_channel8(pixels, 16))
  }

  /// Writes 24 bytes of numbers from 0 to below 256, their fractions cut off.
  @inline(__always)
  func store(_ target: UnsafeMutableRawPointer) { csystem_store_pixels8(target, red, green, blue) }

  /// As `luma` of one pixel: whole numbers below 2^24 are exact.
  @inline(__always)
  var luma: Lanes { EightPixels.whole((red * 19595 + green * 38470 + blue * 7471 + 32768) * 0x1p-16) }

  /// As `blend` of one pixel.
  @inline(__always)
  static func blend(_ from: Lanes, _ to: Lanes, _ amount: Float) -> Lanes {
    clamped(from + amount * (to - from), 0, 255)
  }

  /// Without the fraction.
  @inline(__always)
  static func whole(_ numbers: Lanes) -> Lanes { csystem_floats8(csystem_truncated8(numbers)) }

  @inline(__always)
  static func clamped(_ numbers: Lanes, _ low: Float, _ high: Float) -> Lanes {
    smaller(larger(numbers, Lanes(repeating: low)), Lanes(repeating: high))
  }

  @inline(__always)
  static func smaller(_ a: Lanes, _ b: Lanes) -> Lanes { b.replacing(with: a, where: a .< b) }

  @inline(__always)
  static func larger(_ a: Lanes, _ b: Lanes) -> Lanes { b.replacing(with: a, where: b .< a) }
}

extension Raster {
  /// Calls `body` with eight pixels of a row at a time; what it changes is kept. Lanes behind a row's last pixel
  /// are of none, and dropped.
  @inline(__always)
  func forEachEight(_ body: (_ pixels: inout EightPixels) -> Void) {
    var room = SIMD32<UInt8>()
    withUnsafeMutableBytes(of: &room) { room in
      guard let room = room.baseAddress else { return }
      for y in 0..<height {
        let row = UnsafeMutableRawPointer(row(y))
        for x in Swift.stride(from: 0, to: width, by: 8) {
          // The ninth pixel's first byte is read too.
          let isLast = x &+ 8 >= width
          let place = isLast ? room : row + x &* 3
          if isLast { memcpy(room, row + x &* 3, (width &- x) &* 3) }
          var pixels = EightPixels(place)
          body(&pixels)
          pixels.store(place)
          if isLast { memcpy(row + x &* 3, room, (width &- x) &* 3) }
        }
      }
    }
  }
}
