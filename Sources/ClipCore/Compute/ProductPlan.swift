import CClip

/// What decides, with kernels and threads, how a product is cut and how much scratch it takes.
struct ProductSize {
  let rows: Int
  let columns: Int
  let depth: Int
  var storage = CLIP_STORAGE_F32
  var left = LeftOperand.Kind.rows
  /// Whether the right operand is packed into scratch.
  var packsRight = false
}

/// How a product is cut for the threads, and where its operands lie in scratch: the right operand where it is packed for
/// this product alone, then rows of the left.
///
/// Many rows are cut by rows: each piece packs a block of its rows into scratch of its own and multiplies it with all
/// panels. Few rows are packed once, and panels and tiles are cut. Results do not depend on it.
struct ProductPlan {
  /// Where rows are cut; nil if panels and tiles are.
  let cut: RowCut?
  let panels: Int
  let panelPieces: Int
  let tilePieces: Int
  let tiles: Int
  /// Pieces in which few rows are packed.
  let packPieces: Int
  /// Floats of the right operand in scratch.
  let rightFloats: Int
  /// Floats of a packed block, and of the buffer in which its rows are made before they are packed.
  private let packedFloats: Int
  private let bufferFloats: Int

  init(_ size: ProductSize, _ kernels: Kernels, threads: Int) {
    let rows = size.rows
    panels = kernels.panels(size.columns)
    let byRows = min(4 * threads, rows / ProductPlan.leastRowsOfPiece(kernels))
    cut =
      byRows >= 2 * threads || byRows > panels
      ? RowCut(rows: rows, depth: size.depth, threads: threads, tileRows: kernels.tileRows) : nil
    tiles = kernels.tiles(rows)
    panelPieces = threads == 1 ? 1 : max(1, min(panels, 8 * threads))
    tilePieces = threads == 1 ? 1 : max(1, min(tiles, 2 * threads / panelPieces))
    packPieces = rows <= 16 ? 1 : max(1, min(panelPieces, rows / 8))
    rightFloats = size.packsRight ? kernels.panelFloats(columns: size.columns, depth: size.depth) : 0
    packedFloats = kernels.packedFloats(cut?.blockRows ?? rows, depth: size.depth, size.storage)
    bufferFloats = size.left.bufferFloats(
      rows: cut?.blockRows ?? (rows + packPieces - 1) / packPieces, depth: size.depth)
  }

  private static func leastRowsOfPiece(_ kernels: Kernels) -> Int { max(RowCut.leastRows, kernels.tileRows) }

  var scratchFloats: Int {
    rightFloats + (cut.map { $0.pieces * (packedFloats + bufferFloats) } ?? packedFloats + packPieces * bufferFloats)
  }

  /// Scratch that is enough on one thread for a product of this size, and for any with fewer rows, columns or depth.
  static func serialScratchFloats(_ size: ProductSize, _ kernels: Kernels) -> Int {
    let rows = min(size.rows, 2 * leastRowsOfPiece(kernels))
    return kernels.panelFloats(columns: size.columns, depth: size.depth)
      + kernels.packedFloats(rows, depth: size.depth, size.storage)
      + size.left.bufferFloats(rows: rows, depth: size.depth)
  }

  /// Where a piece's packed rows begin; those of a plan without a row cut are shared.
  func packed(_ scratch: UnsafeMutablePointer<Float>, piece: Int) -> UnsafeMutablePointer<Float> {
    cut == nil ? scratch : scratch + piece * (packedFloats + bufferFloats)
  }

  func buffer(_ scratch: UnsafeMutablePointer<Float>, piece: Int) -> UnsafeMutablePointer<Float> {
    packed(scratch, piece: piece) + packedFloats + (cut == nil ? piece * bufferFloats : 0)
  }
}
