import CClip
import CSystem

extension SIMD4: FloatVector where Scalar == Float {
  @_alwaysEmitIntoClient @inline(__always)
  public static var count: Int { 4 }

  @_alwaysEmitIntoClient @inline(__always)
  public static func load(_ source: UnsafePointer<Float>) -> Self {
    UnsafeRawPointer(source).loadUnaligned(as: Self.self)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public func store(_ target: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(target).storeBytes(of: self, as: Self.self)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func loadHalf(_ source: UnsafeRawPointer) -> Self {
    #if arch(arm64)
      csystem_half4_by_machine(source)
    #else
      csystem_half4_by_bits(source)
    #endif
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func loadBrain(_ source: UnsafeRawPointer) -> Self { csystem_brain4(source) }
  @_alwaysEmitIntoClient @inline(__always)
  public static func loadPairs(_ source: UnsafeRawPointer) -> Self { csystem_load_pairs4(source) }
  @_alwaysEmitIntoClient @inline(__always)
  public func addingPairs(_ a: Self, times b: Self) -> Self { csystem_add_pairs4(self, a, b) }
  #if arch(arm64)
    @_alwaysEmitIntoClient @inline(__always)
    public func addingPair(_ a: UnsafePointer<Float>, times b: Self) -> Self { csystem_add_pair4(self, a, b) }
  #endif
  @_alwaysEmitIntoClient @inline(__always)
  public var fromIntegers: Self { csystem_from_integers4(self) }
  @_alwaysEmitIntoClient @inline(__always)
  public func largerMagnitude(_ other: Self) -> Self { csystem_largest_bits4(self, other) }
  @_alwaysEmitIntoClient @inline(__always)
  public func storeLow16(_ target: UnsafeMutableRawPointer) { csystem_store_low16_4(target, self) }
  @_alwaysEmitIntoClient @inline(__always)
  public func addingQuads(_ a: UnsafeRawPointer, times weights: UnsafeRawPointer) -> Self {
    csystem_add_quads4(self, a, weights)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func integers(_ source: UnsafeRawPointer, times factor: Float) -> Self {
    csystem_times_integer4(source, factor)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func byte(_ index: Int, ofQuads source: UnsafeRawPointer) -> Self {
    csystem_byte_of_quads4(source, Int32(truncatingIfNeeded: index))
  }
  @_alwaysEmitIntoClient @inline(__always)
  public func lanesBeyond(_ limit: Float) -> UInt32 { csystem_lanes_beyond4(self, limit) }
  @_alwaysEmitIntoClient @inline(__always)
  public func storeLow8(_ target: UnsafeMutableRawPointer) { csystem_store_low8_4(target, self) }
  @_alwaysEmitIntoClient @inline(__always)
  public func addingBrainPairs(_ a: Self, times weights: UnsafeRawPointer) -> Self {
    csystem_add_brain_pairs4(self, a, weights)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public func storeBrain(_ target: UnsafeMutableRawPointer) { csystem_store_brain4(target, self) }
  @_alwaysEmitIntoClient @inline(__always)
  public static func + (a: Self, b: Self) -> Self { csystem_add4(a, b) }
  @_alwaysEmitIntoClient @inline(__always)
  public static func - (a: Self, b: Self) -> Self { csystem_subtract4(a, b) }
  @_alwaysEmitIntoClient @inline(__always)
  public static func * (a: Self, b: Self) -> Self { csystem_multiply4(a, b) }
  @_alwaysEmitIntoClient @inline(__always)
  public static func / (a: Self, b: Self) -> Self { csystem_divide4(a, b) }
  @_alwaysEmitIntoClient @inline(__always)
  public func adding(_ a: Self, times b: Self) -> Self {
    #if arch(arm64)
      csystem_multiply_add4(self, a, b)
    #else
      self + a * b  // without FMA, addingProduct is a call for each lane
    #endif
  }
  @_alwaysEmitIntoClient @inline(__always)
  public func replacing(with other: Self, where value: Self, isBelow limit: Self) -> Self {
    csystem_select4(self, other, value, limit)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func power(of2 shifted: Self) -> Self {
    csystem_power_of_2_4(shifted)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public var sum: Float { (x + z) + (y + w) }
  @_alwaysEmitIntoClient @inline(__always)
  public var largest: Float { Swift.max(Swift.max(x, z), Swift.max(y, w)) }
}

extension SIMD8: FloatVector where Scalar == Float {
  @_alwaysEmitIntoClient @inline(__always)
  public static var count: Int { 8 }

  @_alwaysEmitIntoClient @inline(__always)
  public static func load(_ source: UnsafePointer<Float>) -> Self {
    UnsafeRawPointer(source).loadUnaligned(as: Self.self)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public func store(_ target: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(target).storeBytes(of: self, as: Self.self)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func loadHalf(_ source: UnsafeRawPointer) -> Self {
    csystem_half8_by_machine(source)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func loadBrain(_ source: UnsafeRawPointer) -> Self { csystem_brain8(source) }
  @_alwaysEmitIntoClient @inline(__always)
  public static func loadPairs(_ source: UnsafeRawPointer) -> Self { csystem_load_pairs8(source) }
  @_alwaysEmitIntoClient @inline(__always)
  public func addingPairs(_ a: Self, times b: Self) -> Self { csystem_add_pairs8(self, a, b) }
  @_alwaysEmitIntoClient @inline(__always)
  public var fromIntegers: Self { csystem_from_integers8(self) }
  @_alwaysEmitIntoClient @inline(__always)
  public func largerMagnitude(_ other: Self) -> Self { csystem_largest_bits8(self, other) }
  @_alwaysEmitIntoClient @inline(__always)
  public func storeLow16(_ target: UnsafeMutableRawPointer) { csystem_store_low16_8(target, self) }
  @_alwaysEmitIntoClient @inline(__always)
  public func addingQuads(_ a: UnsafeRawPointer, times weights: UnsafeRawPointer) -> Self {
    csystem_add_quads8(self, a, weights)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func integers(_ source: UnsafeRawPointer, times factor: Float) -> Self {
    csystem_times_integer8(source, factor)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func byte(_ index: Int, ofQuads source: UnsafeRawPointer) -> Self {
    csystem_byte_of_quads8(source, Int32(truncatingIfNeeded: index))
  }
  @_alwaysEmitIntoClient @inline(__always)
  public func lanesBeyond(_ limit: Float) -> UInt32 { csystem_lanes_beyond8(self, limit) }
  @_alwaysEmitIntoClient @inline(__always)
  public func storeLow8(_ target: UnsafeMutableRawPointer) { csystem_store_low8_8(target, self) }
  @_alwaysEmitIntoClient @inline(__always)
  public func addingBrainPairs(_ a: Self, times weights: UnsafeRawPointer) -> Self {
    csystem_add_brain_pairs8(self, a, weights)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public func storeBrain(_ target: UnsafeMutableRawPointer) { csystem_store_brain8(target, self) }
  @_alwaysEmitIntoClient @inline(__always)
  public static func + (a: Self, b: Self) -> Self { csystem_add8(a, b) }
  @_alwaysEmitIntoClient @inline(__always)
  public static func - (a: Self, b: Self) -> Self { csystem_subtract8(a, b) }
  @_alwaysEmitIntoClient @inline(__always)
  public static func * (a: Self, b: Self) -> Self { csystem_multiply8(a, b) }
  @_alwaysEmitIntoClient @inline(__always)
  public static func / (a: Self, b: Self) -> Self { csystem_divide8(a, b) }
  @_alwaysEmitIntoClient @inline(__always)
  public func adding(_ a: Self, times b: Self) -> Self {
    csystem_multiply_add8(self, a, b)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public func replacing(with other: Self, where value: Self, isBelow limit: Self) -> Self {
    csystem_select8(self, other, value, limit)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func power(of2 shifted: Self) -> Self {
    csystem_power_of_2_8(shifted)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public var sum: Float { (lowHalf + highHalf).sum }
  @_alwaysEmitIntoClient @inline(__always)
  public var largest: Float { lowHalf.larger(highHalf).largest }
}

extension SIMD16: FloatVector where Scalar == Float {
  @_alwaysEmitIntoClient @inline(__always)
  public static var count: Int { 16 }

  @_alwaysEmitIntoClient @inline(__always)
  public static func load(_ source: UnsafePointer<Float>) -> Self {
    UnsafeRawPointer(source).loadUnaligned(as: Self.self)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public func store(_ target: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(target).storeBytes(of: self, as: Self.self)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func loadHalf(_ source: UnsafeRawPointer) -> Self {
    csystem_half16_by_machine(source)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func loadBrain(_ source: UnsafeRawPointer) -> Self { csystem_brain16(source) }
  @_alwaysEmitIntoClient @inline(__always)
  public static func loadPairs(_ source: UnsafeRawPointer) -> Self { csystem_load_pairs16(source) }
  @_alwaysEmitIntoClient @inline(__always)
  public func addingPairs(_ a: Self, times b: Self) -> Self { csystem_add_pairs16(self, a, b) }
  @_alwaysEmitIntoClient @inline(__always)
  public var fromIntegers: Self { csystem_from_integers16(self) }
  @_alwaysEmitIntoClient @inline(__always)
  public func largerMagnitude(_ other: Self) -> Self { csystem_largest_bits16(self, other) }
  @_alwaysEmitIntoClient @inline(__always)
  public func storeLow16(_ target: UnsafeMutableRawPointer) { csystem_store_low16_16(target, self) }
  @_alwaysEmitIntoClient @inline(__always)
  public func addingQuads(_ a: UnsafeRawPointer, times weights: UnsafeRawPointer) -> Self {
    csystem_add_quads16(self, a, weights)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func integers(_ source: UnsafeRawPointer, times factor: Float) -> Self {
    csystem_times_integer16(source, factor)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func byte(_ index: Int, ofQuads source: UnsafeRawPointer) -> Self {
    csystem_byte_of_quads16(source, Int32(truncatingIfNeeded: index))
  }
  @_alwaysEmitIntoClient @inline(__always)
  public func lanesBeyond(_ limit: Float) -> UInt32 { csystem_lanes_beyond16(self, limit) }
  @_alwaysEmitIntoClient @inline(__always)
  public func storeLow8(_ target: UnsafeMutableRawPointer) { csystem_store_low8_16(target, self) }
  @_alwaysEmitIntoClient @inline(__always)
  public func addingBrainPairs(_ a: Self, times weights: UnsafeRawPointer) -> Self {
    csystem_add_brain_pairs16(self, a, weights)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public func storeBrain(_ target: UnsafeMutableRawPointer) { csystem_store_brain16(target, self) }
  @_alwaysEmitIntoClient @inline(__always)
  public static func + (a: Self, b: Self) -> Self { csystem_add16(a, b) }
  @_alwaysEmitIntoClient @inline(__always)
  public static func - (a: Self, b: Self) -> Self { csystem_subtract16(a, b) }
  @_alwaysEmitIntoClient @inline(__always)
  public static func * (a: Self, b: Self) -> Self { csystem_multiply16(a, b) }
  @_alwaysEmitIntoClient @inline(__always)
  public static func / (a: Self, b: Self) -> Self { csystem_divide16(a, b) }
  @_alwaysEmitIntoClient @inline(__always)
  public func adding(_ a: Self, times b: Self) -> Self {
    csystem_multiply_add16(self, a, b)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public func replacing(with other: Self, where value: Self, isBelow limit: Self) -> Self {
    csystem_select16(self, other, value, limit)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func power(of2 shifted: Self) -> Self {
    csystem_power_of_2_16(shifted)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public var sum: Float { (lowHalf + highHalf).sum }
  @_alwaysEmitIntoClient @inline(__always)
  public var largest: Float { lowHalf.larger(highHalf).largest }
}
