import CClip

/// The sizes that determine, with kernels and threads, how a product is divided and its scratch.
struct ProductSize {
  let rows: Int
  let columns: Int
  let depth: Int
  var storage = CLIP_STORAGE_F32
  var left = LeftOperand.Kind.rows
  /// Whether the right operand is packed into scratch.
  var packsRight = false
}

/// How a product is divided among threads, and where its operands lie in scratch: first the right operand, if it is
/// packed for this product alone, then rows of the left.
///
/// Many rows are divided by rows: each piece packs a block of its rows into its own scratch and multiplies it with all
/// panels. Few rows are packed once; then panels and tiles are divided. Results do not depend on the division.
struct ProductPlan {
  /// The division of rows; nil if panels and tiles are divided.
  let cut: RowCut?
  let panels: Int
  let panelPieces: Int
  let tilePieces: Int
  let tiles: Int
  /// The number of pieces in which few rows are packed.
  let packPieces: Int
  /// Scratch floats of the right operand.
  let rightFloats: Int
  /// Floats of a packed block, and of the buffer in which its rows are gathered before packing.
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

  /// Scratch floats that suffice on one thread for a product of this size or with fewer rows, columns or depth.
  static func serialScratchFloats(_ size: ProductSize, _ kernels: Kernels) -> Int {
    let rows = min(size.rows, 2 * leastRowsOfPiece(kernels))
    return kernels.panelFloats(columns: size.columns, depth: size.depth)
      + kernels.packedFloats(rows, depth: size.depth, size.storage)
      + size.left.bufferFloats(rows: rows, depth: size.depth)
  }

  /// Where the packed rows of a piece begin. Without a division of rows all pieces share them.
  func packed(_ scratch: UnsafeMutablePointer<Float>, piece: Int) -> UnsafeMutablePointer<Float> {
    cut == nil ? scratch : scratch + piece * (packedFloats + bufferFloats)
  }

  func buffer(_ scratch: UnsafeMutablePointer<Float>, piece: Int) -> UnsafeMutablePointer<Float> {
    packed(scratch, piece: piece) + packedFloats + (cut == nil ? piece * bufferFloats : 0)
  }
}
