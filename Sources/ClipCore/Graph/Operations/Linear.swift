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
