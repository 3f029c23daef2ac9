import CClip

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
    let half = SIMD4<UInt32>(truncatingIfNeeded: source.loadUnaligned(as: SIMD4<UInt16>.self))
    let sign = (half & 0x8000) &<< 16
    // A float whose exponent is 112 too low, also for subnormal halves.
    let scaled = unsafeBitCast((half & 0x7fff) &<< 13, to: Self.self) * Self(repeating: 0x1p112)
    let infinite = SIMD4<UInt32>(repeating: 0).replacing(with: 0x7f80_0000, where: (half & 0x7fff) .>= 0x7c00)
    return unsafeBitCast(unsafeBitCast(scaled, to: SIMD4<UInt32>.self) | sign | infinite, to: Self.self)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func loadBrain(_ source: UnsafeRawPointer) -> Self {
    let bits = SIMD4<UInt32>(truncatingIfNeeded: source.loadUnaligned(as: SIMD4<UInt16>.self))
    return unsafeBitCast(bits &<< 16, to: Self.self)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public func adding(_ a: Self, times b: Self) -> Self {
    #if arch(arm64)
      addingProduct(a, b)
    #else
      self + a * b  // without FMA, addingProduct is a call for each lane
    #endif
  }
  @_alwaysEmitIntoClient @inline(__always)
  public func replacing(with other: Self, where value: Self, isBelow limit: Self) -> Self {
    replacing(with: other, where: value .< limit)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func power(of2 n: Self) -> Self {
    let low = unsafeBitCast(n + Self(repeating: 12_582_912), to: SIMD4<Int32>.self)  // n in the low bits
    return unsafeBitCast((low &+ 127) &<< 23, to: Self.self)
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
    Self(source.loadUnaligned(as: SIMD8<Float16>.self))
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func loadBrain(_ source: UnsafeRawPointer) -> Self {
    let bits = SIMD8<UInt32>(truncatingIfNeeded: source.loadUnaligned(as: SIMD8<UInt16>.self))
    return unsafeBitCast(bits &<< 16, to: Self.self)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public func adding(_ a: Self, times b: Self) -> Self {
    addingProduct(a, b)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public func replacing(with other: Self, where value: Self, isBelow limit: Self) -> Self {
    replacing(with: other, where: value .< limit)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func power(of2 n: Self) -> Self {
    let low = unsafeBitCast(n + Self(repeating: 12_582_912), to: SIMD8<Int32>.self)  // n in the low bits
    return unsafeBitCast((low &+ 127) &<< 23, to: Self.self)
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
    Self(source.loadUnaligned(as: SIMD16<Float16>.self))
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func loadBrain(_ source: UnsafeRawPointer) -> Self {
    let bits = SIMD16<UInt32>(truncatingIfNeeded: source.loadUnaligned(as: SIMD16<UInt16>.self))
    return unsafeBitCast(bits &<< 16, to: Self.self)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public func adding(_ a: Self, times b: Self) -> Self {
    addingProduct(a, b)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public func replacing(with other: Self, where value: Self, isBelow limit: Self) -> Self {
    replacing(with: other, where: value .< limit)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func power(of2 n: Self) -> Self {
    let low = unsafeBitCast(n + Self(repeating: 12_582_912), to: SIMD16<Int32>.self)  // n in the low bits
    return unsafeBitCast((low &+ 127) &<< 23, to: Self.self)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public var sum: Float { (lowHalf + highHalf).sum }
  @_alwaysEmitIntoClient @inline(__always)
  public var largest: Float { lowHalf.larger(highHalf).largest }
}
