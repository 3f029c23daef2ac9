import CClip

extension FloatVector {
  /// Horner's method, highest power first.
  @_alwaysEmitIntoClient @inline(__always)
  func polynomial(_ c0: Float, _ c1: Float, _ c2: Float, _ c3: Float, _ c4: Float) -> Self {
    var sum = Self(repeating: c1).adding(Self(repeating: c0), times: self)
    sum = Self(repeating: c2).adding(sum, times: self)
    sum = Self(repeating: c3).adding(sum, times: self)
    return Self(repeating: c4).adding(sum, times: self)
  }

  /// e^x within 2 ulp; 0 below 8e-39, infinity above 2.4e38. The reduction and the polynomial are
  /// those of expf in Cephes (Moshier): e^x = 2^n e^r, |r| <= ln 2 / 2.
  @_alwaysEmitIntoClient @inline(__always)
  var exponential: Self {
    let x = clamped(-88.3, 88.8)
    let shifted = Self.roundingShift.adding(x, times: Self(repeating: 1.442_695_04))
    let n = shifted - Self.roundingShift
    let r = x.adding(n, times: Self(repeating: -0.693_359_375)).adding(n, times: Self(repeating: 2.121_944_4e-4))
    let high = r.polynomial(
      1.987_569_15e-4, 1.398_199_950_7e-3, 8.333_451_907_3e-3, 4.166_579_589_4e-2, 0.166_666_654_59)
    let tail = Self(repeating: 0.500_000_012_01).adding(high, times: r)
    return (r.adding(tail, times: r * r) + Self(repeating: 1)) * Self.power(of2: shifted)
  }

  /// 1 / (1 + e^-x).
  @_alwaysEmitIntoClient @inline(__always)
  var sigmoid: Self {
    let one = Self(repeating: 1)
    return one / (one + (Self(repeating: 0) - self).exponential)
  }

  /// Near 0 the odd polynomial of Cephes' tanhf, elsewhere 1 - 2 / (e^2x + 1).
  @_alwaysEmitIntoClient @inline(__always)
  var hyperbolicTangent: Self {
    let one = Self(repeating: 1)
    let two = Self(repeating: 2)
    let size = magnitude
    let square = self * self
    let odd = square.polynomial(
      -5.704_988_727_45e-3, 2.063_908_879_54e-2, -5.373_971_555_31e-2, 0.133_314_422_036, -0.333_332_819_422)
    let near = adding(odd, times: square * self)
    let far = one - two / ((size * two).exponential + one)
    let signed = far.replacing(with: Self(repeating: 0) - far, where: self, isBelow: Self(repeating: 0))
    return signed.replacing(with: near, where: size, isBelow: Self(repeating: 0.625))
  }

  /// x Phi(x) = max(x, 0) - |x| Phi(-|x|), within 1e-7 of max(1, |x|). Phi(-m) e^(m^2/2) is a polynomial in 1 / (1 +
  /// 0.4 m), whose fit makes the error of |x| Phi(-|x|) at most 1.1e-8.
  @_alwaysEmitIntoClient @inline(__always)
  var gelu: Self {
    let zero = Self(repeating: 0)
    let positive = replacing(with: zero, where: self, isBelow: zero)
    let limit = Self(repeating: 14)
    let size = magnitude
    let m = size.replacing(with: limit, where: limit, isBelow: size)
    let t = Self(repeating: 1) / Self(repeating: 1).adding(m, times: Self(repeating: 0.4))
    var sum = t.polynomial(0.054_050_847_9, -0.244_009_345_8, 0.319_586_247_2, 0.033_146_612_35, 0.177_714_094_5)
    sum = Self(repeating: 0.159_890_800_7).adding(sum, times: t)
    sum = Self(repeating: -0.000_379_226_286_9).adding(sum, times: t)
    return positive - m * ((m * m * Self(repeating: -0.5)).exponential * sum)
  }

  @_alwaysEmitIntoClient @inline(__always)
  func activated(_ activation: clip_activation) -> Self {
    let zero = Self(repeating: 0)
    let one = Self(repeating: 1)
    switch activation {
    case CLIP_RELU: return replacing(with: zero, where: self, isBelow: zero)
    case CLIP_GELU: return gelu
    case CLIP_QUICK_GELU: return self / (one + (self * Self(repeating: -1.702)).exponential)
    case CLIP_GELU_TANH:
      // x (1 + tanh u) / 2 = x / (1 + e^-2u), u = sqrt(2 / pi) (x + 0.044715 x^3)
      let inner = one.adding(self * self, times: Self(repeating: 0.044_715)) * self
      return self / (one + (inner * Self(repeating: -1.595_769_122)).exponential)
    case CLIP_SIGMOID: return sigmoid
    case CLIP_SILU: return self / (one + (zero - self).exponential)
    case CLIP_TANH: return hyperbolicTangent
    default: return self
    }
  }
}
