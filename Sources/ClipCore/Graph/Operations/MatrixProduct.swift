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

/// y = x W' + b for each row; W is [features, width].
final class Linear: MatrixProduct {
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

  override func load(_ loader: ParameterLoader) throws(ClipError) {
    var bias: Memory?
    if let biasParameter { bias = try loader.vector(biasParameter) }
    keep(try loader.matrix(weight), bias: bias)
  }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override func bind(_ loader: ParameterLoader) throws(ClipError) {}
  override func backwardReads(input index: Int) -> Bool { true }
  override func beginsGradient(ofInput index: Int) -> Bool { true }
  override func beginsGradient(ofParameter index: Int) -> Bool { index == 0 }
  override func trainingScratch(_ batch: Batch, _ kernels: Kernels) -> Int {
    let depth = weight.shape[1]
    let rows = batch.totalRows(shape.rows)
    return max(
      Products.forwardFloats(rows: rows, shape.width, depth, kernels),
      Products.backwardFloats(rows: rows, shape.width, depth, kernels))
  }

  override func forward(_ context: TrainingContext) {
    let x = context.run.input(0)
    context.products.forward(
      Products.Matrix(data: x.data, stride: x.width), rows: x.rows,
      Products.Matrix(data: context.parameter(0), stride: x.width), features: shape.width, depth: x.width,
      bias: biasParameter == nil ? nil : UnsafePointer(context.parameter(1)), into: context.run.output.data,
      stride: shape.width, context.scratch)
  }

  /// dW += dy' x, db += the sum of dy's rows, dx += dy W.
  override func backward(_ context: TrainingContext) {
    let x = context.run.input(0)
    let dy = Products.Matrix(data: context.gradient.data, stride: shape.width)
    if let dw = context.beginParameterGradient(0) {
      context.products.weights(
        dy, Products.Matrix(data: x.data, stride: x.width), rows: x.rows, features: shape.width, depth: x.width,
        into: dw.sums, adding: dw.adding, context.scratch)
    }
    if biasParameter != nil, let db = context.parameterGradient(1) {
      context.addColumns(dy.data, stride: dy.stride, rows: x.rows, width: shape.width, to: db)
    }
    if let dx = context.inputGradient(0) {
      context.products.backward(
        dy, rows: x.rows, Products.Matrix(data: context.parameter(0), stride: x.width), features: shape.width,
        depth: x.width,
        into: dx, stride: x.width, adding: context.adds(0), context.scratch)
    }
  }
}
