import CClip
import CSystem

extension clip_activation {
  /// The derivative at each of `count` numbers.
  func slopes(_ x: UnsafePointer<Float>, _ count: Int, _ kernels: Kernels, into slopes: UnsafeMutablePointer<Float>) {
    switch self {
    case CLIP_RELU: for i in 0..<count { slopes[i] = x[i] > 0 ? 1 : 0 }
    case CLIP_QUICK_GELU: sigmoidSlopes(x, count, 1.702, kernels, slopes)
    case CLIP_SILU: sigmoidSlopes(x, count, 1, kernels, slopes)
    case CLIP_SIGMOID:
      apply(CLIP_SIGMOID, x, count, 1, kernels, slopes)
      for i in 0..<count { slopes[i] *= 1 - slopes[i] }
    case CLIP_TANH:
      apply(CLIP_TANH, x, count, 1, kernels, slopes)
      for i in 0..<count { slopes[i] = 1 - slopes[i] * slopes[i] }
    case CLIP_GELU:
      // Phi(x) + x phi(x).
      for i in 0..<count {
        let value = Double(x[i])
        let density = exp(-0.5 * value * value) * 0.3989422804014327
        slopes[i] = Float(0.5 * erfc(-value * 0.7071067811865476) + value * density)
      }
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

  /// Of x s(f x), where s is the sigmoid: s + f x s (1 - s).
  private func sigmoidSlopes(
    _ x: UnsafePointer<Float>, _ count: Int, _ factor: Float, _ kernels: Kernels, _ slopes: UnsafeMutablePointer<Float>
  ) {
    apply(CLIP_SIGMOID, x, count, factor, kernels, slopes)
    for i in 0..<count { slopes[i] *= 1 + factor * x[i] * (1 - slopes[i]) }
  }

  /// The activation of factor x, by the kernels: 64 numbers are a row.
  private func apply(
    _ activation: clip_activation, _ x: UnsafePointer<Float>, _ count: Int, _ factor: Float, _ kernels: Kernels,
    _ result: UnsafeMutablePointer<Float>
  ) {
    let width = 64
    withUnsafeTemporaryAllocation(of: Float.self, capacity: width) { scale in
      scale.initialize(repeating: factor)
      let rows = count / width
      kernels.table.pointee.scale_shift?(x, width, result, width, rows, width, scale.baseAddress, nil, activation)
      let rest = count - rows * width
      kernels.table.pointee.scale_shift?(
        x + rows * width, width, result + rows * width, width, rest > 0 ? 1 : 0, rest, scale.baseAddress, nil, activation)
    }
  }
}
