import CClip

extension OpDescriptor {
  static let linear = OpDescriptor(
    "linear", inputs: 1, named: .required,
    settings: [.integer("features", 1...Builder.largestWidth), .flag("bias", default: true)]
  ) { call throws(ClipError) in
    try call.add(
      Linear(
        input: call.inputs[0], shape: call.shapes[0], name: call.name, features: try call.integer("features"),
        hasBias: try call.flag("bias")))
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
