import CSystem

/// The number of pixels with each value in each channel.
private struct Histogram {
  private let counts = Table(768) { _ in 0 }

  init(_ raster: Raster) {
    for y in 0..<raster.height {
      let row = raster.row(y)
      for i in 0..<raster.width * 3 { counts.base[i % 3 * 256 + Int(row[i])] += 1 }
    }
  }

  subscript(channel: Int, value: Int) -> Int { counts.base[channel * 256 + value] }

  /// The lowest and the highest value that occur in a channel.
  func bounds(_ channel: Int) -> (low: Int, high: Int) {
    var (low, high) = (0, 255)
    while low < 255, self[channel, low] == 0 { low += 1 }
    while high > 0, self[channel, high] == 0 { high -= 1 }
    return (low, high)
  }
}

extension Raster {
  /// Pillow's ImageOps.autocontrast: maps the values of each channel linearly to 0 to 255.
  func stretchContrast() {
    let histogram = Histogram(self)
    map { channel, value in
      let (low, high) = histogram.bounds(channel)
      guard high > low else { return UInt8(clamping: value) }
      let scale = 255 / Double(high - low)
      return UInt8(clamping: Int((Double(value) * scale - Double(low) * scale).rounded(.towardZero)))
    }
  }

  /// Pillow's ImageOps.equalize: histogram equalisation of each channel.
  func equalize() {
    let histogram = Histogram(self)
    map { channel, value in
      let step = (width * height - histogram[channel, histogram.bounds(channel).high]) / 255
      guard step > 0 else { return UInt8(clamping: value) }
      var sum = step / 2
      for lower in 0..<value { sum += histogram[channel, lower] }
      return UInt8(clamping: sum / step)
    }
  }
}
