import CClip

/// What linear layers and convolutions share: a packed matrix and an epilogue,
/// y = activation(x W' + bias) + residual. The residual, where there is one, is the last input.
class MatrixProduct: Operation {
  var activation = CLIP_IDENTITY
  var hasResidual = false
  fileprivate(set) var weights: PackedMatrix?
  fileprivate(set) var bias: Memory?

  /// Takes what `load` has packed.
  func keep(_ weights: PackedMatrix?, bias: Memory?) {
    self.weights = weights
    self.bias = bias
  }

  override func mayOverwrite(input index: Int) -> Bool { hasResidual && index == inputs.count - 1 }

  /// Runs the product for `rows` rows of `a`, whose results start at row `firstRow` of the output.
  /// `part`, where there is one, takes the place of the weights and makes the columns from `firstColumn`.
  func multiply(
    _ run: Run, _ a: UnsafePointer<Float>, stride: Int, rows: Int, firstRow: Int, _ part: PackedMatrix? = nil,
    firstColumn: Int = 0
  ) {
    guard let weights = part ?? weights else { return }
    let width = shape.width
    let start = firstRow * width + firstColumn
    var work = clip_matmul()
    work.a = a
    work.a_stride = stride
    work.weights = UnsafeRawPointer(weights.memory.base)
    work.storage = weights.storage
    work.activation = activation
    work.c = run.output.data + start
    work.c_stride = width
    work.bias = bias.map { UnsafePointer($0.floats + firstColumn) }
    if hasResidual {
      work.residual = UnsafePointer(run.input(inputs.count - 1).data + start)
      work.residual_stride = width
    }
    work.rows = rows
    work.columns = weights.columns
    work.depth = weights.depth
    work.panel_end = weights.panels
    run.multiply(work, tileRows: Int(run.kernels.table.pointee.tile_rows))
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

  override func run(_ run: Run) {
    let x = run.input(0)
    multiply(run, x.data, stride: x.width, rows: x.rows, firstRow: 0)
  }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override func bind(_ loader: ParameterLoader) throws(ClipError) {}
  override func backwardReads(input index: Int) -> Bool { true }
  override func trainingScratch(_ batch: Batch, _ kernels: Kernels) -> Int {
    let depth = weight.shape[1]
    return max(
      Products.forwardFloats(shape.width, depth, kernels),
      Products.backwardFloats(rows: batch.totalRows(shape.rows), shape.width, depth, kernels))
  }

  override func forward(_ pass: Pass) {
    let x = pass.run.input(0)
    pass.products.forward(
      Products.Matrix(data: x.data, stride: x.width), rows: x.rows,
      Products.Matrix(data: pass.parameter(0), stride: x.width), features: shape.width, depth: x.width,
      bias: biasParameter == nil ? nil : UnsafePointer(pass.parameter(1)), into: pass.run.output.data,
      stride: shape.width, pass.scratch)
  }

  /// dW += dy' x, db += the sum of dy's rows, dx += dy W.
  override func backward(_ pass: Pass) {
    let x = pass.run.input(0)
    let dy = Products.Matrix(data: pass.gradient.data, stride: shape.width)
    if let dw = pass.parameterGradient(0) {
      pass.products.weights(
        dy, Products.Matrix(data: x.data, stride: x.width), rows: x.rows, features: shape.width, depth: x.width, into: dw,
        pass.scratch)
    }
    if biasParameter != nil, let db = pass.parameterGradient(1) {
      pass.addColumns(dy.data, stride: dy.stride, rows: x.rows, width: shape.width, to: db)
    }
    if let dx = pass.inputGradient(0) {
      pass.products.backward(
        dy, rows: x.rows, Products.Matrix(data: pass.parameter(0), stride: x.width), features: shape.width, depth: x.width,
        into: dx, stride: x.width, pass.scratch)
    }
  }
}
