import CClip
import CSystem

/// The places of a graph's parameters and gradients in training. `index` counts a node's own parameters.
protocol TrainingMemory: AnyObject {
  func parameter(_ index: Int, of node: Int) -> UnsafeMutablePointer<Float>
  /// The parameter's gradient, or a statistic's next value; nil if the parameter is frozen.
  func parameterGradient(_ index: Int, of node: Int) -> UnsafeMutablePointer<Float>?
  /// Whether the op whose `backward` runs adds to the gradient of its parameter or input `index`, instead of setting
  /// it.
  func adds(parameter index: Int) -> Bool
  func adds(input index: Int) -> Bool
}

/// The context of an op in a training step, in addition to its Run: parameters and gradients.
struct TrainingContext {
  let run: Run
  let step: TrainingStep
  /// The offset of each node's gradient in the arena, in floats; below 0 for none.
  let gradientOffsets: UnsafePointer<Int>
  // The step holds it, so that copies of a context for pieces of work count no references.
  unowned(unsafe) let memory: any TrainingMemory

  var scratch: UnsafeMutablePointer<Float> { run.scratch }
  var batch: Batch { run.batch }

  /// The output's gradient.
  var gradient: Tensor {
    let output = run.output
    return Tensor(data: run.arena + max(0, gradientOffsets[run.node]), rows: output.rows, width: output.width)
  }

  /// The gradient of input `index`; nil if it is not needed. An op adds to it, unless its `setsGradient(ofInput:)` is
  /// true.
  func inputGradient(_ index: Int) -> UnsafeMutablePointer<Float>? {
    let offset = gradientOffsets[run.program.nodes[run.node].inputs[index]]
    return offset < 0 ? nil : run.arena + offset
  }

  /// For an op whose `setsGradient(ofInput:)` is true: whether it must add, because another op set the gradient.
  func adds(input index: Int) -> Bool { memory.adds(input: index) }

  /// The values of the op's parameter `index`.
  func parameter(_ index: Int) -> UnsafeMutablePointer<Float> {
    memory.parameter(index, of: run.node)
  }

  /// The gradient of parameter `index`, or a statistic's next value; nil if it is frozen. An op adds to it, unless its
  /// `setsGradient(ofParameter:)` is true.
  func parameterGradient(_ index: Int) -> UnsafeMutablePointer<Float>? {
    memory.parameterGradient(index, of: run.node)
  }

  /// As `adds(input:)`, for parameter `index`.
  func adds(parameter index: Int) -> Bool { memory.adds(parameter: index) }

  /// Has `op` work on [0, count) in parts of at least `grain` on the pool's threads.
  func parallel(_ op: Operation, _ count: Int, grain: Int, phase: Int = 0) {
    let pieces = max(1, min(run.threads.width * 4, count / max(1, grain)))
    run.threads.run(pieces, Parts(op: op, context: self, count: count, pieces: pieces, phase: phase))
  }

  private struct Parts: Work {
    let op: Operation
    let context: TrainingContext
    let count: Int
    let pieces: Int
    let phase: Int

    func part(_ piece: Int) {
      op.backward(context, count.share(piece, of: pieces), phase: phase)
    }
  }

  /// target[c] += the sum of column c of rows [0, rows), for columns [columns), from the first row to the last.
  func addColumns(
    _ source: UnsafePointer<Float>, stride: Int, rows: Int, _ columns: Range<Int>,
    to target: UnsafeMutablePointer<Float>
  ) {
    for row in 0..<rows {
      addFloats(source + row * stride + columns.lowerBound, columns.count, to: target + columns.lowerBound)
    }
  }

  /// Adds columns on the pool's threads.
  func addColumns(
    _ source: UnsafePointer<Float>, stride: Int, rows: Int, width: Int, to target: UnsafeMutablePointer<Float>
  ) {
    let groups = (width + 15) / 16
    let pieces = max(1, min(run.threads.width * 4, groups, rows * width / 16384))
    run.threads.run(
      pieces,
      ColumnSums(
        context: self, source: source, stride: stride, rows: rows, width: width, groups: groups, pieces: pieces,
        target: target))
  }

  private struct ColumnSums: Work {
    let context: TrainingContext
    let source: UnsafePointer<Float>
    let stride: Int
    let rows: Int
    let width: Int
    let groups: Int
    let pieces: Int
    let target: UnsafeMutablePointer<Float>

    func part(_ piece: Int) {
      let part = groups.share(piece, of: pieces)
      context.addColumns(
        source, stride: stride, rows: rows, (part.lowerBound * 16)..<min(width, part.upperBound * 16), to: target)
    }
  }
}

/// The properties that all ops of a step share.
struct TrainingStep {
  let seed: UInt64
  let number: UInt64
  /// The index of the batch's first item in the step.
  let firstItem: Int
  /// Separates the random streams of the towers.
  let towerIndex: UInt32
  /// Whether ops compute as in inference: no dropout, and batch norms with running statistics.
  let isEvaluation: Bool
}
