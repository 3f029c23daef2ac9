/// Rebuilds the images of the reference outputs: coloured blobs, 4 x 4 random numbers enlarged as PyTorch's bilinear
/// interpolate does, with a little noise. The random numbers are equal bit for bit, the enlarged ones to float32's rounding.
public enum ReferencePixels {
  /// `shape` is [n, 3, height, width]; `name` is the reference's.
  public static func make(_ name: String, shape: [Int], seed: Int = 0) -> [Float] {
    var random = NumPyRandom(seed: UInt32(truncatingIfNeeded: Int(crc32("input.\(name)")) + 7919 * seed))
    let planes = shape[0] * shape[1], height = shape[2], width = shape[3]
    let blobs = (0..<planes * 16).map { _ in Float(random.normal()) }
    let (rows, columns) = (places(height), places(width))
    var pixels = [Float](repeating: 0, count: planes * height * width)
    for plane in 0..<planes {
      for y in 0..<height {
        let (top, bottom, down) = rows[y]
        for x in 0..<width {
          let (left, right, across) = columns[x]
          func blob(_ row: Int, _ column: Int) -> Float { blobs[plane * 16 + row * 4 + column] }
          let upper = (1 - across) * blob(top, left) + across * blob(top, right)
          let lower = (1 - across) * blob(bottom, left) + across * blob(bottom, right)
          let value = (1 - down) * upper + down * lower
          pixels[(plane * height + y) * width + x] = 1.5 * value + 0.3 * Float(random.normal())
        }
      }
    }
    return pixels
  }

  /// For each of `size` places, the two of four that it lies between, and how far towards the second.
  private static func places(_ size: Int) -> [(Int, Int, Float)] {
    (0..<size).map { place in
      let source = max(0, (Float(place) + 0.5) * (4 / Float(size)) - 0.5)
      let first = Int(source)
      return (first, min(3, first + 1), source - Float(first))
    }
  }
}
