import Foundation
import Support

/// The largest |a - b|; infinite where lengths differ or a number is none.
func maxDifference(_ a: [Float], _ b: [Float]) -> Float {
  guard a.count == b.count else { return .infinity }
  var largest: Float = 0
  for (x, y) in zip(a, b) {
    let difference = abs(x - y)
    guard difference.isFinite else { return .infinity }
    largest = max(largest, difference)
  }
  return largest
}

/// The smallest cosine between rows of the same index.
func smallestCosine(_ a: [Float], _ b: [Float], width: Int) -> Double {
  guard a.count == b.count, width > 0 else { return -1 }
  return stride(from: 0, to: a.count, by: width).map { row in
    var dot = 0.0, aa = 0.0, bb = 0.0
    for i in row..<row + width {
      dot += Double(a[i]) * Double(b[i])
      aa += Double(a[i]) * Double(a[i])
      bb += Double(b[i]) * Double(b[i])
    }
    let cosine = dot / (aa * bb).squareRoot()
    return cosine.isNaN ? -1 : cosine
  }.min() ?? -1
}

/// ‖a − b‖ / ‖b − the mean of b over its rows‖; infinite where lengths differ or a number is none.
func centredError(_ a: [Float], _ b: [Float], width: Int) -> Double {
  guard a.count == b.count, width > 0, !b.isEmpty else { return .infinity }
  let rows = b.count / width
  var error = 0.0, spread = 0.0
  for column in 0..<width {
    let places = stride(from: column, to: b.count, by: width)
    let mean = places.reduce(0.0) { $0 + Double(b[$1]) } / Double(rows)
    for place in places {
      error += (Double(a[place]) - Double(b[place])) * (Double(a[place]) - Double(b[place]))
      spread += (Double(b[place]) - mean) * (Double(b[place]) - mean)
    }
  }
  let result = (error / spread).squareRoot()
  return result.isFinite ? result : .infinity
}

/// True when both hold the same bits.
func identical(_ a: [Float], _ b: [Float]) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { $0.bitPattern == $1.bitPattern }
}

/// Reproducible numbers in [0, 1): splitmix64.
struct Numbers {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
  mutating func floats(_ count: Int) -> [Float] {
    (0..<count).map { _ in Float(next() >> 40) / Float(1 << 24) * 2 - 1 }
  }
}

/// The stored inputs and outputs of a reference.
func expected(_ name: String) throws -> [String: StoredTensor] {
  try Safetensors.read(Paths.fixtures.appending(path: "reference/expected/\(name).safetensors"))
}

func tensor(_ name: String, of tensors: [String: StoredTensor]) throws -> StoredTensor {
  guard let tensor = tensors[name] else { throw SupportError("no tensor \(name)") }
  return tensor
}

/// Stored ids as the library takes them.
func tokenIds(_ tensor: StoredTensor) -> [Int32] { tensor.array(of: Int64.self).map { Int32($0) } }
