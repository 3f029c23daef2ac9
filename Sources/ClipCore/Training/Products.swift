import CClip
import CSystem

/// Matrix products whose operands change from call to call: packed each time, O(n k), for the kernels that
/// multiply, O(m n k). Every number is summed over depth in one order, so no result depends on the threads.
struct Products {
  let kernels: Kernels
  let threads: ThreadPool

  /// How the second operand lies: [n, depth], a row for each column of the result, or [depth, n].
  enum Order { case rows, columns }

  /// A matrix that somebody else owns, `stride` floats from row to row.
  struct Matrix {
    let data: UnsafePointer<Float>
    let stride: Int
  }

  /// A packed second operand.
  struct Packed {
    let memory: UnsafePointer<Float>
    let columns: Int
    let depth: Int
  }

  private static func panelWidth(_ kernels: Kernels) -> Int { max(1, Int(kernels.table.pointee.panel_width)) }

  private static func panelFloats(_ depth: Int, _ kernels: Kernels) -> Int {
    (kernels.table.pointee.panel_bytes?(depth, CLIP_STORAGE_F32) ?? 0) / 4
  }

  /// Floats that a packed operand of `columns` takes, a multiple of 16.
  static func packedFloats(_ columns: Int, _ depth: Int, _ kernels: Kernels) -> Int {
    let width = panelWidth(kernels)
    return (columns + width - 1) / width * panelFloats(depth, kernels)
  }

  /// Whether panels lie as `pack` writes those of order `columns`: [depth, panel width], then zeros.
  static func supports(_ kernels: Kernels) -> Bool {
    for depth in 1...16 where panelFloats(depth, kernels) != (depth * panelWidth(kernels) + 15) & ~15 { return false }
    return true
  }

  /// Packs panels [panels) of an operand for products by `multiply` on this thread.
  func pack(
    _ b: Matrix, _ order: Order, columns: Int, depth: Int, panels: Range<Int>, into target: UnsafeMutablePointer<Float>
  ) {
    let width = Products.panelWidth(kernels)
    let size = Products.panelFloats(depth, kernels)
    for panel in panels {
      let first = panel * width
      let count = min(width, columns - first)
      let place = target + panel * size
      if order == .rows {
        kernels.table.pointee.pack_panel?(b.data + first * b.stride, b.stride, count, depth, CLIP_STORAGE_F32, place)
        continue
      }
      for k in 0..<depth {
        let line = place + k * width
        memcpy(line, b.data + k * b.stride + first, count * 4)
        if count < width { memset(line + count, 0, (width - count) * 4) }
      }
      memset(place + depth * width, 0, (size - depth * width) * 4)
    }
  }

  /// Packs a whole operand on this thread.
  func packHere(
    _ b: Matrix, _ order: Order, columns: Int, depth: Int, into target: UnsafeMutablePointer<Float>
  ) -> Packed {
    let width = Products.panelWidth(kernels)
    pack(b, order, columns: columns, depth: depth, panels: 0..<((columns + width - 1) / width), into: target)
    return Packed(memory: UnsafePointer(target), columns: columns, depth: depth)
  }

  /// Packs a whole operand on the pool's threads.
  func pack(
    _ b: Matrix, _ order: Order, columns: Int, depth: Int, into target: UnsafeMutablePointer<Float>
  ) -> Packed {
    let width = Products.panelWidth(kernels)
    let panels = (columns + width - 1) / width
    let pieces = max(1, min(threads.width * 4, panels, columns * depth / 8192))
    threads.run(
      pieces, Packing(products: self, b: b, order: order, columns: columns, depth: depth, panels: panels, pieces: pieces, target: target))
    return Packed(memory: UnsafePointer(target), columns: columns, depth: depth)
  }

  private struct Packing: Work {
    let products: Products
    let b: Matrix
    let order: Order
    let columns: Int
    let depth: Int
    let panels: Int
    let pieces: Int
    let target: UnsafeMutablePointer<Float>

    func part(_ piece: Int) {
      products.pack(
        b, order, columns: columns, depth: depth, panels: (piece * panels / pieces)..<((piece + 1) * panels / pieces),
        into: target)
    }
  }

  /// c[rows, columns] = a b + bias, or c += a b, whole and without threads.
  func work(
    _ a: Matrix, _ b: Packed, _ c: UnsafeMutablePointer<Float>, cStride: Int, rows: Int, adding: Bool,
    bias: UnsafePointer<Float>? = nil
  ) -> clip_matmul {
    let width = Products.panelWidth(kernels)
    var work = clip_matmul()
    work.a = a.data
    work.a_stride = a.stride
    work.weights = UnsafeRawPointer(b.memory)
    work.storage = CLIP_STORAGE_F32
    work.c = c
    work.c_stride = cStride
    work.bias = bias
    if adding {
      work.residual = UnsafePointer(c)
      work.residual_stride = cStride
    }
    work.rows = rows
    work.columns = b.columns
    work.depth = b.depth
    work.panel_end = (b.columns + width - 1) / width
    return work
  }

  func multiplyHere(_ a: Matrix, _ b: Packed, _ c: UnsafeMutablePointer<Float>, cStride: Int, rows: Int, adding: Bool) {
    var work = work(a, b, c, cStride: cStride, rows: rows, adding: adding)
    kernels.table.pointee.matmul?(&work)
  }

  /// On the pool's threads.
  func multiply(
    _ a: Matrix, _ b: Packed, _ c: UnsafeMutablePointer<Float>, cStride: Int, rows: Int, adding: Bool,
    bias: UnsafePointer<Float>? = nil
  ) {
    let work = work(a, b, c, cStride: cStride, rows: rows, adding: adding, bias: bias)
    let panels = Int(work.panel_end)
    let wanted = threads.width <= 1 ? 1 : threads.width * 4
    let panelPieces = max(1, min(panels, wanted))
    let tile = max(1, Int(kernels.table.pointee.tile_rows))
    let rowPieces = max(1, min((wanted + panelPieces - 1) / panelPieces, rows / (4 * tile)))
    threads.run(
      rowPieces * panelPieces, Multiplying(work: work, rowPieces: rowPieces, panelPieces: panelPieces, kernels: kernels.table))
  }

  private struct Multiplying: Work {
    let work: clip_matmul
    let rowPieces: Int
    let panelPieces: Int
    let kernels: UnsafePointer<clip_kernels>

    func part(_ piece: Int) {
      var part = work
      let row = piece % rowPieces
      let panel = piece / rowPieces
      let first = row * work.rows / rowPieces
      part.rows = (row + 1) * work.rows / rowPieces - first
      part.a = work.a + first * work.a_stride
      part.c = work.c + first * work.c_stride
      part.residual = work.residual.map { $0 + first * work.residual_stride }
      part.panel_begin = panel * work.panel_end / panelPieces
      part.panel_end = (panel + 1) * work.panel_end / panelPieces
      kernels.pointee.matmul?(&part)
    }
  }

  // MARK: Transposing

  /// target[columns, rows] = a' for columns [columns) of a[rows, …], on this thread.
  func transposeHere(_ a: Matrix, rows: Int, columns: Range<Int>, into target: UnsafeMutablePointer<Float>) {
    var column = columns.lowerBound
    while column + 4 <= columns.upperBound {
      var row = 0
      while row + 4 <= rows {
        let source = a.data + row * a.stride + column
        let a0 = load4(source)
        let a1 = load4(source + a.stride)
        let a2 = load4(source + 2 * a.stride)
        let a3 = load4(source + 3 * a.stride)
        let place = target + column * rows + row
        store4(SIMD4(a0.x, a1.x, a2.x, a3.x), place)
        store4(SIMD4(a0.y, a1.y, a2.y, a3.y), place + rows)
        store4(SIMD4(a0.z, a1.z, a2.z, a3.z), place + 2 * rows)
        store4(SIMD4(a0.w, a1.w, a2.w, a3.w), place + 3 * rows)
        row += 4
      }
      while row < rows {
        for lane in 0..<4 { target[(column + lane) * rows + row] = a.data[row * a.stride + column + lane] }
        row += 1
      }
      column += 4
    }
    while column < columns.upperBound {
      for row in 0..<rows { target[column * rows + row] = a.data[row * a.stride + column] }
      column += 1
    }
  }

  @inline(__always) private func load4(_ source: UnsafePointer<Float>) -> SIMD4<Float> {
    UnsafeRawPointer(source).loadUnaligned(as: SIMD4<Float>.self)
  }

  @inline(__always) private func store4(_ value: SIMD4<Float>, _ target: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(target).storeBytes(of: value, as: SIMD4<Float>.self)
  }

  /// target[columns, rows] = a', on the pool's threads.
  func transpose(_ a: Matrix, rows: Int, columns: Int, into target: UnsafeMutablePointer<Float>) -> Matrix {
    let groups = (columns + 15) / 16
    let pieces = max(1, min(threads.width * 4, groups, rows * columns / 8192))
    threads.run(
      pieces, Transposing(products: self, a: a, rows: rows, columns: columns, groups: groups, pieces: pieces, target: target))
    return Matrix(data: UnsafePointer(target), stride: rows)
  }

  private struct Transposing: Work {
    let products: Products
    let a: Matrix
    let rows: Int
    let columns: Int
    let groups: Int
    let pieces: Int
    let target: UnsafeMutablePointer<Float>

    func part(_ piece: Int) {
      for group in (piece * groups / pieces)..<((piece + 1) * groups / pieces) {
        products.transposeHere(a, rows: rows, columns: (group * 16)..<min(columns, group * 16 + 16), into: target)
      }
    }
  }

  // MARK: The products of a layer y = x w' + b, w [features, depth]

  /// Rows that a weight's gradient takes at a time, whatever the threads.
  static let blockRows = 2048

  static func forwardFloats(_ features: Int, _ depth: Int, _ kernels: Kernels) -> Int {
    packedFloats(features, depth, kernels)
  }

  static func backwardFloats(rows: Int, _ features: Int, _ depth: Int, _ kernels: Kernels) -> Int {
    let block = min(rows, blockRows)
    return max(
      packedFloats(depth, features, kernels), packedFloats(depth, block, kernels) + (block * features + 15) & ~15)
  }

  /// y = x w' + b.
  func forward(
    _ x: Matrix, rows: Int, _ w: Matrix, features: Int, depth: Int, bias: UnsafePointer<Float>?,
    into y: UnsafeMutablePointer<Float>, stride: Int, _ scratch: UnsafeMutablePointer<Float>
  ) {
    let packed = pack(w, .rows, columns: features, depth: depth, into: scratch)
    multiply(x, packed, y, cStride: stride, rows: rows, adding: false, bias: bias)
  }

  /// dx += dy w, or dx = dy w.
  func backward(
    _ dy: Matrix, rows: Int, _ w: Matrix, features: Int, depth: Int, into dx: UnsafeMutablePointer<Float>, stride: Int,
    adding: Bool = true, _ scratch: UnsafeMutablePointer<Float>
  ) {
    let packed = pack(w, .columns, columns: depth, depth: features, into: scratch)
    multiply(dy, packed, dx, cStride: stride, rows: rows, adding: adding)
  }

  /// dw += dy' x.
  func weights(
    _ dy: Matrix, _ x: Matrix, rows: Int, features: Int, depth: Int, into dw: UnsafeMutablePointer<Float>,
    _ scratch: UnsafeMutablePointer<Float>
  ) {
    var first = 0
    while first < rows {
      let count = min(Products.blockRows, rows - first)
      let turned = transpose(
        Matrix(data: dy.data + first * dy.stride, stride: dy.stride), rows: count, columns: features, into: scratch)
      let packed = pack(
        Matrix(data: x.data + first * x.stride, stride: x.stride), .columns, columns: depth, depth: count,
        into: scratch + (count * features + 15) & ~15)
      multiply(turned, packed, dw, cStride: depth, rows: features, adding: true)
      first += count
    }
  }
}
