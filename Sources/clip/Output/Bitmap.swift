/// A small image of red, green and blue bytes, rows from top to bottom.
struct Bitmap {
  let width: Int
  let height: Int
  var pixels: [UInt8]

  init(width: Int, height: Int) {
    self.width = width
    self.height = height
    pixels = [UInt8](repeating: 0, count: 3 * width * height)
  }

  /// Averages areas of an image so that no side is longer than `side`. Transparency is blended over white.
  init(thumbnail image: Image, side: Int) {
    let (width, height) = (image.width, image.height)
    let largest = max(width, height, 1)
    let fit = { (length: Int) in max(1, largest <= side ? length : length * side / largest) }
    self.init(width: fit(width), height: fit(height))
    let channels = image.format.channels
    let order =
      switch image.format {
      case .gray: [0, 0, 0]
      case .bgr, .bgra: [2, 1, 0]
      case .rgb, .rgba: [0, 1, 2]
      }
    let source = image.bytes
    let stride = width * channels
    for y in 0..<self.height {
      let rows = (y * height / self.height)..<max((y + 1) * height / self.height, y * height / self.height + 1)
      for x in 0..<self.width {
        let columns = (x * width / self.width)..<max((x + 1) * width / self.width, x * width / self.width + 1)
        var sums = [0, 0, 0]
        for row in rows {
          for column in columns {
            let pixel = row * stride + column * channels
            let alpha = channels == 4 ? Int(source[pixel + 3]) : 255
            for color in 0..<3 { sums[color] += Int(source[pixel + order[color]]) * alpha + 255 * (255 - alpha) }
          }
        }
        let area = rows.count * columns.count * 255
        for color in 0..<3 {
          pixels[3 * (y * self.width + x) + color] = UInt8(clamping: (sums[color] + area / 2) / area)
        }
      }
    }
  }

  /// A 24-bit BMP in a data: URI (RFC 2397).
  var dataURI: String {
    let row = (3 * width + 3) & ~3
    var bytes: [UInt8] = Array("BM".utf8)
    func word(_ value: Int, _ count: Int = 4) {
      for shift in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * shift))) }
    }
    word(54 + row * height)
    word(0)
    word(54)
    word(40)
    word(width)
    word(height)
    word(1, 2)
    word(24, 2)
    for value in [0, row * height, 2835, 2835, 0, 0] { word(value) }
    for y in (0..<height).reversed() {
      for x in 0..<width {
        let pixel = 3 * (y * width + x)
        bytes += [pixels[pixel + 2], pixels[pixel + 1], pixels[pixel]]
      }
      bytes += [UInt8](repeating: 0, count: row - 3 * width)
    }
    return "data:image/bmp;base64," + base64(bytes)
  }
}

/// RFC 4648.
private func base64(_ bytes: [UInt8]) -> String {
  let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  var text: [UInt8] = []
  text.reserveCapacity((bytes.count + 2) / 3 * 4)
  for start in stride(from: 0, to: bytes.count, by: 3) {
    let group = bytes[start..<min(start + 3, bytes.count)]
    var bits = 0
    for byte in group { bits = bits << 8 | Int(byte) }
    bits <<= 8 * (3 - group.count)
    for place in 0..<4 {
      text.append(place <= group.count ? alphabet[bits >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
    }
  }
  return String(decoding: text, as: UTF8.self)
}
