/// Images in a grid on dark gray, with as many rows as columns or one fewer.
struct ContactSheet {
  /// The longest side of an image.
  static let longest = 256
  private static let gap = 4

  let width: Int
  let height: Int
  /// Red, green, blue in rows without gaps.
  private(set) var pixels: [UInt8]

  /// At least one image, each at most `longest` wide and high.
  init(_ images: [Image]) {
    let columns = Int(Double(images.count).squareRoot().rounded(.up))
    let rows = (images.count + columns - 1) / columns
    let cellWidth = (images.map(\.width).max() ?? 0) + ContactSheet.gap
    let cellHeight = (images.map(\.height).max() ?? 0) + ContactSheet.gap
    width = columns * cellWidth + ContactSheet.gap
    height = rows * cellHeight + ContactSheet.gap
    pixels = Array(repeating: 40, count: width * height * 3)
    for (index, image) in images.enumerated() {
      let left = index % columns * cellWidth + (cellWidth + ContactSheet.gap - image.width) / 2
      let top = index / columns * cellHeight + (cellHeight + ContactSheet.gap - image.height) / 2
      let (bytes, channels) = (image.bytes, image.format.channels)
      for y in 0..<image.height {
        for x in 0..<image.width {
          // Alpha is ignored.
          let (from, to) = ((y * image.width + x) * channels, ((top + y) * width + left + x) * 3)
          for color in 0..<3 { pixels[to + color] = bytes[from + (channels == 1 ? 0 : color)] }
        }
      }
    }
  }
}
