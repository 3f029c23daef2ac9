import CClip

/// A value in memory: rows x width, dense.
struct Tensor {
  let data: UnsafeMutablePointer<Float>
  let rows: Int
  let width: Int
}

/// What an op sees while it runs: its inputs, where its output goes, and the threads.
struct Run {
  let batch: Batch
  let kernels: Kernels
  let threads: ThreadPool
  let scratch: UnsafeMutablePointer<Float>
  unowned(unsafe) let program: Program
  let arena: UnsafeMutablePointer<Float>
  let offsets: UnsafePointer<Int>
  let node: Int

  var output: Tensor { tensor(node) }
  func input(_ index: Int) -> Tensor { tensor(program.nodes[node].inputs[index]) }
  func inputShape(_ index: Int) -> Shape { program.nodes[program.nodes[node].inputs[index]].shape }

  private func tensor(_ node: Int) -> Tensor {
    let shape = program.nodes[node].shape
    return Tensor(data: arena + offsets[program.slots[node]], rows: batch.totalRows(shape.rows), width: shape.width)
  }

  /// Runs `body` over parts of [0, count) of at least `grain`, on the pool's threads.
  func parallel(_ count: Int, grain: Int, _ body: (Range<Int>) -> Void) {
    let pieces = max(1, min(threads.width * 4, count / max(1, grain)))
    parallelPieces(pieces) { piece in
      body((piece * count / pieces)..<((piece + 1) * count / pieces))
    }
  }

  func parallelPieces(_ pieces: Int, _ body: (Int) -> Void) {
    if pieces <= 1 || threads.width <= 1 {
      for piece in 0..<pieces { body(piece) }
    } else {
      threads.run(pieces, body)
    }
  }

  /// The whole of `work` (all rows, all panels), cut over rows and panels. Each number is made
  /// the same way wherever the cuts fall.
  func multiply(_ work: clip_matmul, tileRows: Int) {
    let panels = work.panel_end
    let pieces = cut(rows: work.rows, panels: panels, tileRows: max(1, tileRows))
    parallelPieces(pieces.rows * pieces.panels) { piece in
      var part = work
      let row = piece % pieces.rows
      let panel = piece / pieces.rows
      let first = row * work.rows / pieces.rows
      part.rows = (row + 1) * work.rows / pieces.rows - first
      part.a = work.a + first * work.a_stride
      part.c = work.c + first * work.c_stride
      part.residual = work.residual.map { $0 + first * work.residual_stride }
      part.panel_begin = panel * panels / pieces.panels
      part.panel_end = (panel + 1) * panels / pieces.panels
      self.kernels.table.pointee.matmul?(&part)
    }
  }

  /// Cuts so that each thread gets a few pieces of like size; rows are cut last, since every
  /// piece of rows reads the weights again.
  private func cut(rows: Int, panels: Int, tileRows: Int) -> (rows: Int, panels: Int) {
    if threads.width <= 1 { return (1, 1) }
    let wanted = threads.width * 4
    let panelPieces = max(1, min(panels, wanted))
    let rowPieces = max(1, min((wanted + panelPieces - 1) / panelPieces, rows / (4 * tileRows)))
    return (rowPieces, panelPieces)
  }
}
