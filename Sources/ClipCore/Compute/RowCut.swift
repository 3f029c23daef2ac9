/// How the rows of a product's left operand are divided into pieces for the threads, and each piece into blocks that
/// are packed at a time and stay in the L2 cache. Results do not depend on it.
///
/// Of many rows three quarters are in large pieces and the rest in small ones, so that no thread waits long for the
/// last piece.
struct RowCut {
  let rows: Int
  let pieces: Int
  /// The number of large pieces, each four times a small one. They come first.
  private let largePieces: Int
  /// The most rows of a block.
  let blockRows: Int

  /// The fewest rows of a piece: with fewer, reading the right operand once more costs more than it saves.
  static let leastRows = 48
  private static let mostBlockRows = 72
  /// The approximate number of elements of a block.
  private static let blockElements = 96 << 10

  /// `tileRows` is the most rows that a kernel multiplies at a time.
  init(rows: Int, depth: Int, threads: Int, tileRows: Int) {
    self.rows = rows
    if threads > 1, rows / (16 * threads) >= RowCut.leastRows {
      largePieces = 3 * threads
      pieces = 7 * threads
    } else {
      largePieces = 0
      let few = min(threads, rows / tileRows)
      pieces = threads <= 1 ? 1 : max(1, few, min(4 * threads, rows / RowCut.leastRows))
    }
    let parts = 3 * largePieces + pieces
    let largest = largePieces > 0 ? (4 * rows + parts - 1) / parts : (rows + parts - 1) / parts
    let fitting = min(RowCut.mostBlockRows, RowCut.blockElements / max(1, depth)) / tileRows * tileRows
    blockRows = max(1, min(max(2 * tileRows, fitting), largest))
  }

  private func start(_ piece: Int) -> Int { rows * (piece + 3 * min(piece, largePieces)) / (pieces + 3 * largePieces) }

  /// Calls `body` with each block of a piece.
  func forEachBlock(_ piece: Int, _ body: (Range<Int>) -> Void) {
    let first = start(piece)
    let count = start(piece + 1) - first
    let blocks = (count + blockRows - 1) / blockRows
    for block in 0..<blocks { body((first + block * count / blocks)..<(first + (block + 1) * count / blocks)) }
  }
}
