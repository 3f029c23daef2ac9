import Foundation

/// The images that references were computed from: four by four coloured blobs, made smooth, and a little noise.
public enum ReferenceInputs {
  /// [n, 3, size, size] for the name `tag`.
  public static func pixels(_ tag: String, n: Int, size: Int, seed: Int = 0) -> [Float] {
    var random = NumPyRandom(seed: UInt32(truncatingIfNeeded: Int(crc32("input.\(tag)")) + 7919 * seed))
    let blobs = (0..<(n * 3 * 16)).map { _ in Float(random.normal()) }
    var pixels = (0..<(n * 3 * size * size)).map { _ in 0.3 * Float(random.normal()) }
    let places = (0..<size).map { place -> (low: Int, high: Int, share: Float) in
      let centre = max(0, (Float(place) + 0.5) * 4 / Float(size) - 0.5)
      let low = min(3, Int(centre))
      return (low, min(3, low + 1), centre - Float(low))
    }
    for plane in 0..<(n * 3) {
      let blob = plane * 16
      for y in 0..<size {
        for x in 0..<size {
          // PyTorch's order of rounding: the results are the same bits.
          let top = blob + places[y].low * 4
          let bottom = blob + places[y].high * 4
          let (below, right) = (places[y].share, places[x].share)
          var value = blobs[top + places[x].high] * ((1 - below) * right)
          value = value.addingProduct(blobs[top + places[x].low], (1 - below) * (1 - right))
          value = value.addingProduct(blobs[bottom + places[x].low], below * (1 - right))
          value = value.addingProduct(blobs[bottom + places[x].high], below * right)
          pixels[(plane * size + y) * size + x] += 1.5 * value
        }
      }
    }
    return pixels
  }
}
