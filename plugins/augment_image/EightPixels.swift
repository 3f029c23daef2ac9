import CSystem

/// Eight pixels' channels as numbers, a vector for each.
struct EightPixels {
  typealias Lanes = SIMD8<Float>

  var red: Lanes
  var green: Lanes
  var blue: Lanes
  /// Of each pixel the byte that follows, where the next one begins.
  private let following: SIMD8<UInt32>

  /// Of 24 bytes and one more.
  @inline(__always)
  init(_ source: UnsafeRawPointer) {
    var pixels = SIMD8<UInt32>()
    for lane in 0..<8 { pixels[lane] = source.loadUnaligned(fromByteOffset: lane &* 3, as: UInt32.self).littleEndian }
    func channel(_ shift: UInt32) -> Lanes {
      csystem_floats8(SIMD8<Int32>(truncatingIfNeeded: (pixels &>> shift) & SIMD8(repeating: 255)))
    }
    (red, green, blue) = (channel(0), channel(8), channel(16))
    following = pixels & SIMD8(repeating: 0xff00_0000)
  }

  /// Writes numbers from 0 to below 256, their fractions cut off, where they were read.
  @inline(__always)
  func store(_ target: UnsafeMutableRawPointer) {
    func channel(_ numbers: Lanes) -> SIMD8<UInt32> { SIMD8<UInt32>(truncatingIfNeeded: csystem_truncated8(numbers)) }
    let pixels = channel(red) | channel(green) &<< 8 | channel(blue) &<< 16 | following
    // The next pixel's store, or what `following` kept, has the last word on each fourth byte.
    for lane in 0..<8 { target.storeBytes(of: pixels[lane].littleEndian, toByteOffset: lane &* 3, as: UInt32.self) }
  }

  /// As `luma` of one pixel: whole numbers below 2^24 are exact.
  @inline(__always)
  var luma: Lanes { whole((red * 19595 + green * 38470 + blue * 7471 + 32768) * 0x1p-16) }

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

  @inline(__always)
  private func whole(_ numbers: Lanes) -> Lanes { EightPixels.whole(numbers) }
}

extension Raster {
  /// Calls `body` with eight pixels of a row at a time; what it changes is kept. After a row's last pixel there
  /// are black ones, of which nothing is.
  @inline(__always)
  func forEachEight(_ body: (_ pixels: inout EightPixels) -> Void) {
    var room = SIMD32<UInt8>()
    withUnsafeMutableBytes(of: &room) { room in
      guard let room = room.baseAddress else { return }
      for y in 0..<height {
        let row = UnsafeMutableRawPointer(row(y))
        var x = 0
        // The ninth pixel's first byte is read and written too.
        while x &+ 8 < width {
          var pixels = EightPixels(row + x &* 3)
          body(&pixels)
          pixels.store(row + x &* 3)
          x &+= 8
        }
        memset(room, 0, 32)
        memcpy(room, row + x &* 3, (width &- x) &* 3)
        var pixels = EightPixels(room)
        body(&pixels)
        pixels.store(room)
        memcpy(row + x &* 3, room, (width &- x) &* 3)
      }
    }
  }
}
