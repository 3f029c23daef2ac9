import CClip

extension OpDescriptor {
  /// `heads`: parts of a row that are normalised separately, with one weight and bias for all.
  static let layerNorm = OpDescriptor(
    "layer_norm", inputs: 1, named: .required,
    settings: [
      .real("epsilon", 0...1), .integer("heads", 1...Builder.largestWidth, default: 1), .flag("bias", default: true),
    ]
  ) { call throws(ClipError) in
    let (shape, heads) = (call.shapes[0], try call.integer("heads"))
    guard shape.width % heads == 0 else { throw call.expected("a width that \(heads) heads divide") }
    return try call.add(
      LayerNorm(
        input: call.inputs[0], shape: shape, name: call.name, heads: heads, epsilon: Float(try call.real("epsilon")),
        hasBias: try call.flag("bias")))
  }
}

/// Layer normalisation of each row, or of each head of it (Ba et al., 2016, https://arxiv.org/abs/1607.06450).
final class LayerNorm: Operation {
  let weight: Parameter
  let bias: Parameter?
  let epsilon: Float
  private let heads: Int
  private var values: (weight: Memory, bias: Memory)?

  init(input: Int, shape: Shape, name: Name, heads: Int, epsilon: Float, hasBias: Bool) {
    weight = Parameter(name: name + ".weight", shape: [shape.width / heads])
    bias = hasBias ? Parameter(name: name + ".bias", shape: [shape.width / heads]) : nil
    self.heads = heads
    self.epsilon = epsilon
    super.init(inputs: [input], shape: shape)
  }

  private init(_ norm: LayerNorm, input: Int) {
    weight = norm.weight
    bias = norm.bias
    heads = norm.heads
    epsilon = norm.epsilon
    super.init(inputs: [input], shape: Shape(rows: .one, width: norm.shape.width))
  }

  override var name: StaticString { "layer_norm" }
  override var parameters: [Parameter] { bias.map { [weight, $0] } ?? [weight] }
  override func initialValue(ofParameter index: Int) -> Float? { index == 0 ? 1 : 0 }
  override var isRowWise: Bool { true }
  override func mayOverwrite(input index: Int) -> Bool { true }
  override func picking(_ selector: RowSelector, inputs: [Int]) -> Operation? {
    inputs.first.map { LayerNorm(self, input: $0) }
  }

  override func load(_ loader: ParameterLoader) throws(ClipError) {
    let weight = try loader.vector(weight)
    if let bias {
      values = (weight, try loader.vector(bias))
    } else {
      let zeros = try Memory(floats: width, for: "a norm without bias")
      zeros.floats.update(repeating: 0, count: width)
      values = (weight, zeros)
    }
  }

  /// The width of what is normalised: the matrix is read as `heads` times as many rows.
  private var width: Int { shape.width / heads }

  override func compute(_ run: Run, _ rows: Range<Int>) {
    guard let values else { return }
    let x = run.input(0)
    let y = run.output
    run.kernels.table.pointee.layer_norm(
      x.data + rows.lowerBound * x.width, width, y.data + rows.lowerBound * x.width, width, rows.count * heads, width,
      values.weight.floats, values.bias.floats, epsilon)
  }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override var isCheap: Bool { true }
  override func backwardReads(input index: Int) -> Bool { true }
  /// Mean and 1 / deviation of each row.
  override func trainingScratch(_ batch: Batch, _ kernels: Kernels) -> Int {
    2 * batch.totalRows(shape.rows) * heads
  }

  /// First the rows, then weight and bias by columns.
  override func backward(_ context: TrainingContext) {
    let rows = context.gradient.rows * heads
    context.parallel(self, rows, grain: max(1, 8192 / width))
    if context.parameterGradient(0) != nil || biasGradient(context) != nil {
      context.parallel(self, (width + 15) / 16, grain: max(1, 1024 / rows), phase: 1)
    }
  }

  override func backward(_ context: TrainingContext, _ part: Range<Int>, phase: Int) {
    if phase == 0 {
      for row in part { backwardRow(context, row) }
    } else {
      backwardColumns(context, (part.lowerBound * 16)..<min(width, part.upperBound * 16))
    }
  }

  /// dx += (g - mean(g) - z mean(g z)) / deviation, with z the normalised row and g = dy * weight.
  private func backwardRow(_ context: TrainingContext, _ row: Int) {
    let x = context.run.input(0).data + row * width
    let dy = context.gradient.data + row * width
    let weight = UnsafePointer(context.parameter(0))
    let size = Float(width)
    var sum = SIMD8<Float>.zero
    forEachEight(width) { i, lanes in sum += eight(x + i, lanes) }
    let mean = sum.sum() / size
    sum = .zero
    forEachEight(width) { i, lanes in
      let centred = eight(x + i, lanes, filler: mean) - mean
      sum += centred * centred
    }
    let inverse = 1 / (sum.sum() / size + epsilon).squareRoot()
    context.scratch[2 * row] = mean
    context.scratch[2 * row + 1] = inverse
    guard let dx = context.inputGradient(0).map({ $0 + row * width }) else { return }
    var total = SIMD8<Float>.zero
    var aligned = SIMD8<Float>.zero
    forEachEight(width) { i, lanes in
      let g = eight(dy + i, lanes) * eight(weight + i, lanes)
      total += g
      aligned += g * (eight(x + i, lanes, filler: mean) - mean)
    }
    let shift = total.sum() / size
    let slope = aligned.sum() * inverse * inverse / size
    forEachEight(width) { i, lanes in
      let g = eight(dy + i, lanes) * eight(weight + i, lanes) - shift - (eight(x + i, lanes) - mean) * slope
      put(eight(dx + i, lanes) + g * inverse, dx + i, lanes)
    }
  }

  private func biasGradient(_ context: TrainingContext) -> UnsafeMutablePointer<Float>? {
    bias == nil ? nil : context.parameterGradient(1)
  }

  private func backwardColumns(_ context: TrainingContext, _ columns: Range<Int>) {
    let x = context.run.input(0).data
    let dy = context.gradient
    let dw = context.parameterGradient(0).map { $0 + columns.lowerBound }
    let db = biasGradient(context).map { $0 + columns.lowerBound }
    for row in 0..<dy.rows * heads {
      let mean = context.scratch[2 * row]
      let inverse = context.scratch[2 * row + 1]
      let line = dy.data + row * width + columns.lowerBound
      let source = x + row * width + columns.lowerBound
      if let dw {
        forEachEight(columns.count) { i, lanes in
          let z = (eight(source + i, lanes) - mean) * inverse
          put(eight(dw + i, lanes) + eight(line + i, lanes) * z, dw + i, lanes)
        }
      }
      if let db { addFloats(line, columns.count, to: db) }
    }
  }
}
