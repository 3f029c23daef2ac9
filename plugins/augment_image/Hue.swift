import CSystem

extension Raster {
  /// torchvision's adjust_hue: hues are turned by `factor` of the circle, in Pillow's 8-bit HSV
  /// (libImaging/Convert.c), with its rounding.
  func adjustHue(_ factor: Double) {
    let shift = UInt8(truncatingIfNeeded: Int(factor * 255))
    // Where each hue lies: its sixth of the circle, and how far into that.
    var places = InlineArray<256, HuePlace>(repeating: HuePlace(hue: 0))
    for hue in 0..<256 { places[hue] = HuePlace(hue: UInt8(truncatingIfNeeded: hue)) }
    for y in 0..<height {
      let row = row(y)
      for x in 0..<width {
        let pixel = row + x &* 3
        let (red, green, blue) = (pixel[0], pixel[1], pixel[2])
        let (most, least) = (max(red, green, blue), min(red, green, blue))
        guard most != least else { continue }
        let range = Float(most &- least)
        let saturation = UInt8(truncatingIfNeeded: Int32(Double(range / Float(most)) * 255))
        let hue: Float
        if red == most {
          hue = Float(most &- blue) / range - Float(most &- green) / range
        } else if green == most {
          hue = Float(2 + Double(Float(most &- red) / range) - Double(Float(most &- blue) / range))
        } else {
          hue = Float(4 + Double(Float(most &- green) / range) - Double(Float(most &- red) / range))
        }
        var turn = Double(hue) / 6 + 1
        if turn >= 1 { turn -= 1 }
        let place = places[Int(UInt8(truncatingIfNeeded: Int32(Double(Float(turn)) * 255)) &+ shift)]
        guard saturation != 0 else {
          pixel[0] = most
          pixel[1] = most
          pixel[2] = most
          continue
        }
        let value = Double(most)
        let depth = Double(Float(Double(saturation) / 255))
        let low = nearest(value * (1 - depth))
        let middle = nearest(value * (1 - depth * place.toward))
        switch place.sixth {
        case 0: (pixel[0], pixel[1], pixel[2]) = (most, middle, low)
        case 1: (pixel[0], pixel[1], pixel[2]) = (middle, most, low)
        case 2: (pixel[0], pixel[1], pixel[2]) = (low, most, middle)
        case 3: (pixel[0], pixel[1], pixel[2]) = (low, middle, most)
        case 4: (pixel[0], pixel[1], pixel[2]) = (middle, low, most)
        default: (pixel[0], pixel[1], pixel[2]) = (most, low, middle)
        }
      }
    }
  }
}

@inline(__always)
private func nearest(_ number: Double) -> UInt8 { UInt8(truncatingIfNeeded: Int32(number + 0.5)) }

/// A hue's sixth of the circle, 0 to 5, and how far the channel between the others is from the highest.
private struct HuePlace {
  let sixth: UInt8
  let toward: Double

  init(hue: UInt8) {
    let position = Double(hue) * 6 / 255
    let sixth = position.rounded(.down)
    let into = Double(Float(position - sixth))
    // Only 255 is in a seventh, which is the first again.
    self.sixth = UInt8(sixth) % 6
    toward = self.sixth % 2 == 0 ? 1 - into : into
  }
}
