import CClip
import CSystem

/// The gradient of softmax(scale Q K') V for one head of one item. The probabilities are made again, which
/// costs less than to keep them.
struct AttentionGradient {
  let queries: Int
  let keys: Int
  let width: Int
  let kernels: Kernels
  var stride = 0
  var firstQuery = 0
  var isCausal = false

  init(queries: Int, keys: Int, width: Int, kernels: Kernels) {
    self.queries = queries
    self.keys = keys
    self.width = width
    self.kernels = kernels
  }

  private var square: Int { (queries * keys + 15) & ~15 }

  /// Floats of scratch: probabilities, their gradient, one packed operand and rows of the other.
  var floats: Int {
    2 * square
      + max(
        Products.packedFloats(keys, width, kernels) + Products.rowFloats(queries, width, kernels, here: true),
        Products.packedFloats(width, keys, kernels) + Products.rowFloats(queries, keys, kernels, here: true),
        Products.packedFloats(width, queries, kernels)
          + Products.rowFloats(keys, queries, kernels, isTurned: true, here: true))
  }

  /// Where an input's gradient goes, and whether it is added to one that others began.
  typealias Target = (sums: UnsafeMutablePointer<Float>, adding: Bool)

  func add(
    _ products: Products, q: UnsafePointer<Float>, k: UnsafePointer<Float>, v: UnsafePointer<Float>,
    dy: UnsafePointer<Float>, dq: Target?, dk: Target?, dv: Target?, _ scratch: UnsafeMutablePointer<Float>
  ) {
    func matrix(_ data: UnsafePointer<Float>) -> Products.Matrix { Products.Matrix(data: data, stride: stride) }
    let p = scratch
    let dp = scratch + square
    let packed = scratch + 2 * square

    let keyRows = products.packHere(matrix(k), .rows, columns: keys, depth: width, into: packed)
    products.multiplyHere(matrix(q), keyRows, p, cStride: keys, rows: queries, adding: false)
    let scale = 1 / Float(width).squareRoot()
    for row in 0..<queries { softmax(p + row * keys, seen(row), scale) }

    let valueRows = products.packHere(matrix(v), .rows, columns: keys, depth: width, into: packed)
    products.multiplyHere(matrix(dy), valueRows, dp, cStride: keys, rows: queries, adding: false)

    if let dv {
      let columns = products.packHere(matrix(dy), .columns, columns: width, depth: queries, into: packed)
      products.multiplyHere(
        Products.Matrix(data: p, stride: keys, isTurned: true), columns, dv.sums, cStride: stride, rows: keys,
        adding: dv.adding)
    }

    // dS = scale P (dP - the row's sum of P dP).
    for row in 0..<queries {
      let line = dp + row * keys
      let shares = p + row * keys
      let mean = dotProduct(line, shares, keys)
      forEachEight(keys) { i, lanes in
        put(scale * eight(shares + i, lanes) * (eight(line + i, lanes) - mean), line + i, lanes)
      }
    }
    if let dq {
      let columns = products.packHere(matrix(k), .columns, columns: width, depth: keys, into: packed)
      products.multiplyHere(
        Products.Matrix(data: dp, stride: keys), columns, dq.sums, cStride: stride, rows: queries, adding: dq.adding)
    }
    if let dk {
      let columns = products.packHere(matrix(q), .columns, columns: width, depth: queries, into: packed)
      products.multiplyHere(
        Products.Matrix(data: dp, stride: keys, isTurned: true), columns, dk.sums, cStride: stride, rows: keys,
        adding: dk.adding)
    }
  }

  /// Keys that a query sees.
  private func seen(_ query: Int) -> Int { isCausal ? min(keys, firstQuery + query + 1) : keys }

  /// The softmax of the first `count` of a row; the others become 0.
  private func softmax(_ row: UnsafeMutablePointer<Float>, _ count: Int, _ scale: Float) {
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
