import CSystem

/// How often each value of each channel occurs.
private struct Histogram {
  private var counts = InlineArray<768, Int>(repeating: 0)

  init(_ raster: Raster) {
    for y in 0..<raster.height {
      let row = raster.row(y)
      for i in 0..<raster.width * 3 { counts[i % 3 * 256 + Int(row[i])] += 1 }
    }
  }

  subscript(channel: Int, value: Int) -> Int { counts[channel * 256 + value] }

  /// The lowest and the highest value that occur. There is one.
  func ends(_ channel: Int) -> (low: Int, high: Int) {
    var (low, high) = (0, 255)
    while low < 255, self[channel, low] == 0 { low += 1 }
    while high > 0, self[channel, high] == 0 { high -= 1 }
    return (low, high)
  }
}

extension Raster {
  /// Pillow's ImageOps.autocontrast: each channel from 0 to 255.
  func stretchContrast() {
    let histogram = Histogram(self)
    var table = PointTable()
    for channel in 0..<3 {
      let (low, high) = histogram.ends(channel)
      let scale = high > low ? 255 / Double(high - low) : 1
      let offset = high > low ? -Double(low) * scale : 0
      for value in 0..<256 {
        table[channel, value] = UInt8(clamping: Int((Double(value) * scale + offset).rounded(.towardZero)))
      }
    }
    table.apply(to: self)
  }

  /// Pillow's ImageOps.equalize: each channel's values as often as the others.
  func equalize() {
    let histogram = Histogram(self)
    var table = PointTable()
    for channel in 0..<3 {
      let step = (width * height - histogram[channel, histogram.ends(channel).high]) / 255
      var sum = step / 2
      for value in 0..<256 {
        table[channel, value] = step == 0 ? UInt8(value) : UInt8(clamping: sum / step)
        sum += histogram[channel, value]
      }
    }
    table.apply(to: self)
  }
}
