import CClip

/// A register of floats. The kernels are generic over it, and each kernel plugin chooses the width of its instruction
/// set. The operations here are single instructions, written for each width because the standard library's generic SIMD
/// operators compute one lane at a time.
public protocol FloatVector {
  static var count: Int { get }

  init(repeating value: Float)
  /// Loads and stores need no alignment.
  static func load(_ source: UnsafePointer<Float>) -> Self
  func store(_ target: UnsafeMutablePointer<Float>)
  /// `count` IEEE halves or bfloat16 elements, widened exactly.
  static func loadHalf(_ source: UnsafeRawPointer) -> Self
  static func loadBrain(_ source: UnsafeRawPointer) -> Self

  /// Two 16-bit integers in each lane, widened from 2 * `count` signed bytes.
  static func loadPairs(_ source: UnsafeRawPointer) -> Self
  /// Each lane as a 32-bit integer, plus the products of both 16-bit halves of `a` and `b`.
  func addingPairs(_ a: Self, times b: Self) -> Self
  /// The same with one pair of `a` for all lanes.
  func addingPair(_ a: UnsafePointer<Float>, times b: Self) -> Self
  /// 32-bit integers converted to floats.
  var fromIntegers: Self { get }
  /// Plus four products for each quad: the first quad of unsigned bytes at `a` times the first vector of quads of signed
  /// bytes at `weights`, and the second times the second.
  func addingQuads(_ a: UnsafeRawPointer, times weights: UnsafeRawPointer) -> Self
  /// Integers times the integer in the bits of `factor`.
  static func integers(_ source: UnsafeRawPointer, times factor: Float) -> Self
  /// One signed byte of each quad, as numbers.
  static func byte(_ index: Int, ofQuads source: UnsafeRawPointer) -> Self
  /// A bit for each lane whose magnitude is above `limit`, the lowest for the first.
  func lanesBeyond(_ limit: Float) -> UInt32
  /// The larger magnitude of each lane, NaN above infinity.
  func largerMagnitude(_ other: Self) -> Self
  /// Stores the low 16 bits of each lane.
  func storeLow16(_ target: UnsafeMutableRawPointer)
  /// The low 8 bits of each lane.
  func storeLow8(_ target: UnsafeMutableRawPointer)

  /// Lanes as pairs of bfloat16: plus the products of both numbers of a pair; only where csystem_multiplies_brain().
  func addingBrainPairs(_ a: Self, times weights: UnsafeRawPointer) -> Self
  /// Writes the lanes as bfloat16, rounded to nearest; only where csystem_multiplies_brain().
  func storeBrain(_ target: UnsafeMutableRawPointer)

  static func + (a: Self, b: Self) -> Self
  static func - (a: Self, b: Self) -> Self
  static func * (a: Self, b: Self) -> Self
  static func / (a: Self, b: Self) -> Self
  /// self + a * b, rounded once if the instruction set has FMA.
  func adding(_ a: Self, times b: Self) -> Self

  /// `other` in the lanes where `value` is below `limit`; false for NaN.
  func replacing(with other: Self, where value: Self, isBelow limit: Self) -> Self
  /// 2^n for integers n in [-126, 127], 0 for -127 and infinity for 128. The argument is n + `roundingShift`, whose low
  /// bits are n.
  static func power(of2 shifted: Self) -> Self

  /// The sum of all lanes, in one fixed order.
  var sum: Float { get }
  var largest: Float { get }
  subscript(lane: Int) -> Float { get set }
}

extension FloatVector {
  @_alwaysEmitIntoClient @inline(__always)
  public func addingPair(_ a: UnsafePointer<Float>, times b: Self) -> Self {
    addingPairs(Self(repeating: a.pointee), times: b)
  }

  /// Loads the first `lanes` elements at source and fills the others with `filler`. Reads nothing beyond them.
  @_alwaysEmitIntoClient @inline(__always)
  static func load(_ source: UnsafePointer<Float>, lanes: Int, filler: Float = 0) -> Self {
    if lanes >= count { return load(source) }
    var vector = Self(repeating: filler)
    for lane in 0..<lanes { vector[lane] = source[lane] }
    return vector
  }

  /// Stores the first `lanes` elements and nothing beyond them.
  @_alwaysEmitIntoClient @inline(__always)
  func store(_ target: UnsafeMutablePointer<Float>, lanes: Int) {
    if lanes >= Self.count { return store(target) }
    for lane in 0..<lanes { target[lane] = self[lane] }
  }

  /// NaN stays NaN.
  @_alwaysEmitIntoClient @inline(__always)
  func clamped(_ low: Float, _ high: Float) -> Self {
    let low = Self(repeating: low)
    let high = Self(repeating: high)
    let above = replacing(with: low, where: self, isBelow: low)
    return above.replacing(with: high, where: high, isBelow: above)
  }

  /// The larger of the two; `other` if either is NaN.
  @_alwaysEmitIntoClient @inline(__always)
  func larger(_ other: Self) -> Self { other.replacing(with: self, where: other, isBelow: self) }

  /// 1.5 * 2^23. A float that is added to it is rounded to an integer.
  @_alwaysEmitIntoClient @inline(__always)
  static var roundingShift: Self { Self(repeating: 12_582_912) }

  @_alwaysEmitIntoClient @inline(__always)
  var magnitude: Self { replacing(with: Self(repeating: 0) - self, where: self, isBelow: Self(repeating: 0)) }
}
