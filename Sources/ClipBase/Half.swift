/// IEEE half and bfloat16 as bit patterns, for processors without the instructions.
package enum Half {
  @inline(__always)
  package static func widen(_ half: UInt16) -> Float {
    let magnitude = UInt32(half & 0x7fff) << 13
    let sign = UInt32(half & 0x8000) << 16
    // 2^112 moves the exponent's bias from 15 to 127, subnormals included.
    let scaled = (Float(bitPattern: magnitude) * 0x1p112).bitPattern
    // An exponent of all ones, infinity or NaN, keeps all ones.
    let special: UInt32 = half & 0x7c00 == 0x7c00 ? 0x7f80_0000 : 0
    return Float(bitPattern: sign | scaled | special)
  }

  /// Rounds to nearest, ties to even; values beyond the range become infinity.
  package static func narrow(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let sign = UInt16(truncatingIfNeeded: bits >> 16) & 0x8000
    let magnitude = bits & 0x7fff_ffff
    if magnitude > 0x7f80_0000 { return sign | 0x7e00 }
    if magnitude >= 0x477f_f000 { return sign | 0x7c00 }
    if magnitude >= 0x3880_0000 {
      let rounded = magnitude &+ 0xfff &+ ((magnitude >> 13) & 1)
      return sign | UInt16(truncatingIfNeeded: (rounded &- 0x3800_0000) >> 13)
    }
    let scaled = (Float(bitPattern: magnitude) * 0x1p24).rounded(.toNearestOrEven)
    return sign | UInt16(scaled)
  }

  package static func narrowBrain(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ ((bits >> 16) & 1)) >> 16)
  }
}
