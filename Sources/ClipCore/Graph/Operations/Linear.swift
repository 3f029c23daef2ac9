import CClip

/// What linear layers and convolutions share: matrices of weights, one for each group of channels, and the epilogue of
/// their products, y = after(activation(x W' + bias) + residual). The residual, where there is one, is the last input.
class MatrixOperation: Operation {
  var activation = CLIP_IDENTITY
  var hasResidual = false
  /// Applied to the sum with the residual.
  var after = CLIP_IDENTITY
  private(set) var weights: [WeightMatrix] = []
  private(set) var bias: Memory?

  /// Takes what `load` has packed.
  func keep(_ weights: [WeightMatrix], bias: Memory?) {
    self.weights = weights
    self.bias = bias
  }

  override func makeReady(_ threads: ThreadPool) throws(ClipError) {
    for matrix in weights { try matrix.makeReady(threads) }
  }

  override func mayOverwrite(input index: Int) -> Bool { hasResidual && index == inputs.count - 1 }

  /// Columns of x that a row of a group's weights is multiplied with.
  var depth: Int { 0 }

  var leftKind: LeftOperand.Kind { .rows }

  /// The left operand of a group's product.
  func left(_ run: Run, group: Int) -> LeftOperand {
    let x = run.input(0)
    return .rows(Matrix(data: UnsafePointer(x.data), stride: x.width))
  }

  /// The size of a group's product, where one of `groups`.
  func size(rows: Int, groups: Int = 1, _ storage: clip_storage = CLIP_STORAGE_F32, packsRight: Bool) -> ProductSize {
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
  func product(_ run: Run, _ right: RightOperand, group: Int) -> MatrixProduct {
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

/// y = x W' + b for each row; W is [features, width].
final class Linear: MatrixOperation {
  let weight: Parameter
  let biasParameter: Parameter?

  init(input: Int, shape: Shape, name: Name, features: Int, hasBias: Bool) {
    weight = Parameter(name: name + ".weight", shape: [features, shape.width])
    biasParameter = hasBias ? Parameter(name: name + ".bias", shape: [features]) : nil
    super.init(inputs: [input], shape: Shape(rows: shape.rows, width: features, grid: shape.grid))
  }

  private init(_ linear: Linear, input: Int) {
    weight = linear.weight
    biasParameter = linear.biasParameter
    super.init(inputs: [input], shape: Shape(rows: .one, width: linear.shape.width))
  }

  override var name: StaticString { "linear" }
  override var parameters: [Parameter] { biasParameter.map { [weight, $0] } ?? [weight] }
  override var isRowWise: Bool { true }
  override func picking(_ selector: RowSelector, inputs: [Int]) -> Operation? {
    inputs.first.map { Linear(self, input: $0) }
  }

  override var depth: Int { weight.shape[1] }

  override func load(_ loader: ParameterLoader) throws(ClipError) {
    keep([try loader.matrix(weight)], bias: try biasParameter.map(loader.vector))
  }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override func bind(_ loader: ParameterLoader) throws(ClipError) {
    keep([], bias: try biasParameter.map(loader.vector))
  }
  override func backwardReads(input index: Int) -> Bool { true }
  override func setsGradient(ofInput index: Int) -> Bool { true }
  override func setsGradient(ofParameter index: Int) -> Bool { index == 0 }

  private func products(rows: Int) -> LayerProducts { LayerProducts(rows: rows, columns: shape.width, depth: depth) }

  override func trainingScratch(_ batch: Batch, _ kernels: Kernels) -> Int {
    let products = products(rows: batch.totalRows(shape.rows))
    return max(products.forwardFloats(kernels), products.backwardFloats(kernels))
  }

  override func forward(_ context: TrainingContext) {
    let weights = Matrix(data: UnsafePointer(context.parameter(0)), stride: depth)
    let right = RightOperand.matrix(weights, .rows, columns: shape.width, depth: depth)
    context.run.executor.multiply(product(context.run, right, group: 0), context.scratch)
  }

  /// dW = dy' x, db += the sum of dy's rows, dx = dy W.
  override func backward(_ context: TrainingContext) {
    let x = context.run.input(0)
    let dy = Matrix(data: UnsafePointer(context.gradient.data), stride: shape.width)
    let products = products(rows: x.rows)
    if let dw = context.parameterGradient(0) {
      products.weightGradient(
        dy, Matrix(data: UnsafePointer(x.data), stride: x.width), into: dw, adds: context.adds(parameter: 0),
        context.run.executor, context.scratch)
    }
    if biasParameter != nil, let db = context.parameterGradient(1) {
      context.addColumns(dy.data, stride: dy.stride, rows: x.rows, width: shape.width, to: db)
    }
    if let dx = context.inputGradient(0) {
      products.inputGradient(
        dy, Matrix(data: UnsafePointer(context.parameter(0)), stride: x.width), into: dx, stride: x.width,
        adds: context.adds(input: 0), context.run.executor, context.scratch)
    }
  }
}
