import CSystem

/// Quantises elements to integer multiples of one scale, the largest magnitude divided by `steps`. Symmetric about 0.
@frozen public struct Quantiser {
  /// 0 if all elements are 0 or the scale underflows; NaN if an element is not finite.
  public let scale: Float
  @usableFromInline let inverse: Float

  /// `largest` is the largest magnitude of the elements, not finite if one of them is not. It is rounded to `steps`.
  @_alwaysEmitIntoClient @inline(__always)
  public init(largest: Float, steps: Float) {
    let isUsable = largest >= 0x1p-100 && largest < .infinity
    scale = isUsable ? largest / steps : largest < 0x1p-100 ? 0 : .nan
    inverse = isUsable ? steps / largest : 0
  }

  /// The nearest multiple, ties to even. In a row with an element that is not finite, the result is unspecified.
  @_alwaysEmitIntoClient @inline(__always)
  public func round(_ value: Float) -> Int16 {
    Int16(truncatingIfNeeded: (value * inverse + 12_582_912).bitPattern)
  }
}

/// The largest magnitude of `count` elements; NaN if one of them is.
@_alwaysEmitIntoClient @inline(__always)
public func largestMagnitude<Vector: FloatVector>(
  _ vector: Vector.Type, _ values: UnsafePointer<Float>, _ count: Int
) -> Float {
  var largest = Vector(repeating: 0)
  var other = largest
  var i = 0
  while i + 2 * Vector.count <= count {
    largest = largest.largerMagnitude(Vector.load(values + i))
    other = other.largerMagnitude(Vector.load(values + i + Vector.count))
    i += 2 * Vector.count
  }
  while i < count {
    largest = largest.largerMagnitude(Vector.load(values + i, lanes: count - i))
    i += Vector.count
  }
  largest = largest.largerMagnitude(other)
  var bits: UInt32 = 0
  for lane in 0..<Vector.count { bits = max(bits, largest[lane].bitPattern) }
  return Float(bitPattern: bits)
}

/// INT8 weights with a scale for each column, multiplied in integers. Each block of a row of A becomes 16-bit integers
/// with a scale of its own. A step multiplies two pairs, and the sums fit 32 bits: 512 * 127 * 32768 < 2^31. A row with
/// an element that is not finite gives a row of NaN.
public enum ByteWeights: WeightStorage {
  /// The integers that the largest weight of a column, and the largest element of a row, become.
  @_alwaysEmitIntoClient @inline(__always)
  public static var largest: Float { 127 }
  @_alwaysEmitIntoClient @inline(__always)
  static var largestOfRow: Float { 32767 }

  @_alwaysEmitIntoClient @inline(__always)
  public static var bytes: Int { 2 }
  @_alwaysEmitIntoClient @inline(__always)
  public static var stepDepth: Int { 2 }
  @_alwaysEmitIntoClient @inline(__always)
  public static var columnBytes: Int { 4 }
  @_alwaysEmitIntoClient @inline(__always)
  public static var blockRows: Int { 24 }
  @_alwaysEmitIntoClient @inline(__always)
  public static var groupColumns: Int { 384 }

  @_alwaysEmitIntoClient @inline(never)
  public static func copyRow<Vector: FloatVector>(
    _ vector: Vector.Type, _ row: UnsafePointer<Float>, depth: Int, to copy: UnsafeMutablePointer<Float>
  ) {
    let quantiser = Quantiser(largest: largestMagnitude(vector, row, depth), steps: largestOfRow)
    copy[depthBlock] = quantiser.scale
    let inverse = Vector(repeating: quantiser.inverse)
    let integers = UnsafeMutableRawPointer(copy)
    var i = 0
    while i < depth {
      let value = Vector.load(row + i, lanes: depth - i)
      Vector.roundingShift.adding(value, times: inverse).storeLow16(integers + 2 * i)
      i += Vector.count
    }
  }

  @_alwaysEmitIntoClient @inline(__always)
  public static func add<Vector: FloatVector>(
    _ sum: Vector, _ a: UnsafePointer<Float>, times weights: UnsafeRawPointer
  ) -> Vector {
    sum.addingPair(a, times: Vector.loadPairs(weights))
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func finish<Vector: FloatVector>(_ sum: Vector, _ row: UnsafePointer<Float>) -> Vector {
    sum.fromIntegers * Vector(repeating: row.pointee)
  }
}
