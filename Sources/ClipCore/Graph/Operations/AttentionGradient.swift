import CClip
import CSystem

/// The gradient of softmax(scale Q K' + bias) V for one head of one item. The probabilities are computed again, which
/// costs less than keeping them.
struct AttentionGradient {
  let queries: Int
  let keys: Int
  let width: Int
  let kernels: Kernels
  /// Floats from row to row of queries and outputs, and of keys and values if different.
  var stride = 0
  var keyStride: Int?
  var firstQuery = 0
  var isCausal = false
  /// The factor of Q K'; 1 / sqrt(width) unless set.
  var scale: Float
  /// [queries, keys]; nil for none.
  var bias: UnsafePointer<Float>?
  var biasStride: Int

  init(queries: Int, keys: Int, width: Int, kernels: Kernels) {
    self.queries = queries
    self.keys = keys
    self.width = width
    self.kernels = kernels
    scale = 1 / Float(width).squareRoot()
    biasStride = keys
  }

  private var square: Int { (queries * keys + 15) & ~15 }

  /// Floats of scratch for these sizes and all below them: probabilities, their gradient, and one product.
  var floats: Int {
    let products = [
      ProductSize(rows: queries, columns: keys, depth: width),
      ProductSize(rows: queries, columns: width, depth: keys),
      ProductSize(rows: keys, columns: width, depth: queries, left: .transposed),
    ]
    return 2 * square + products.reduce(0) { max($0, ProductPlan.serialScratchFloats($1, kernels)) }
  }

  /// Valid after `compute`, with its scratch: scale times the gradient of the scores and of the bias, [queries, keys].
  func slopes(_ scratch: UnsafeMutablePointer<Float>) -> UnsafePointer<Float> { UnsafePointer(scratch + square) }

  /// An input's gradient, and whether to add to it.
  typealias Target = (gradient: UnsafeMutablePointer<Float>, adds: Bool)

  func compute(
    q: UnsafePointer<Float>, k: UnsafePointer<Float>, v: UnsafePointer<Float>, dy: UnsafePointer<Float>, dq: Target?,
    dk: Target?, dv: Target?, _ scratch: UnsafeMutablePointer<Float>
  ) {
    let executor = Executor(kernels: kernels, threads: nil)
    let p = scratch
    let dp = scratch + square
    let rest = scratch + 2 * square
    let ofQueries = stride
    let ofKeys = keyStride ?? stride
    let shares = Matrix(data: UnsafePointer(p), stride: keys)
    let slopes = Matrix(data: UnsafePointer(dp), stride: keys)
    /// [queries, keys] = a b' with b [keys, width].
    func scores(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>) {
      executor.multiply(
        MatrixProduct(
          left: .rows(Matrix(data: a, stride: ofQueries)),
          right: .matrix(Matrix(data: b, stride: ofKeys), .rows, columns: keys, depth: width), rows: queries,
          output: output, stride: keys), rest)
    }
    /// [rows, width] = a b with b [depth, width].
    func input(
      _ a: LeftOperand, _ b: UnsafePointer<Float>, _ stride: Int, rows: Int, depth: Int, into target: Target,
      _ targetStride: Int
    ) {
      executor.multiply(
        MatrixProduct(
          left: a, right: .matrix(Matrix(data: b, stride: stride), .transposed, columns: width, depth: depth),
          rows: rows, output: target.gradient, stride: targetStride,
          residual: target.adds ? UnsafePointer(target.gradient) : nil), rest)
    }

    scores(q, k, into: p)
    for row in 0..<queries { softmax(p + row * keys, seen(row), bias.map { $0 + row * biasStride }) }
    scores(dy, v, into: dp)
    if let dv { input(.transposed(shares), dy, ofQueries, rows: keys, depth: queries, into: dv, ofKeys) }

    // dS = scale P (dP - the row's sum of P dP).
    for row in 0..<queries {
      let line = dp + row * keys
      let shares = p + row * keys
      let mean = dotProduct(line, shares, keys)
      forEachEight(keys) { i, lanes in
        put(scale * eight(shares + i, lanes) * (eight(line + i, lanes) - mean), line + i, lanes)
      }
    }
    if let dq { input(.rows(slopes), k, ofKeys, rows: queries, depth: keys, into: dq, ofQueries) }
    if let dk { input(.transposed(slopes), q, ofQueries, rows: keys, depth: queries, into: dk, ofKeys) }
  }

  /// The number of keys that a query sees.
  private func seen(_ query: Int) -> Int { isCausal ? min(keys, firstQuery + query + 1) : keys }

  /// The softmax of the first `count` elements of a row; the others become 0.
  private func softmax(_ row: UnsafeMutablePointer<Float>, _ count: Int, _ bias: UnsafePointer<Float>?) {
    var scale = scale
    if let bias {
      forEachEight(count) { i, lanes in put(scale * eight(row + i, lanes) + eight(bias + i, lanes), row + i, lanes) }
      scale = 1
    }
    var largest = -Float.infinity
    forEachEight(count) { i, lanes in largest = max(largest, eight(row + i, lanes, filler: -.infinity).max()) }
    var sum = SIMD8<Float>.zero
    forEachEight(count) { i, lanes in
      let e = exponential((eight(row + i, lanes, filler: -.infinity) - largest) * scale)
      put(e, row + i, lanes)
      sum += e
    }
    let share = 1 / sum.sum()
    forEachEight(count) { i, lanes in put(eight(row + i, lanes) * share, row + i, lanes) }
    for key in count..<keys { row[key] = 0 }
  }
}
