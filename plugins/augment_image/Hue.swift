import CSystem

extension Raster {
  /// torchvision's adjust_hue: hues are turned by `factor` of the circle, in Pillow's 8-bit HSV
  /// (libImaging/Convert.c), with its rounding. Without branches: which channel is the largest is noise.
  func adjustHue(_ factor: Double) {
    let shift = UInt8(truncatingIfNeeded: Int(factor * 255))
    let tables = HueTables()
    defer { withExtendedLifetime(tables) {} }
    let (inverses, depths, distances) = (tables.inverses.base, tables.depths.base, tables.distances.base)
    for y in 0..<height {
      let row = row(y)
      for x in 0..<width {
        let pixel = row + x &* 3
        let (red, green, blue) = (pixel[0], pixel[1], pixel[2])
        let most = max(red, max(green, blue))
        let range = most &- min(red, min(green, blue))
        let isRed = red == most
        let isGreen = green == most
        let sixth = isRed ? 0.0 : isGreen ? 2 : 4
        let ahead = most &- (isRed ? blue : isGreen ? red : green)
        let behind = most &- (isRed ? green : isGreen ? blue : red)
        let divisor = Float(max(range, 1))
        let position = Float(sixth + Double(Float(ahead) / divisor) - Double(Float(behind) / divisor))
        let turn = Double(position) * (1.0 / 6) + 1
        let hue = UInt8(truncatingIfNeeded: Int32(Double(Float(turn < 1 ? turn : turn - 1)) * 255)) &+ shift
        let saturation = Int32(Float(range) * inverses[Int(most)] + 1e-5)
        let depth = depths[Int(saturation & 255)]
        let bytes = csystem_bytes4(Float(most) * (1 - depth * distances[Int(hue)]) + 0.5)
        pixel[0] = UInt8(truncatingIfNeeded: bytes)
        pixel[1] = UInt8(truncatingIfNeeded: bytes >> 8)
        pixel[2] = UInt8(truncatingIfNeeded: bytes >> 16)
      }
    }
  }
}

private struct HueTables {
  /// 255 by each largest channel, which gives the saturation.
  let inverses = Table(256) { 255 / Float(max($0, 1)) }
  /// Each saturation as a share of 1.
  let depths = Table(256) { Float(Double($0) / 255) }
  /// Of each hue: how far red, green and blue are below the largest channel, as a share of the range.
  let distances = Table(256) { hue -> SIMD4<Float> in
    let position = Double(hue) * 6 / 255
    let into = Float(position - position.rounded(.down))
    return switch Int(position) {
    case 1: [into, 0, 1, 0]
    case 2: [1, 0, 1 - into, 0]
    case 3: [1, into, 0, 0]
    case 4: [1 - into, 1, 0, 0]
    case 5: [0, 1, into, 0]
    default: [0, 1 - into, 1, 0]  // 255 is in a seventh, which is the first again
    }
  }
}
