/// Pictures side by side in as many rows as columns, or one fewer, on dark gray.
struct ContactSheet {
  /// Sides of a picture at most; larger ones are shrunk.
  static let longest = 256
  private static let gap = 4

  let width: Int
  let height: Int
  /// Red, green, blue in rows without gaps.
  private(set) var pixels: [UInt8]

  /// `pictures` are at most `longest` wide and high, and there is one.
  init(_ pictures: [Image]) {
    let columns = Int(Double(pictures.count).squareRoot().rounded(.up))
    let rows = (pictures.count + columns - 1) / columns
    let cellWidth = (pictures.map(\.width).max() ?? 0) + ContactSheet.gap
    let cellHeight = (pictures.map(\.height).max() ?? 0) + ContactSheet.gap
    width = columns * cellWidth + ContactSheet.gap
    height = rows * cellHeight + ContactSheet.gap
    pixels = Array(repeating: 40, count: width * height * 3)
    for (index, picture) in pictures.enumerated() {
      let left = index % columns * cellWidth + (cellWidth + ContactSheet.gap - picture.width) / 2
      let top = index / columns * cellHeight + (cellHeight + ContactSheet.gap - picture.height) / 2
      let (bytes, channels) = (picture.bytes, picture.format.channels)
      for y in 0..<picture.height {
        for x in 0..<picture.width {
          // Alpha has no say.
          let (from, to) = ((y * picture.width + x) * channels, ((top + y) * width + left + x) * 3)
          for color in 0..<3 { pixels[to + color] = bytes[from + (channels == 1 ? 0 : color)] }
        }
      }
    }
  }
}
