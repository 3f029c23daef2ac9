import CClip
import CSystem

/// How packed weights are stored, and what a tile does with them. A step has one element of each column and row, or two
/// with INT8 storage. `depth` counts elements; a tile counts steps.
public protocol WeightStorage {
  /// Bytes of one column in a step.
  static var bytes: Int { get }
  /// Elements of depth in a step.
  static var stepDepth: Int { get }
  /// Floats that a step takes of a packed row of A.
  static var stepFloats: Int { get }
  /// The most floats of a packed row in a block of depth.
  static var blockFloats: Int { get }
  /// Steps of room that a panel has before each block of depth, for `start`: 0 or 1.
  static var headerSteps: Int { get }
  /// Bytes of each column after the panel's steps.
  static var columnBytes: Int { get }
  /// The rows that use a block of weights while it is in the L2 cache.
  static var blockRows: Int { get }
  /// The columns of a group: its block of weights and the next block stay in the L2 cache between tiles.
  static var groupColumns: Int { get }

  /// Copies a row of A, at most a block of depth, for a tile. What `start` and `finish` need of the row follows after
  /// `depthBlock` floats.
  static func copyRow<Vector: FloatVector>(
    _ vector: Vector.Type, _ row: UnsafePointer<Float>, depth: Int, to copy: UnsafeMutablePointer<Float>)
  /// The initial sums of a block. `header` is the panel's header for a vector of columns; `row` is what `copyRow` wrote.
  static func start<Vector: FloatVector>(_ row: UnsafePointer<Float>, _ header: UnsafeRawPointer) -> Vector
  /// sum + a * weights, of one step and a vector of columns.
  static func add<Vector: FloatVector>(
    _ sum: Vector, _ a: UnsafePointer<Float>, times weights: UnsafeRawPointer
  ) -> Vector
  /// Converts a sum of steps to floats. `row` is what `copyRow` wrote.
  static func finish<Vector: FloatVector>(_ sum: Vector, _ row: UnsafePointer<Float>) -> Vector
  /// Whether packed rows have elements that `add` leaves out, and how many a row of a block has.
  static var keepsOutliers: Bool { get }
  static func outliers(_ row: UnsafePointer<Float>) -> Int
  /// Adds them times a panel's block of depth to two vectors of finished sums.
  static func addOutliers<Vector: FloatVector>(
    _ vector: Vector.Type, _ row: UnsafePointer<Float>, _ panel: UnsafeRawPointer,
    to sums: UnsafeMutablePointer<Float>)
}

extension WeightStorage {
  @_alwaysEmitIntoClient @inline(__always)
  public static var stepFloats: Int { 1 }
  @_alwaysEmitIntoClient @inline(__always)
  public static var headerSteps: Int { 0 }
  @_alwaysEmitIntoClient @inline(__always)
  public static var blockFloats: Int { depthBlock }

  @_alwaysEmitIntoClient @inline(__always)
  static func steps(_ depth: Int) -> Int { (depth + stepDepth - 1) / stepDepth }

  /// The number of blocks that depth is cut into. Block i has the steps from steps * i / blocks on.
  @_alwaysEmitIntoClient @inline(__always)
  static func depthBlocks(_ depth: Int) -> Int {
    max(1, (steps(depth) * stepFloats + blockFloats - 1) / blockFloats)
  }

  /// Steps of a panel, headers among them.
  @_alwaysEmitIntoClient @inline(__always)
  static func panelSteps(_ depth: Int) -> Int { steps(depth) + headerSteps * depthBlocks(depth) }

  @_alwaysEmitIntoClient @inline(__always)
  public static func start<Vector: FloatVector>(_ row: UnsafePointer<Float>, _ header: UnsafeRawPointer) -> Vector {
    Vector(repeating: 0)
  }

  @_alwaysEmitIntoClient @inline(__always)
  public static var keepsOutliers: Bool { false }
  @_alwaysEmitIntoClient @inline(__always)
  public static func outliers(_ row: UnsafePointer<Float>) -> Int { 0 }
  @_alwaysEmitIntoClient @inline(__always)
  public static func addOutliers<Vector: FloatVector>(
    _ vector: Vector.Type, _ row: UnsafePointer<Float>, _ panel: UnsafeRawPointer,
    to sums: UnsafeMutablePointer<Float>
  ) {}
}

/// Floating-point weights, without scales.
public protocol FloatStorage: WeightStorage {
  /// A vector of columns.
  static func load<Vector: FloatVector>(_ source: UnsafeRawPointer) -> Vector
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
  public static func add<Vector: FloatVector>(
    _ sum: Vector, _ a: UnsafePointer<Float>, times weights: UnsafeRawPointer
  ) -> Vector {
    sum.adding(Vector(repeating: a.pointee), times: load(weights))
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
