import CClip

extension OpDescriptor {
  /// `heads`: parts of a row that are normalised separately, with one weight for all. `offset` is added to the weight.
  static let rmsNorm = OpDescriptor(
    "rms_norm", inputs: 1, named: .required,
    settings: [
      .real("epsilon", 0...1), .integer("heads", 1...Builder.largestWidth, default: 1),
      .real("offset", 0...1, default: 0),
    ]
  ) { call throws(ClipError) in
    let (shape, heads) = (call.shapes[0], try call.integer("heads"))
    guard shape.width % heads == 0 else { throw call.expected("a width that \(heads) heads divide") }
    return try call.add(
      RMSNorm(
        input: call.inputs[0], shape: shape,
        weight: Parameter(name: call.name + ".weight", shape: [shape.width / heads]),
        epsilon: Float(try call.real("epsilon")), offset: Float(try call.real("offset"))))
  }
}

/// Root mean square normalisation of each row, or of each head of it (Zhang and Sennrich, 2019,
/// https://arxiv.org/abs/1910.07467): x / sqrt(mean(x^2) + epsilon) * (offset + weight).
final class RMSNorm: Operation {
  private let weight: Parameter
  private let epsilon: Float
  private let offset: Float
  private var values: Memory?

  init(input: Int, shape: Shape, weight: Parameter, epsilon: Float, offset: Float) {
    self.weight = weight
    self.epsilon = epsilon
    self.offset = offset
    super.init(inputs: [input], shape: shape)
  }

  override var name: StaticString { "rms_norm" }
  override var parameters: [Parameter] { [weight] }
  override func initialValue(ofParameter index: Int) -> Float? { 1 - offset }
  override var isRowWise: Bool { true }
  override func mayOverwrite(input index: Int) -> Bool { true }
  override func picking(_ selector: RowSelector, inputs: [Int]) -> Operation? {
    inputs.first.map {
      RMSNorm(
        input: $0, shape: Shape(rows: .one, width: shape.width), weight: weight, epsilon: epsilon, offset: offset)
    }
  }

  override func load(_ loader: ParameterLoader) throws(ClipError) { values = try loader.vector(weight) }

  /// The width of what is normalised: the matrix is read as `heads` times as many rows.
  private var width: Int { weight.shape[0] }
  private var heads: Int { shape.width / width }

  override func compute(_ run: Run, _ rows: Range<Int>) {
    guard let values else { return }
    let width = width
    let input = run.input(0).data
    let output = run.output.data
    for row in (rows.lowerBound * heads)..<(rows.upperBound * heads) {
      let x = input + row * width
      let y = output + row * width
      let scale = inverse(x)
      forEachEight(width) { i, lanes in
        put(eight(x + i, lanes) * scale * (eight(values.floats + i, lanes) + offset), y + i, lanes)
      }
    }
  }

  /// 1 / sqrt(mean(x^2) + epsilon) of a row.
  private func inverse(_ x: UnsafePointer<Float>) -> Float {
    var sum = SIMD8<Float>.zero
    forEachEight(width) { i, lanes in
      let value = eight(x + i, lanes)
      sum += value * value
    }
    return 1 / (sum.sum() / Float(width) + epsilon).squareRoot()
  }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override var isCheap: Bool { true }
  override func backwardReads(input index: Int) -> Bool { true }
  /// 1 / sqrt(mean(x^2) + epsilon) of each row.
  override func trainingScratch(_ batch: Batch, _ kernels: Kernels) -> Int { batch.totalRows(shape.rows) * heads }

  /// First the rows, then the weight by columns.
  override func backward(_ context: TrainingContext) {
    let rows = context.gradient.rows * heads
    context.parallel(self, rows, grain: max(1, 8192 / width))
    if context.parameterGradient(0) != nil {
      context.parallel(self, (width + 15) / 16, grain: max(1, 1024 / max(1, rows)), phase: 1)
    }
  }

  override func backward(_ context: TrainingContext, _ part: Range<Int>, phase: Int) {
    if phase == 0 {
      for row in part { backwardRow(context, row) }
    } else {
      backwardColumns(context, (part.lowerBound * 16)..<min(width, part.upperBound * 16))
    }
  }

  /// dx += (g - z mean(g z)) / root, with z = x / root the normalised row and g = dy * (offset + weight).
  private func backwardRow(_ context: TrainingContext, _ row: Int) {
    let width = width
    let x = context.run.input(0).data + row * width
    let dy = context.gradient.data + row * width
    let weight = UnsafePointer(context.parameter(0))
    let inverse = inverse(x)
    context.scratch[row] = inverse
    guard let dx = context.inputGradient(0).map({ $0 + row * width }) else { return }
    var aligned = SIMD8<Float>.zero
    forEachEight(width) { i, lanes in
      aligned += eight(dy + i, lanes) * (eight(weight + i, lanes) + offset) * eight(x + i, lanes)
    }
    let slope = aligned.sum() * inverse * inverse / Float(width)
    forEachEight(width) { i, lanes in
      let g = eight(dy + i, lanes) * (eight(weight + i, lanes) + offset) - eight(x + i, lanes) * slope
      put(eight(dx + i, lanes) + g * inverse, dx + i, lanes)
    }
  }

  private func backwardColumns(_ context: TrainingContext, _ columns: Range<Int>) {
    guard let gradient = context.parameterGradient(0) else { return }
    let dw = gradient + columns.lowerBound
    let dy = context.gradient
    for row in 0..<dy.rows * heads {
      let inverse = context.scratch[row]
      let start = row * width + columns.lowerBound
      let x = context.run.input(0).data + start
      forEachEight(columns.count) { i, lanes in
        let z = eight(x + i, lanes) * inverse
        put(eight(dw + i, lanes) + eight(dy.data + start + i, lanes) * z, dw + i, lanes)
      }
    }
  }
}
