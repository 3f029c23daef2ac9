import CClip
import CSystem

/// The right operand B [columns, depth] of a product. Its rows correspond to the columns of C.
enum RightOperand {
  /// Packed panels in memory, made once for many products.
  case packed(Panels)
  /// A matrix in memory, packed for this product only.
  case matrix(Matrix, MatrixOrder, columns: Int, depth: Int)
  /// Weights in their file: a piece reads and packs its panels one by one. Errors are recorded under `index`.
  case file(WeightPanels, Failures, index: Int)

  var columns: Int {
    switch self {
    case .packed(let panels): panels.columns
    case .matrix(_, _, let columns, _): columns
    case .file(let panels, _, _): panels.columns
    }
  }

  var depth: Int {
    switch self {
    case .packed(let panels): panels.depth
    case .matrix(_, _, _, let depth): depth
    case .file(let panels, _, _): panels.depth
    }
  }

  var storage: clip_storage {
    switch self {
    case .packed(let panels): panels.storage
    case .matrix: CLIP_STORAGE_F32
    case .file(let panels, _, _): panels.storage
    }
  }

  var isPackedForOneProduct: Bool {
    if case .matrix = self { return true }
    return false
  }
}

/// The order of a right operand in memory: `rows` is [columns, depth], `transposed` [depth, columns].
enum MatrixOrder { case rows, transposed }

/// Packed panels, which their owner keeps alive.
struct Panels {
  let base: UnsafeRawPointer
  let columns: Int
  let depth: Int
  let storage: clip_storage
}

extension Kernels {
  var panelWidth: Int { max(1, Int(table.pointee.panel_width)) }

  /// The number of panels of a matrix with `columns` columns.
  func panels(_ columns: Int) -> Int { (columns + panelWidth - 1) / panelWidth }

  fileprivate func panelFloats(_ depth: Int) -> Int { table.pointee.panel_bytes(depth, CLIP_STORAGE_F32) / 4 }

  /// The size of all panels in float32, in floats: a multiple of 16.
  func panelFloats(columns: Int, depth: Int) -> Int { panels(columns) * panelFloats(depth) }

  /// Whether a float32 panel is [depth, panel width], then zeros: the layout that `pack` writes for a transposed
  /// matrix.
  var hasPlainPanels: Bool {
    for depth in 1...16 where panelFloats(depth) != (depth * panelWidth + 15) & ~15 { return false }
    return true
  }
}

extension Executor {
  /// Packs a whole matrix as float32.
  func pack(
    _ matrix: Matrix, _ order: MatrixOrder, columns: Int, depth: Int, into target: UnsafeMutablePointer<Float>
  ) {
    let lines = order == .rows ? kernels.panels(columns) : depth
    let pieces = threads == nil ? 1 : max(1, min(width * 4, lines, columns * depth / 8192))
    run(
      pieces,
      PanelPacking(
        kernels: kernels, matrix: matrix, order: order, columns: columns, depth: depth, pieces: pieces, target: target))
  }
}

/// A piece is some panels or, of a transposed matrix, some of its rows.
private struct PanelPacking: Work {
  unowned(unsafe) let kernels: Kernels
  let matrix: Matrix
  let order: MatrixOrder
  let columns: Int
  let depth: Int
  let pieces: Int
  let target: UnsafeMutablePointer<Float>

  func part(_ piece: Int) {
    let width = kernels.panelWidth
    let size = kernels.panelFloats(depth)
    guard order == .rows else { return copyRows(depth.share(piece, of: pieces), width, size) }
    for panel in kernels.panels(columns).share(piece, of: pieces) {
      let first = panel * width
      kernels.table.pointee.pack_panel(
        matrix.data + first * matrix.stride, matrix.stride, min(width, columns - first), depth, CLIP_STORAGE_F32,
        target + panel * size)
    }
  }

  /// Copies row by row into a few panels at a time, so that memory is read in long runs. The piece with the last row
  /// writes the zeros at the ends of panels.
  private func copyRows(_ rows: Range<Int>, _ width: Int, _ size: Int) {
    let columnsAtOnce = max(1, 768 / width) * width
    var start = 0
    while start < columns {
      let end = min(columns, start + columnsAtOnce)
      for k in rows {
        let line = matrix.data + k * matrix.stride
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
