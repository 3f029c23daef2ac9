/// The three products of a layer y = x w', x [rows, depth] and w [columns, depth], in training: none of the operands is
/// packed before.
struct LayerProducts {
  let rows: Int
  let columns: Int
  let depth: Int

  /// Rows that a weight's gradient sums at a time. Fixed, so that results do not depend on the threads.
  private static let blockRows = 2048

  /// Floats of scratch for `forward`.
  func forwardFloats(_ kernels: Kernels) -> Int {
    ProductPlan(
      ProductSize(rows: rows, columns: columns, depth: depth, packsRight: true), kernels, threads: kernels.threads
    ).scratchFloats
  }

  /// Floats of scratch for `inputGradient` and `weightGradient`.
  func backwardFloats(_ kernels: Kernels) -> Int {
    var sizes = [ProductSize(rows: rows, columns: depth, depth: columns, packsRight: true)]
    for block in [min(rows, LayerProducts.blockRows), rows % LayerProducts.blockRows] where block > 0 {
      sizes.append(ProductSize(rows: columns, columns: depth, depth: block, left: .transposed, packsRight: true))
    }
    return sizes.reduce(0) { max($0, ProductPlan($1, kernels, threads: kernels.threads).scratchFloats) }
  }

  /// y = x w'.
  func forward(
    _ x: Matrix, _ w: Matrix, into y: UnsafeMutablePointer<Float>, stride: Int, _ executor: Executor,
    _ scratch: UnsafeMutablePointer<Float>
  ) {
    executor.multiply(
      MatrixProduct(
        left: .rows(x), right: .matrix(w, .rows, columns: columns, depth: depth), rows: rows, output: y, stride: stride),
      scratch)
  }

  /// dx = dy w, or with `adds` dx += dy w.
  func inputGradient(
    _ dy: Matrix, _ w: Matrix, into dx: UnsafeMutablePointer<Float>, stride: Int, adds: Bool,
    _ executor: Executor, _ scratch: UnsafeMutablePointer<Float>
  ) {
    executor.multiply(
      MatrixProduct(
        left: .rows(dy), right: .matrix(w, .transposed, columns: depth, depth: columns), rows: rows, output: dx,
        stride: stride, residual: adds ? UnsafePointer(dx) : nil),
      scratch)
  }

  /// dw = dy' x, or with `adds` dw += dy' x.
  func weightGradient(
    _ dy: Matrix, _ x: Matrix, into dw: UnsafeMutablePointer<Float>, adds: Bool, _ executor: Executor,
    _ scratch: UnsafeMutablePointer<Float>
  ) {
    for first in stride(from: 0, to: rows, by: LayerProducts.blockRows) {
      let count = min(LayerProducts.blockRows, rows - first)
      executor.multiply(
        MatrixProduct(
          left: .transposed(dy.from(row: first)),
          right: .matrix(x.from(row: first), .transposed, columns: depth, depth: count), rows: columns, output: dw,
          stride: depth, residual: adds || first > 0 ? UnsafePointer(dw) : nil),
        scratch)
    }
  }
}
