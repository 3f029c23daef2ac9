import CClip

/// What linear layers and convolutions share: a packed matrix and an epilogue,
/// y = after(activation(x W' + bias) + residual). The residual, where there is one, is the last input.
class MatrixProduct: Operation {
  var activation = CLIP_IDENTITY
  var hasResidual = false
  /// Applied to the sum with the residual.
  var after = CLIP_IDENTITY
  fileprivate(set) var weights: PackedMatrix?
  fileprivate(set) var bias: Memory?

  /// Takes what `load` has packed.
  func keep(_ weights: PackedMatrix?, bias: Memory?) {
    self.weights = weights
    self.bias = bias
  }

  override func makeReady(_ threads: ThreadPool) throws(ClipError) { try weights?.makeReady(threads) }

  override func mayOverwrite(input index: Int) -> Bool { hasResidual && index == inputs.count - 1 }

  /// Whether rows of the left side are made before they are packed, and not lie in the input.
  var makesRows: Bool { false }

  func plan(_ weights: PackedMatrix, rows: Int, _ kernels: Kernels) -> ProductPlan {
    ProductPlan(
      rows: rows, depth: weights.depth, panels: weights.panels, storage: weights.storage, needsLine: makesRows, kernels)
  }

  override func scratchFloats(_ batch: Batch, _ kernels: Kernels) -> Int {
    guard let weights else { return 0 }
    return plan(weights, rows: batch.totalRows(shape.rows), kernels).scratchFloats
  }

  /// Packs `rows` of the left side, which are some of the rows `block`; `line` has room for one row.
  func packRows(
    _ run: Run, _ rows: Range<Int>, of block: Range<Int>, group: Int, line: UnsafeMutablePointer<Float>,
    into packed: UnsafeMutablePointer<Float>
  ) {
    guard let weights else { return }
    let x = run.input(0)
    run.kernels.packRows(
      x.data + rows.lowerBound * x.width, stride: x.width, rows, of: block, depth: weights.depth, weights.storage,
      packed)
  }

  /// Fills in what all pieces of the product have in common.
  func describe(_ work: inout clip_matmul, _ run: Run, _ weights: PackedMatrix, _ firstColumn: Int) {
    let output = run.output
    work.weights = UnsafeRawPointer(weights.memory.base)
    work.storage = weights.storage
    work.activation = activation
    work.after = after
    work.c = output.data + firstColumn
    work.c_stride = output.width
    work.bias = bias.map { UnsafePointer($0.floats + firstColumn) }
    if hasResidual {
      work.residual = UnsafePointer(run.input(inputs.count - 1).data + firstColumn)
      work.residual_stride = output.width
    }
    work.rows = output.rows
    work.columns = weights.columns
    work.depth = weights.depth
    work.panel_end = weights.panels
  }

  override func run(_ run: Run) {
    if let weights { run.multiply(self, weights) }
  }
}
