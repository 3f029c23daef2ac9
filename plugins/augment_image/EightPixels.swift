import CSystem

/// The channels of eight pixels as vectors of float.
struct EightPixels {
  typealias Lanes = SIMD8<Float>

  var red: Lanes
  var green: Lanes
  var blue: Lanes

  /// Reads 24 bytes; the byte after them must be readable too.
  @inline(__always)
  init(_ source: UnsafeRawPointer) {
    let pixels = csystem_load_pixels8(source)
    (red, green, blue) = (csystem_channel8(pixels, 0), csystem_channel8(pixels, 8), csystem_channel8(pixels, 16))
  }

  /// Writes 24 bytes. Channels must be in [0, 256); they are truncated.
  @inline(__always)
  func store(_ target: UnsafeMutableRawPointer) { csystem_store_pixels8(target, red, green, blue) }

  /// Equals `luma` of each pixel, since all integers are below 2^24.
  @inline(__always)
  var luma: Lanes { EightPixels.truncated((red * 19595 + green * 38470 + blue * 7471 + 32768) * 0x1p-16) }

  /// Equals `blend` of each channel before the conversion to a byte.
  @inline(__always)
  static func blend(_ from: Lanes, _ to: Lanes, _ amount: Float) -> Lanes {
    clamped(from + amount * (to - from), 0, 255)
  }

  @inline(__always)
  static func truncated(_ values: Lanes) -> Lanes { csystem_floats8(csystem_truncated8(values)) }

  @inline(__always)
  static func clamped(_ values: Lanes, _ low: Float, _ high: Float) -> Lanes {
    smaller(larger(values, Lanes(repeating: low)), Lanes(repeating: high))
  }

  @inline(__always)
  static func smaller(_ a: Lanes, _ b: Lanes) -> Lanes { b.replacing(with: a, where: a .< b) }

  @inline(__always)
  static func larger(_ a: Lanes, _ b: Lanes) -> Lanes { b.replacing(with: a, where: b .< a) }
}

extension Raster {
  /// Calls `body` with eight pixels at a time and writes them back. In the last call for a row, lanes beyond the row's
  /// end are unspecified and not written.
  @inline(__always)
  func forEachEight(_ body: (_ pixels: inout EightPixels) -> Void) {
    var storage = SIMD32<UInt8>()
    withUnsafeMutablePointer(to: &storage) { storage in
      let tail = UnsafeMutableRawPointer(storage)
      for y in 0..<height {
        let row = UnsafeMutableRawPointer(row(y))
        for x in Swift.stride(from: 0, to: width, by: 8) {
          // The last pixels go through a copy, since EightPixels also reads the byte after its pixels.
          let isLast = x &+ 8 >= width
          let source = isLast ? tail : row + x &* 3
          if isLast { memcpy(tail, row + x &* 3, (width &- x) &* 3) }
          var pixels = EightPixels(source)
          body(&pixels)
          pixels.store(source)
          if isLast { memcpy(row + x &* 3, tail, (width &- x) &* 3) }
        }
      }
    }
  }
}
