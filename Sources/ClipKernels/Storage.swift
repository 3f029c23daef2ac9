import CClip

/// How packed weights are stored, and how a vector of them is read.
public protocol WeightStorage {
  static var bytes: Int { get }
  static func load<Vector: FloatVector>(_ source: UnsafeRawPointer) -> Vector
  static func store(_ values: SIMD4<Float>, at target: UnsafeMutableRawPointer)
}

public enum FloatWeights: WeightStorage {
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

public enum HalfWeights: WeightStorage {
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

public enum BrainWeights: WeightStorage {
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

/// The nearest IEEE half, ties to even; beyond 65504 it is infinite.
@_alwaysEmitIntoClient @inline(__always)
func half(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  let sign = UInt16(truncatingIfNeeded: (bits & 0x8000_0000) >> 16)
  let size = bits & 0x7fff_ffff
  if size > 0x7f80_0000 { return sign | 0x7e00 }
  if size >= 0x4780_0000 { return sign | 0x7c00 }
  if size < 0x3880_0000 {
    // Subnormal: a float whose last place is the half's last place rounds as it should.
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
