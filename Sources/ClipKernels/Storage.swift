import CClip
import CSystem

/// How packed weights are stored, and what a tile does with them. A step has one element of each column and row, or two
/// with INT8 storage. `depth` counts elements; a tile counts steps.
public protocol WeightStorage {
  /// Bytes of one column in a step.
  static var bytes: Int { get }
  /// Elements of depth in a step.
  static var stepDepth: Int { get }
  /// Bytes of each column after the panel's steps.
  static var columnBytes: Int { get }
  /// The rows that use a block of weights while it is in the L2 cache.
  static var blockRows: Int { get }
  /// The columns of a group: its block of weights and the next block stay in the L2 cache between tiles.
  static var groupColumns: Int { get }

  /// Loads a step of a vector of columns.
  static func load<Vector: FloatVector>(_ source: UnsafeRawPointer) -> Vector
  /// Copies a row of A, at most `depthBlock` steps, for a tile. What `finish` needs of the row follows after
  /// `depthBlock` floats.
  static func copyRow<Vector: FloatVector>(
    _ vector: Vector.Type, _ row: UnsafePointer<Float>, depth: Int, to copy: UnsafeMutablePointer<Float>)
  /// sum + a * weights for one step.
  static func add<Vector: FloatVector>(_ sum: Vector, _ a: Vector, times weights: Vector) -> Vector
  /// Converts a sum of steps to floats. `row` is what `copyRow` wrote.
  static func finish<Vector: FloatVector>(_ sum: Vector, _ row: UnsafePointer<Float>) -> Vector
}

extension WeightStorage {
  @_alwaysEmitIntoClient @inline(__always)
  static func steps(_ depth: Int) -> Int { (depth + stepDepth - 1) / stepDepth }
}

/// Floating-point weights, without scales.
public protocol FloatStorage: WeightStorage {
  static func store(_ values: SIMD4<Float>, at target: UnsafeMutableRawPointer)
}

extension FloatStorage {
  @_alwaysEmitIntoClient @inline(__always)
  public static var stepDepth: Int { 1 }
  @_alwaysEmitIntoClient @inline(__always)
  public static var columnBytes: Int { 0 }
  @_alwaysEmitIntoClient @inline(__always)
  public static var blockRows: Int { 72 }
  @_alwaysEmitIntoClient @inline(__always)
  public static var groupColumns: Int { 256 }

  @_alwaysEmitIntoClient @inline(__always)
  public static func copyRow<Vector: FloatVector>(
    _ vector: Vector.Type, _ row: UnsafePointer<Float>, depth: Int, to copy: UnsafeMutablePointer<Float>
  ) {
    memcpy(copy, row, 4 * depth)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func add<Vector: FloatVector>(_ sum: Vector, _ a: Vector, times weights: Vector) -> Vector {
    sum.adding(a, times: weights)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func finish<Vector: FloatVector>(_ sum: Vector, _ row: UnsafePointer<Float>) -> Vector { sum }
}

public enum FloatWeights: FloatStorage {
  @_alwaysEmitIntoClient @inline(__always)
  public static var bytes: Int { 4 }
  @_alwaysEmitIntoClient @inline(__always)
  public static func load<Vector: FloatVector>(_ source: UnsafeRawPointer) -> Vector {
    Vector.load(source.assumingMemoryBound(to: Float.self))
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func store(_ values: SIMD4<Float>, at target: UnsafeMutableRawPointer) {
    target.storeBytes(of: values, as: SIMD4<Float>.self)
  }
}

public enum HalfWeights: FloatStorage {
  @_alwaysEmitIntoClient @inline(__always)
  public static var bytes: Int { 2 }
  @_alwaysEmitIntoClient @inline(__always)
  public static func load<Vector: FloatVector>(_ source: UnsafeRawPointer) -> Vector { Vector.loadHalf(source) }
  @_alwaysEmitIntoClient @inline(__always)
  public static func store(_ values: SIMD4<Float>, at target: UnsafeMutableRawPointer) {
    let bits = SIMD4<UInt16>(half(values.x), half(values.y), half(values.z), half(values.w))
    target.storeBytes(of: bits, as: SIMD4<UInt16>.self)
  }
}

public enum BrainWeights: FloatStorage {
  @_alwaysEmitIntoClient @inline(__always)
  public static var bytes: Int { 2 }
  @_alwaysEmitIntoClient @inline(__always)
  public static func load<Vector: FloatVector>(_ source: UnsafeRawPointer) -> Vector { Vector.loadBrain(source) }
  @_alwaysEmitIntoClient @inline(__always)
  public static func store(_ values: SIMD4<Float>, at target: UnsafeMutableRawPointer) {
    let bits = SIMD4<UInt16>(brain(values.x), brain(values.y), brain(values.z), brain(values.w))
    target.storeBytes(of: bits, as: SIMD4<UInt16>.self)
  }
}

/// The nearest IEEE half, ties to even; infinite beyond 65504.
@_alwaysEmitIntoClient @inline(__always)
func half(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  let sign = UInt16(truncatingIfNeeded: (bits & 0x8000_0000) >> 16)
  let size = bits & 0x7fff_ffff
  if size > 0x7f80_0000 { return sign | 0x7e00 }
  if size >= 0x4780_0000 { return sign | 0x7c00 }
  if size < 0x3880_0000 {
    // Subnormal: adding 0.5 makes the float's last place that of the half, so it rounds correctly.
    let shifted = Float(bitPattern: size) + 0.5
    return sign | UInt16(truncatingIfNeeded: shifted.bitPattern &- 0x3f00_0000)
  }
  let odd = (size >> 13) & 1
  return sign | UInt16(truncatingIfNeeded: (size &- 0x3800_0000 &+ 0xfff &+ odd) >> 13)
}

@_alwaysEmitIntoClient @inline(__always)
func float(half bits: UInt16) -> Float {
  let size = UInt32(bits & 0x7fff)
  let magnitude = size >= 0x7c00 ? Float(bitPattern: 0x7f80_0000 | size << 13) : Float(bitPattern: size << 13) * 0x1p112
  return bits & 0x8000 == 0 ? magnitude : -magnitude
}

/// The nearest bfloat16, ties to even.
@_alwaysEmitIntoClient @inline(__always)
func brain(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  if bits & 0x7fff_ffff > 0x7f80_0000 { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
  return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ ((bits >> 16) & 1)) >> 16)
}
