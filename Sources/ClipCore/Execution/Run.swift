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

  /// Lets `op` compute [0, count) in parts of at least `grain`, on the pool's threads.
  func parallel(_ op: Operation, _ count: Int, grain: Int) {
    let pieces = max(1, min(threads.width * 4, count / max(1, grain)))
    threads.run(pieces, Parts(op: op, run: self, count: count, pieces: pieces))
  }

  private struct Parts: Work {
    let op: Operation
    let run: Run
    let count: Int
    let pieces: Int

    func part(_ piece: Int) { op.compute(run, (piece * count / pieces)..<((piece + 1) * count / pieces)) }
  }

  /// The whole of `work` (all rows, all panels), cut over rows and panels. Each number is made
  /// the same way wherever the cuts fall.
  func multiply(_ work: clip_matmul, tileRows: Int) {
    let cut = cut(rows: work.rows, panels: work.panel_end, tileRows: max(1, tileRows))
    threads.run(cut.rows * cut.panels, Product(work: work, cut: cut, kernels: kernels.table))
  }

  private struct Product: Work {
    let work: clip_matmul
    let cut: (rows: Int, panels: Int)
    let kernels: UnsafePointer<clip_kernels>

    func part(_ piece: Int) {
      var part = work
      let row = piece % cut.rows
      let panel = piece / cut.rows
      let first = row * work.rows / cut.rows
      part.rows = (row + 1) * work.rows / cut.rows - first
      part.a = work.a + first * work.a_stride
      part.c = work.c + first * work.c_stride
      part.residual = work.residual.map { $0 + first * work.residual_stride }
      part.panel_begin = panel * work.panel_end / cut.panels
      part.panel_end = (panel + 1) * work.panel_end / cut.panels
      kernels.pointee.matmul?(&part)
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
