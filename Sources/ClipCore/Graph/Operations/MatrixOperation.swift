import CClip

/// The base of linear layers and convolutions: matrices of weights, one for each group of channels, and the epilogue of
/// their products, y = after(activation(x W' + bias) + residual). The residual, if there is one, is the last input.
class MatrixOperation: Operation {
  final var activation = CLIP_IDENTITY
  final var hasResidual = false
  /// Applied to the sum with the residual.
  final var after = CLIP_IDENTITY
  final private(set) var weights: [WeightMatrix] = []
  final private(set) var bias: Memory?

  /// Keeps the packed weights.
  final func keep(_ weights: [WeightMatrix], bias: Memory?) {
    self.weights = weights
    self.bias = bias
  }

  override func makeReady(_ threads: ThreadPool) throws(ClipError) {
    for matrix in weights { try matrix.makeReady(threads) }
  }

  override func mayOverwrite(input index: Int) -> Bool { hasResidual && index == inputs.count - 1 }

  /// The depth of a group's product: columns of x.
  var depth: Int { 0 }

  var leftKind: LeftOperand.Kind { .rows }

  /// The left operand of a group's product.
  func left(_ run: Run, group: Int) -> LeftOperand {
    let x = run.input(0)
    return .rows(Matrix(data: UnsafePointer(x.data), stride: x.width))
  }

  /// The size of one group's product, of `groups`.
  final func size(rows: Int, groups: Int = 1, _ storage: clip_storage = CLIP_STORAGE_F32, packsRight: Bool)
    -> ProductSize
  {
    ProductSize(
      rows: rows, columns: shape.width / groups, depth: depth, storage: storage, left: leftKind, packsRight: packsRight)
  }

  override func scratchFloats(_ batch: Batch, _ kernels: Kernels) -> Int {
    guard let first = weights.first else { return 0 }
    let size = size(rows: batch.totalRows(shape.rows), groups: weights.count, first.storage, packsRight: false)
    return ProductPlan(size, kernels, threads: kernels.threads).scratchFloats
  }

  override func run(_ run: Run) {
    for (group, matrix) in weights.enumerated() {
      let size = size(rows: run.output.rows, groups: weights.count, matrix.storage, packsRight: false)
      let plan = ProductPlan(size, run.kernels, threads: run.kernels.threads)
      do throws(ClipError) {
        let right = try matrix.operand(readsOnce: plan.cut == nil, run.threads, run.failures, index: run.node)
        run.executor.multiply(product(run, right, group: group), plan, run.scratch)
      } catch {
        run.failures.record(error, run.node)
      }
    }
  }

  /// A group's product with its epilogue.
  final func product(_ run: Run, _ right: RightOperand, group: Int) -> MatrixProduct {
    let output = run.output
    let first = group * right.columns
    var product = MatrixProduct(
      left: left(run, group: group), right: right, rows: output.rows, output: output.data + first, stride: output.width)
    product.activation = activation
    product.after = after
    product.bias = bias.map { UnsafePointer($0.floats + first) }
    if hasResidual { product.residual = UnsafePointer(run.input(inputs.count - 1).data + first) }
    return product
  }
}
