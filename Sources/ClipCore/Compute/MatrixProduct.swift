import CClip

/// C = after(activation(A B' + bias) + residual), where A has `rows` rows. Each element of C is summed over depth in
/// one fixed order, for any operand kinds and number of threads.
struct MatrixProduct {
  let left: LeftOperand
  let right: RightOperand
  let rows: Int
  /// The first element of C, and floats from row to row.
  let output: UnsafeMutablePointer<Float>
  let stride: Int
  var activation = CLIP_IDENTITY
  var bias: UnsafePointer<Float>?
  /// The first element of a matrix with C's stride; may be C itself.
  var residual: UnsafePointer<Float>?
  /// Applied to the sum with the residual.
  var after = CLIP_IDENTITY

  var size: ProductSize {
    ProductSize(
      rows: rows, columns: right.columns, depth: right.depth, storage: right.storage, left: left.kind,
      packsRight: right.isPackedForOneProduct)
  }
}

extension Executor {
  /// Floats of scratch for a product of this size.
  func scratchFloats(_ size: ProductSize) -> Int { ProductPlan(size, kernels, threads: width).scratchFloats }

  /// `scratch` has `scratchFloats` floats.
  func multiply(_ product: MatrixProduct, _ scratch: UnsafeMutablePointer<Float>) {
    multiply(product, ProductPlan(product.size, kernels, threads: width), scratch)
  }

  /// Computes the product with an existing plan.
  @inline(never)
  func multiply(_ product: MatrixProduct, _ plan: ProductPlan, _ scratch: UnsafeMutablePointer<Float>) {
    var work = clip_matmul()
    work.storage = product.right.storage
    work.activation = product.activation
    work.after = product.after
    work.c = product.output
    work.c_stride = product.stride
    work.bias = product.bias
    work.residual = product.residual
    work.residual_stride = product.stride
    work.rows = product.rows
    work.columns = product.right.columns
    work.depth = product.right.depth
    work.panel_end = plan.panels

    let rows = scratch + plan.rightFloats
    let pieces = ProductPieces(kernels: kernels, plan: plan, left: product.left, work: work, scratch: rows)
    switch product.right {
    case .packed(let panels):
      pieces.run(self, panels.base)
    case .matrix(let matrix, let order, let columns, let depth):
      pack(matrix, order, columns: columns, depth: depth, into: scratch)
      pieces.run(self, UnsafeRawPointer(scratch))
    case .file(let panels, let failures, let index):
      run(plan.packPieces, RowPacking(product: pieces))
      let reading = PanelReading(
        product: pieces, panels: panels, pieces: width, failures: failures, index: index)
      withExtendedLifetime(panels) { run(width, reading) }
    }
  }
}

/// The data that all pieces of a product share.
private struct ProductPieces {
  unowned(unsafe) let kernels: Kernels
  let plan: ProductPlan
  let left: LeftOperand
  /// The product without A.
  var work: clip_matmul
  let scratch: UnsafeMutablePointer<Float>

  /// Multiplies with packed panels.
  func run(_ executor: Executor, _ panels: UnsafeRawPointer) {
    var product = self
    product.work.weights = panels
    if let cut = plan.cut {
      executor.run(cut.pieces, BlockMultiplying(product: product, cut: cut))
    } else {
      executor.run(plan.packPieces, RowPacking(product: product))
      executor.run(plan.panelPieces * plan.tilePieces, PanelMultiplying(product: product))
    }
  }

  func pack(_ rows: Range<Int>, of block: Range<Int>, piece: Int, into packed: UnsafeMutablePointer<Float>) {
    left.pack(
      rows, of: block, depth: work.depth, work.storage, kernels, plan.buffer(scratch, piece: piece), into: packed)
  }
}

/// A piece is some rows, packed block by block and multiplied with all panels.
private struct BlockMultiplying: Work {
  let product: ProductPieces
  let cut: RowCut

  func part(_ piece: Int) {
    let packed = product.plan.packed(product.scratch, piece: piece)
    cut.forEachBlock(piece) { rows in
      product.pack(rows, of: rows, piece: piece, into: packed)
      var work = product.work
      work.a = UnsafePointer(packed)
      work.rows = rows.count
      work.c += rows.lowerBound * work.c_stride
      work.residual = work.residual.map { $0 + rows.lowerBound * work.residual_stride }
      work.tile_end = product.kernels.tiles(rows.count)
      product.kernels.table.pointee.matmul(&work)
    }
  }
}

/// A piece is some rows, packed for all pieces of PanelMultiplying.
private struct RowPacking: Work {
  let product: ProductPieces

  func part(_ piece: Int) {
    let rows = product.work.rows
    product.pack(
      rows.share(piece, of: product.plan.packPieces), of: 0..<rows, piece: piece,
      into: product.plan.packed(product.scratch, piece: 0))
  }
}

/// A piece is some panels and some tiles of the packed rows.
private struct PanelMultiplying: Work {
  let product: ProductPieces

  func part(_ piece: Int) {
    let plan = product.plan
    let tiles = plan.tiles.share(piece % plan.tilePieces, of: plan.tilePieces)
    let panels = plan.panels.share(piece / plan.tilePieces, of: plan.panelPieces)
    var work = product.work
    work.a = UnsafePointer(plan.packed(product.scratch, piece: 0))
    work.tile_begin = tiles.lowerBound
    work.tile_end = tiles.upperBound
    work.panel_begin = panels.lowerBound
    work.panel_end = panels.upperBound
    product.kernels.table.pointee.matmul(&work)
  }
}

/// A piece is some panels, each read from the file, packed and multiplied with all packed rows.
private struct PanelReading: Work {
  let product: ProductPieces
  unowned(unsafe) let panels: WeightPanels
  let pieces: Int
  unowned(unsafe) let failures: Failures
  let index: Int

  func part(_ piece: Int) {
    do throws(ClipError) {
      let buffer = PanelBuffer()
      let panel = try Memory(byteCount: panels.bytes, for: "a panel")
      var work = product.work
      work.a = UnsafePointer(product.plan.packed(product.scratch, piece: 0))
      work.tile_end = product.plan.tiles
      for index in panels.count.share(piece, of: pieces) {
        try panels.make(index, buffer, at: panel.base)
        // Kernels address panels from panel 0.
        work.weights = UnsafeRawPointer(panel.base) - index * panels.bytes
        work.panel_begin = index
        work.panel_end = index + 1
        product.kernels.table.pointee.matmul(&work)
      }
    } catch {
      failures.record(error, index)
    }
  }
}
