import CClip

/// A value in memory: rows x width, dense.
struct Tensor {
  let data: UnsafeMutablePointer<Float>
  let rows: Int
  let width: Int
}

/// The context of an op in a run: its inputs, its output, and the threads.
struct Run {
  let batch: Batch
  // The call holds all four, so that copies of a run for pieces of work count no references.
  unowned(unsafe) let kernels: Kernels
  unowned(unsafe) let threads: ThreadPool
  let scratch: UnsafeMutablePointer<Float>
  /// Takes the errors of ops; the call throws the first.
  unowned(unsafe) let failures: Failures
  unowned(unsafe) let program: Program
  let arena: UnsafeMutablePointer<Float>
  let offsets: UnsafePointer<Int>
  let node: Int

  var executor: Executor { Executor(kernels: kernels, threads: threads) }

  var output: Tensor { tensor(node) }
  func input(_ index: Int) -> Tensor { tensor(program.nodes[node].inputs[index]) }
  func inputShape(_ index: Int) -> Shape { program.nodes[program.nodes[node].inputs[index]].shape }

  private func tensor(_ node: Int) -> Tensor {
    let shape = program.nodes[node].shape
    return Tensor(data: arena + offsets[program.slots[node]], rows: batch.totalRows(shape.rows), width: shape.width)
  }

  /// Has `op` compute [0, count) in parts of at least `grain` on the pool's threads.
  func parallel(_ op: Operation, _ count: Int, grain: Int) {
    let pieces = max(1, min(threads.width * 4, count / max(1, grain)))
    threads.run(pieces, Parts(op: op, run: self, count: count, pieces: pieces))
  }

  private struct Parts: Work {
    unowned(unsafe) let op: Operation
    let run: Run
    let count: Int
    let pieces: Int

    func part(_ piece: Int) { op.compute(run, count.share(piece, of: pieces)) }
  }
}
