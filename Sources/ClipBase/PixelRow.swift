import CClip
import CSystem

/// A background colour for pixels with alpha.
package typealias Colour = (red: UInt8, green: UInt8, blue: UInt8)

/// The colour 0xRRGGBB.
package func colour(rgb: UInt32) throws(ClipError) -> Colour {
  guard rgb <= 0xff_ffff else {
    throw ClipError(CLIP_INVALID_ARGUMENT, "options.background: expected 0xRRGGBB, found \(rgb)")
  }
  return (
    UInt8(truncatingIfNeeded: rgb >> 16), UInt8(truncatingIfNeeded: rgb >> 8), UInt8(truncatingIfNeeded: rgb)
  )
}

extension ImageView {
  /// Writes columns [from, to) of row y as four bytes a pixel: red, green, blue, and one that is ignored. Gray is
  /// repeated. Alpha is dropped, or composited over `background` as by Pillow's alpha_composite. The caller checks y,
  /// from < to and the size of `output`.
  package func copyRow(_ y: Int, from: Int, to: Int, over background: Colour?, into output: UnsafeMutableRawPointer) {
    let row = pixels + y * stride + from * step
    let count = to - from
    guard step == format.channels else { return copySteps(row, count, over: background, into: output) }
    switch format {
    case .rgb:
      // A load of four bytes includes the first byte of the next pixel, so the last pixel is copied alone.
      for x in 0..<count - 1 {
        let pixel = UnsafeRawPointer(row).loadUnaligned(fromByteOffset: x &* 3, as: UInt32.self)
        output.storeBytes(of: pixel, toByteOffset: x &* 4, as: UInt32.self)
      }
      memcpy(output + (count - 1) * 4, row + (count - 1) * 3, 3)
    case .bgr:
      for x in 0..<count { store(row[x * 3 + 2], row[x * 3 + 1], row[x * 3], x, output) }
    case .gray:
      for x in 0..<count { store(row[x], row[x], row[x], x, output) }
    case .rgba:
      guard let background else {
        memcpy(output, row, count * 4)
        return
      }
      for x in 0..<count {
        let alpha = row[x * 4 + 3]
        store(
          blend(row[x * 4], background.red, alpha), blend(row[x * 4 + 1], background.green, alpha),
          blend(row[x * 4 + 2], background.blue, alpha), x, output)
      }
    case .bgra:
      for x in 0..<count {
        let alpha = background == nil ? 255 : row[x * 4 + 3]
        let under = background ?? (0, 0, 0)
        store(
          blend(row[x * 4 + 2], under.red, alpha), blend(row[x * 4 + 1], under.green, alpha),
          blend(row[x * 4], under.blue, alpha), x, output)
      }
    }
  }

  /// Copies pixels that are `step` bytes apart.
  private func copySteps(
    _ row: UnsafePointer<UInt8>, _ count: Int, over background: Colour?, into output: UnsafeMutableRawPointer
  ) {
    let isBlue = format == .bgr || format == .bgra
    for x in 0..<count {
      let pixel = row + x * step
      guard format != .gray else {
        store(pixel[0], pixel[0], pixel[0], x, output)
        continue
      }
      let (red, green, blue) = (pixel[isBlue ? 2 : 0], pixel[1], pixel[isBlue ? 0 : 2])
      if format.hasAlpha, let background {
        store(
          blend(red, background.red, pixel[3]), blend(green, background.green, pixel[3]),
          blend(blue, background.blue, pixel[3]), x, output)
      } else {
        store(red, green, blue, x, output)
      }
    }
  }

  @inline(__always)
  private func store(_ red: UInt8, _ green: UInt8, _ blue: UInt8, _ x: Int, _ output: UnsafeMutableRawPointer) {
    let pixel = UInt32(red) | UInt32(green) << 8 | UInt32(blue) << 16
    output.storeBytes(of: pixel.littleEndian, toByteOffset: x &* 4, as: UInt32.self)
  }

  /// Composites one channel over an opaque one in Pillow's fixed point (AlphaComposite.c): 7 fractional
  /// bits, rounded division by 255.
  @inline(__always)
  private func blend(_ over: UInt8, _ under: UInt8, _ alpha: UInt8) -> UInt8 {
    let weight = UInt32(alpha) &* 128
    let sum = UInt32(over) &* weight &+ UInt32(under) &* (255 &* 128 &- weight) &+ 0x80 &* 128
    return UInt8(truncatingIfNeeded: ((sum >> 8) &+ sum) >> 15)
  }
}
