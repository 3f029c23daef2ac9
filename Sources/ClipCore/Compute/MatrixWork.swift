import CClip

/// How the product of some rows with a packed matrix is cut for the threads, and the scratch that takes.
///
/// Many rows are cut by rows: each piece packs a block of its rows into scratch of its own and multiplies it with the
/// whole matrix. Few rows are packed once, and the matrix is cut. Neither changes a number.
struct ProductPlan {
  let rows: Int
  let depth: Int
  let storage: clip_storage
  /// Where rows are cut; nil where the matrix is.
  let cut: RowCut?
  let panelPieces: Int
  let tilePieces: Int
  let tiles: Int
  /// Floats of a packed block, and of the line that an op makes a row in before it is packed.
  private let packedFloats: Int
  private let lineFloats: Int

  init(rows: Int, depth: Int, panels: Int, storage: clip_storage, needsLine: Bool, _ kernels: Kernels) {
    let threads = kernels.threads
    self.rows = rows
    self.depth = depth
    self.storage = storage
    let byRows = min(4 * threads, rows / max(RowCut.leastRows, kernels.tileRows))
    cut = byRows >= 2 * threads || byRows > panels ? RowCut(rows: rows, depth: depth, threads: threads, kernels) : nil
    tiles = kernels.tiles(rows)
    panelPieces = threads == 1 ? 1 : max(1, min(panels, 8 * threads))
    tilePieces = threads == 1 ? 1 : max(1, min(tiles, 2 * threads / panelPieces))
    packedFloats = kernels.packedFloats(cut?.blockRows ?? rows, depth: depth, storage)
    lineFloats = needsLine ? (depth + 15) & ~15 : 0
  }

  /// Pieces in which few rows are packed.
  var packPieces: Int { rows <= 16 ? 1 : max(1, min(panelPieces, rows / 8)) }

  var scratchFloats: Int {
    cut.map { $0.pieces * (packedFloats + lineFloats) } ?? packedFloats + packPieces * lineFloats
  }

  func packed(_ scratch: UnsafeMutablePointer<Float>, piece: Int) -> UnsafeMutablePointer<Float> {
    cut == nil ? scratch : scratch + piece * (packedFloats + lineFloats)
  }

  func line(_ scratch: UnsafeMutablePointer<Float>, piece: Int) -> UnsafeMutablePointer<Float> {
    packed(scratch, piece: piece) + packedFloats + (cut == nil ? piece * lineFloats : 0)
  }
}

extension Run {
  /// The product of `op`'s rows with `weights`, which makes the columns from `firstColumn` of its output.
  @inline(never)
  func multiply(_ op: MatrixProduct, _ weights: PackedMatrix, group: Int = 0, firstColumn: Int = 0) {
    let plan = op.plan(weights, rows: output.rows, kernels)
    var work = clip_matmul()
    op.describe(&work, self, weights, firstColumn)
    let product = Product(op: op, run: self, plan: plan, work: work, group: group)
    if plan.cut == nil, let panels = weights.firstUse() {
      threads.run(plan.packPieces, Packing(product: product))
      withExtendedLifetime(panels) {
        threads.run(threads.width, FilePieces(product: product, panels: panels, pieces: threads.width))
      }
      return
    }
    do throws(ClipError) { try weights.makeReady(threads) } catch {
      failures?.record(error, node)
      return
    }
    if let cut = plan.cut {
      threads.run(cut.pieces, RowPieces(product: product, cut: cut))
    } else {
      threads.run(plan.packPieces, Packing(product: product))
      threads.run(plan.panelPieces * plan.tilePieces, PanelPieces(product: product))
    }
  }
}

private struct Product {
  unowned(unsafe) let op: MatrixProduct
  let run: Run
  let plan: ProductPlan
  let work: clip_matmul
  let group: Int
}

/// A share of the rows, block by block, with the whole matrix.
private struct RowPieces: Work {
  let product: Product
  let cut: RowCut

  func part(_ piece: Int) {
    let plan = product.plan
    let packed = plan.packed(product.run.scratch, piece: piece)
    let line = plan.line(product.run.scratch, piece: piece)
    cut.forEachBlock(piece) { rows in
      product.op.packRows(product.run, rows, of: rows, group: product.group, line: line, into: packed)
      var work = product.work
      work.a = UnsafePointer(packed)
      work.rows = rows.count
      work.c = work.c.map { $0 + rows.lowerBound * work.c_stride }
      work.residual = work.residual.map { $0 + rows.lowerBound * work.residual_stride }
      work.tile_end = product.run.kernels.tiles(rows.count)
      product.run.kernels.table.pointee.matmul?(&work)
    }
  }
}

/// A share of the rows, packed for all pieces of the matrix.
private struct Packing: Work {
  let product: Product

  func part(_ piece: Int) {
    let plan = product.plan
    let rows = plan.rows.share(piece, of: plan.packPieces)
    product.op.packRows(
      product.run, rows, of: 0..<plan.rows, group: product.group,
      line: plan.line(product.run.scratch, piece: piece), into: plan.packed(product.run.scratch, piece: 0))
  }
}

/// Some panels of the matrix with some tiles of the packed rows.
private struct PanelPieces: Work {
  let product: Product

  func part(_ piece: Int) {
    let plan = product.plan
    let tile = piece % plan.tilePieces
    let panel = piece / plan.tilePieces
    var work = product.work
    work.a = UnsafePointer(plan.packed(product.run.scratch, piece: 0))
    work.tile_begin = tile * plan.tiles / plan.tilePieces
    work.tile_end = (tile + 1) * plan.tiles / plan.tilePieces
    work.panel_begin = panel * work.panel_end / plan.panelPieces
    work.panel_end = (panel + 1) * product.work.panel_end / plan.panelPieces
    product.run.kernels.table.pointee.matmul?(&work)
  }
}

/// Some panels of a matrix that is still in its file, made one by one, with all packed rows.
private struct FilePieces: Work {
  let product: Product
  unowned(unsafe) let panels: MatrixPanels
  let pieces: Int

  func part(_ piece: Int) {
    do throws(ClipError) {
      var buffer = PanelBuffer()
      let made = try Memory(byteCount: panels.bytes, for: "a panel")
      var work = product.work
      work.a = UnsafePointer(product.plan.packed(product.run.scratch, piece: 0))
      work.tile_end = product.plan.tiles
      for panel in panels.count.share(piece, of: pieces) {
        try panels.make(panel, &buffer, at: made.base)
        // Panels are numbered from the first.
        work.weights = UnsafeRawPointer(made.base) - panel * panels.bytes
        work.panel_begin = panel
        work.panel_end = panel + 1
        product.run.kernels.table.pointee.matmul?(&work)
      }
    } catch {
      product.run.failures?.record(error, product.run.node)
    }
  }
}
