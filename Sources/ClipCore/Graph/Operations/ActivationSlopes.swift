import CClip
import CSystem

extension clip_activation {
  /// The derivative at each of `count` elements.
  func slopes(_ x: UnsafePointer<Float>, _ count: Int, _ kernels: Kernels, into slopes: UnsafeMutablePointer<Float>) {
    switch self {
    case CLIP_RELU:
      forEachEight(count) { i, lanes in
        put(SIMD8<Float>.zero.replacing(with: 1, where: eight(x + i, lanes) .> 0), slopes + i, lanes)
      }
    case CLIP_QUICK_GELU: sigmoidSlopes(x, count, 1.702, kernels, slopes)
    case CLIP_SILU: sigmoidSlopes(x, count, 1, kernels, slopes)
    case CLIP_SIGMOID:
      apply(CLIP_SIGMOID, x, count, 1, kernels, slopes)
      forEachEight(count) { i, lanes in
        let s = eight(slopes + i, lanes)
        put(s * (1 - s), slopes + i, lanes)
      }
    case CLIP_TANH:
      apply(CLIP_TANH, x, count, 1, kernels, slopes)
      forEachEight(count) { i, lanes in
        let t = eight(slopes + i, lanes)
        put(1 - t * t, slopes + i, lanes)
      }
    case CLIP_GELU:
      forEachEight(count) { i, lanes in put(gaussianSlope(eight(x + i, lanes)), slopes + i, lanes) }
    case CLIP_GELU_TANH:
      for i in 0..<count {
        let value = Double(x[i])
        let turn = tanh(0.7978845608028654 * (value + 0.044715 * value * value * value))
        let inner = 0.7978845608028654 * (1 + 3 * 0.044715 * value * value)
        slopes[i] = Float(0.5 * (1 + turn) + 0.5 * value * (1 - turn * turn) * inner)
      }
    default: for i in 0..<count { slopes[i] = 1 }
    }
  }

  /// The derivative of x s(f x), where s is the sigmoid: s + f x s (1 - s).
  private func sigmoidSlopes(
    _ x: UnsafePointer<Float>, _ count: Int, _ factor: Float, _ kernels: Kernels, _ slopes: UnsafeMutablePointer<Float>
  ) {
    apply(CLIP_SIGMOID, x, count, factor, kernels, slopes)
    forEachEight(count) { i, lanes in
      let s = eight(slopes + i, lanes)
      put(s * (1 + factor * eight(x + i, lanes) * (1 - s)), slopes + i, lanes)
    }
  }

  /// The derivative of x Phi(x): Phi(x) + x phi(x), within 2e-7. Phi by Abramowitz and Stegun, 7.1.26, which uses phi.
  @inline(__always)
  private func gaussianSlope(_ x: SIMD8<Float>) -> SIMD8<Float> {
    let bell = exponential(x * x * -0.5)
    let size = x.replacing(with: -x, where: x .< 0)
    let t = 1 / (1 + size * (0.327_591_1 * 0.707_106_78))
    var tail = t * 1.061_405_43 - 1.453_152_03
    tail = tail * t + 1.421_413_74
    tail = tail * t - 0.284_496_736
    tail = (tail * t + 0.254_829_592) * t * bell * 0.5
    return tail.replacing(with: 1 - tail, where: x .>= 0) + x * bell * 0.398_942_28
  }

  /// The activation of factor x by the kernels, 64 elements as a row.
  private func apply(
    _ activation: clip_activation, _ x: UnsafePointer<Float>, _ count: Int, _ factor: Float, _ kernels: Kernels,
    _ result: UnsafeMutablePointer<Float>
  ) {
    let width = 64
    withUnsafeTemporaryAllocation(of: Float.self, capacity: width) { scale in
      scale.initialize(repeating: factor)
      let rows = count / width
      kernels.table.pointee.scale_shift(x, width, result, width, rows, width, scale.baseAddress, nil, activation)
      let rest = count - rows * width
      kernels.table.pointee.scale_shift(
        x + rows * width, width, result + rows * width, width, rest > 0 ? 1 : 0, rest, scale.baseAddress, nil,
        activation)
    }
  }
}
