import CClip

/// Position embeddings of a grid of patches, resized to another grid as PyTorch's interpolate does with mode "bicubic"
/// and align_corners false.
struct PositionResize: Equatable {
  /// The number of rows before the grid, which are not resized.
  let prefix: Int
  let from: Sides
  let to: Sides
  /// Whether a row of a smaller grid is computed from all rows that it covers (open_clip, timm), or from 4 x 4
  /// (transformers).
  let antialias: Bool

  /// Rows of the table in the file, and of the parameter.
  var sourceRows: Int { prefix + from.height * from.width }
  var rows: Int { prefix + to.height * to.width }

  /// Writes `rows` of the parameter, each `width` wide. `read` gives one row of the file's table.
  func read(
    rows: Range<Int>, width: Int, into out: UnsafeMutablePointer<Float>,
    _ read: (Int, UnsafeMutablePointer<Float>) throws(ClipError) -> Void
  ) throws(ClipError) {
    let down = PositionResize.taps(from.height, to.height, antialias)
    let across = PositionResize.taps(from.width, to.width, antialias)
    let memory = try Memory(floats: try product(2, width, "positions"), for: "positions")
    let (source, line) = (memory.floats, memory.floats + width)
    for (index, row) in rows.enumerated() {
      let target = out + index * width
      guard row >= prefix else {
        try read(row, target)
        continue
      }
      let (vertical, horizontal) = (down[(row - prefix) / to.width], across[(row - prefix) % to.width])
      for column in 0..<width { target[column] = 0 }
      for (y, weight) in vertical {
        for column in 0..<width { line[column] = 0 }
        for (x, share) in horizontal {
          try read(prefix + y * from.width + x, source)
          for column in 0..<width { line[column] += share * source[column] }
        }
        for column in 0..<width { target[column] += weight * line[column] }
      }
    }
  }

  /// For each position of the new side, the positions of the old side that it is computed from, and their weights.
  private static func taps(_ from: Int, _ to: Int, _ antialias: Bool) -> [[(Int, Float)]] {
    let scale = Double(from) / Double(to)
    return (0..<to).map { place in
      let centre = scale * (Double(place) + 0.5)
      var taps: [(Int, Float)] = []
      guard antialias else {
        // Positions outside repeat the border.
        let floor = (centre - 0.5).rounded(.down)
        for offset in -1...2 {
          let at = Int(floor) + offset
          taps.append((min(max(at, 0), from - 1), Float(cubic(centre - 0.5 - Double(at), -0.75))))
        }
        return taps
      }
      let stretch = max(scale, 1)
      let first = max(0, Int(centre - 2 * stretch + 0.5))
      let end = min(from, Int(centre + 2 * stretch + 0.5))
      var total = 0.0
      let weights = (first..<max(first, end)).map { cubic((Double($0) + 0.5 - centre) / stretch, -0.5) }
      for weight in weights { total += weight }
      for (index, weight) in weights.enumerated() { taps.append((first + index, Float(weight / total))) }
      return taps
    }
  }

  /// Keys' kernel (1981).
  private static func cubic(_ distance: Double, _ a: Double) -> Double {
    let x = abs(distance)
    if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0
  }
}
