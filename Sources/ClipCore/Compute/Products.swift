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
    /// A first operand that lies [depth, rows] and not [rows, depth].
    var isTurned = false
  }

  /// A packed second operand; behind it, room to pack rows of the first.
  struct Packed {
    let memory: UnsafePointer<Float>
    let columns: Int
    let depth: Int
    let rows: UnsafeMutablePointer<Float>
  }

  /// Floats of a packed block of rows, and of that with room to turn the block beside it.
  private static func blockFloats(_ rows: Int, _ depth: Int, isTurned: Bool, _ kernels: Kernels) -> (
    packed: Int, all: Int
  ) {
    let packed = kernels.packedFloats(rows, depth: depth, CLIP_STORAGE_F32)
    return (packed, packed + (isTurned ? (rows * depth + 15) & ~15 : 0))
  }

  /// Floats that the first operand's rows take beside a packed second one, for any depth up to `depth`: a shallower
  /// block may have more rows.
  static func rowFloats(_ rows: Int, _ depth: Int, _ kernels: Kernels, isTurned: Bool = false, here: Bool = false)
    -> Int
  {
    let shallow = min(depth, RowCut.blockNumbers / RowCut.mostBlockRows + 1)
    let floats = max(
      blockFloats(min(rows, RowCut.mostBlockRows(depth, kernels)), depth, isTurned: isTurned, kernels).all,
      blockFloats(min(rows, RowCut.mostBlockRows), shallow, isTurned: isTurned, kernels).all)
    return floats * RowCut.mostPieces(threads: here ? 1 : kernels.threads)
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

  /// Packs a whole operand on this thread.
  func packHere(
    _ b: Matrix, _ order: Order, columns: Int, depth: Int, into target: UnsafeMutablePointer<Float>
  ) -> Packed {
    let packing = Packing(products: self, b: b, order: order, columns: columns, depth: depth, pieces: 1, target: target)
    packing.part(0)
    return packing.packed
  }

  /// Packs a whole operand on the pool's threads.
  func pack(
    _ b: Matrix, _ order: Order, columns: Int, depth: Int, into target: UnsafeMutablePointer<Float>
  ) -> Packed {
    let lines = order == .rows ? (columns + Products.panelWidth(kernels) - 1) / Products.panelWidth(kernels) : depth
    let pieces = max(1, min(threads.width * 4, lines, columns * depth / 8192))
    let packing = Packing(
      products: self, b: b, order: order, columns: columns, depth: depth, pieces: pieces, target: target)
    threads.run(pieces, packing)
    return packing.packed
  }

  /// A piece is some panels or, of an operand [depth, n], some of its rows.
  private struct Packing: Work {
    let products: Products
    let b: Matrix
    let order: Order
    let columns: Int
    let depth: Int
    let pieces: Int
    let target: UnsafeMutablePointer<Float>

    var packed: Packed {
      Packed(
        memory: UnsafePointer(target), columns: columns, depth: depth,
        rows: target + Products.packedFloats(columns, depth, products.kernels))
    }

    func part(_ piece: Int) {
      let width = Products.panelWidth(products.kernels)
      let size = Products.panelFloats(depth, products.kernels)
      let panels = (columns + width - 1) / width
      guard order == .rows else { return copyRows(depth.share(piece, of: pieces), width, size) }
      for panel in panels.share(piece, of: pieces) {
        let first = panel * width
        products.kernels.table.pointee.pack_panel?(
          b.data + first * b.stride, b.stride, min(width, columns - first), depth, CLIP_STORAGE_F32,
          target + panel * size)
      }
    }

    /// Row by row through a few panels, so that memory is read in long stretches. The last row's piece ends the
    /// panels with zeros.
    private func copyRows(_ rows: Range<Int>, _ width: Int, _ size: Int) {
      let columnsAtOnce = max(1, 768 / width) * width
      var start = 0
      while start < columns {
        let end = min(columns, start + columnsAtOnce)
        for k in rows {
          let line = b.data + k * b.stride
          var place = target + start / width * size + k * width
          for first in stride(from: start, to: end, by: width) {
            let count = min(width, end - first)
            memcpy(place, line + first, count * 4)
            if count < width { memset(place + count, 0, (width - count) * 4) }
            place += size
          }
        }
        start = end
      }
      guard rows.upperBound == depth, size > depth * width else { return }
      for first in stride(from: 0, to: columns, by: width) {
        memset(target + first / width * size + depth * width, 0, (size - depth * width) * 4)
      }
    }
  }

  /// c[rows, columns] = a b, or c += a b, on this thread.
  func multiplyHere(_ a: Matrix, _ b: Packed, _ c: UnsafeMutablePointer<Float>, cStride: Int, rows: Int, adding: Bool) {
    let cut = RowCut(rows: rows, depth: b.depth, threads: 1, kernels)
    Multiplying(
      products: self, a: a, b: b, c: c, cStride: cStride, rows: rows, adding: adding, bias: nil, cut: cut
    ).part(0)
  }

  /// c[rows, columns] = a b + bias, or c += a b, on the pool's threads.
  func multiply(
    _ a: Matrix, _ b: Packed, _ c: UnsafeMutablePointer<Float>, cStride: Int, rows: Int, adding: Bool,
    bias: UnsafePointer<Float>? = nil
  ) {
    let cut = RowCut(rows: rows, depth: b.depth, threads: kernels.threads, kernels)
    threads.run(
      cut.pieces,
      Multiplying(products: self, a: a, b: b, c: c, cStride: cStride, rows: rows, adding: adding, bias: bias, cut: cut))
  }

  private struct Multiplying: Work {
    let products: Products
    let a: Matrix
    let b: Packed
    let c: UnsafeMutablePointer<Float>
    let cStride: Int
    let rows: Int
    let adding: Bool
    let bias: UnsafePointer<Float>?
    let cut: RowCut

    func part(_ piece: Int) {
      let kernels = products.kernels
      let width = Products.panelWidth(kernels)
      let floats = Products.blockFloats(cut.blockRows, b.depth, isTurned: a.isTurned, kernels)
      let packed = b.rows + piece * floats.all
      cut.forEachBlock(piece) { rows in
        let block =
          a.isTurned
          ? turn(rows, into: packed + floats.packed)
          : Matrix(data: a.data + rows.lowerBound * a.stride, stride: a.stride)
        kernels.packRows(
          block.data, stride: block.stride, rows, of: rows, depth: b.depth, CLIP_STORAGE_F32, packed)
        var work = clip_matmul()
        work.a = UnsafePointer(packed)
        work.weights = UnsafeRawPointer(b.memory)
        work.storage = CLIP_STORAGE_F32
        work.c = c + rows.lowerBound * cStride
        work.c_stride = cStride
        work.bias = bias
        if adding {
          work.residual = UnsafePointer(c + rows.lowerBound * cStride)
          work.residual_stride = cStride
        }
        work.rows = rows.count
        work.columns = b.columns
        work.depth = b.depth
        work.tile_end = kernels.tiles(rows.count)
        work.panel_end = (b.columns + width - 1) / width
        kernels.table.pointee.matmul?(&work)
      }
    }

    /// Some columns of what lies, as rows.
    private func turn(_ columns: Range<Int>, into turned: UnsafeMutablePointer<Float>) -> Matrix {
      products.transposeHere(
        Matrix(data: a.data + columns.lowerBound, stride: a.stride), rows: b.depth, columns: 0..<columns.count,
        into: turned)
      return Matrix(data: UnsafePointer(turned), stride: b.depth)
    }
  }

  // MARK: Transposing

  /// target[columns, rows] = a' for columns [columns) of a[rows, …], on this thread; some rows at a time, which stay
  /// in the first cache.
  func transposeHere(_ a: Matrix, rows: Int, columns: Range<Int>, into target: UnsafeMutablePointer<Float>) {
    for start in stride(from: 0, to: rows, by: 64) {
      transpose(a, start..<min(rows, start + 64), of: rows, columns, into: target)
    }
  }

  private func transpose(
    _ a: Matrix, _ part: Range<Int>, of rows: Int, _ columns: Range<Int>, into target: UnsafeMutablePointer<Float>
  ) {
    var column = columns.lowerBound
    while column + 4 <= columns.upperBound {
      var row = part.lowerBound
      while row + 4 <= part.upperBound {
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
      while row < part.upperBound {
        for lane in 0..<4 { target[(column + lane) * rows + row] = a.data[row * a.stride + column + lane] }
        row += 1
      }
      column += 4
    }
    while column < columns.upperBound {
      for row in part { target[column * rows + row] = a.data[row * a.stride + column] }
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
      pieces,
      Transposing(products: self, a: a, rows: rows, columns: columns, groups: groups, pieces: pieces, target: target))
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
      for group in groups.share(piece, of: pieces) {
        products.transposeHere(a, rows: rows, columns: (group * 16)..<min(columns, group * 16 + 16), into: target)
      }
    }
  }

  // MARK: The products of a layer y = x w' + b, w [features, depth]

  /// Rows that a weight's gradient takes at a time, whatever the threads.
  static let blockRows = 2048

  static func forwardFloats(rows: Int, _ features: Int, _ depth: Int, _ kernels: Kernels) -> Int {
    packedFloats(features, depth, kernels) + rowFloats(rows, depth, kernels)
  }

  static func backwardFloats(rows: Int, _ features: Int, _ depth: Int, _ kernels: Kernels) -> Int {
    let block = min(rows, blockRows)
    return max(
      packedFloats(depth, features, kernels) + rowFloats(rows, features, kernels),
      packedFloats(depth, block, kernels) + rowFloats(features, block, kernels, isTurned: true))
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

  /// dw += dy' x, or dw = dy' x.
  func weights(
    _ dy: Matrix, _ x: Matrix, rows: Int, features: Int, depth: Int, into dw: UnsafeMutablePointer<Float>,
    adding: Bool = true, _ scratch: UnsafeMutablePointer<Float>
  ) {
    var first = 0
    while first < rows {
      let count = min(Products.blockRows, rows - first)
      let packed = pack(
        Matrix(data: x.data + first * x.stride, stride: x.stride), .columns, columns: depth, depth: count, into: scratch
      )
      multiply(
        Matrix(data: dy.data + first * dy.stride, stride: dy.stride, isTurned: true), packed, dw, cStride: depth,
        rows: features, adding: adding || first > 0)
      first += count
    }
  }
}
