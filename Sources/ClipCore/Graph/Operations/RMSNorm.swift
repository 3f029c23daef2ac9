import CClip

extension OpDescriptor {
  static let rmsNorm = OpDescriptor("rms_norm", inputs: 1, named: .required, settings: [.real("epsilon", 0...1)]) {
    call throws(ClipError) in
    try call.add(
      RMSNorm(
        input: call.inputs[0], shape: call.shapes[0],
        weight: Parameter(name: call.name + ".weight", shape: [call.shapes[0].width]),
        epsilon: Float(try call.real("epsilon"))))
  }
}

/// Root mean square normalisation of each row (Zhang and Sennrich, 2019, https://arxiv.org/abs/1910.07467):
/// x / sqrt(mean(x^2) + epsilon) * weight.
final class RMSNorm: Operation {
  private let weight: Parameter
  private let epsilon: Float
  private var values: Memory?

  init(input: Int, shape: Shape, weight: Parameter, epsilon: Float) {
    self.weight = weight
    self.epsilon = epsilon
    super.init(inputs: [input], shape: shape)
  }

  override var name: StaticString { "rms_norm" }
  override var parameters: [Parameter] { [weight] }
  override func initialValue(ofParameter index: Int) -> Float? { 1 }
  override var isRowWise: Bool { true }
  override func mayOverwrite(input index: Int) -> Bool { true }
  override func picking(_ selector: RowSelector, inputs: [Int]) -> Operation? {
    inputs.first.map {
      RMSNorm(input: $0, shape: Shape(rows: .one, width: shape.width), weight: weight, epsilon: epsilon)
    }
  }

  override func load(_ loader: ParameterLoader) throws(ClipError) { values = try loader.vector(weight) }

  override func compute(_ run: Run, _ rows: Range<Int>) {
    guard let values else { return }
    let width = shape.width
    let input = run.input(0).data
    let output = run.output.data
    for row in rows {
      let x = input + row * width
      let y = output + row * width
      let scale = inverse(x)
      forEachEight(width) { i, lanes in put(eight(x + i, lanes) * scale * eight(values.floats + i, lanes), y + i, lanes)
      }
    }
  }

  /// 1 / sqrt(mean(x^2) + epsilon) of a row.
  private func inverse(_ x: UnsafePointer<Float>) -> Float {
    var sum = SIMD8<Float>.zero
    forEachEight(shape.width) { i, lanes in
      let value = eight(x + i, lanes)
      sum += value * value
    }
    return 1 / (sum.sum() / Float(shape.width) + epsilon).squareRoot()
  }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override var isCheap: Bool { true }
  override func backwardReads(input index: Int) -> Bool { true }
  /// 1 / root of each row.
  override func trainingScratch(_ batch: Batch, _ kernels: Kernels) -> Int { batch.totalRows(shape.rows) }

  /// First by rows, then the weight by columns.
  override func backward(_ context: TrainingContext) {
    let rows = context.gradient.rows
    context.parallel(self, rows, grain: max(1, 8192 / shape.width))
    if context.parameterGradient(0) != nil {
      context.parallel(self, (shape.width + 15) / 16, grain: max(1, 1024 / max(1, rows)), phase: 1)
    }
  }

  override func backward(_ context: TrainingContext, _ part: Range<Int>, phase: Int) {
    if phase == 0 {
      for row in part { backwardRow(context, row) }
    } else {
      backwardColumns(context, (part.lowerBound * 16)..<min(shape.width, part.upperBound * 16))
    }
  }

  /// dx += (g - z mean(g z)) / root, with z = x / root the normalised row and g = dy * weight.
  private func backwardRow(_ context: TrainingContext, _ row: Int) {
    let width = shape.width
    let x = context.run.input(0).data + row * width
    let dy = context.gradient.data + row * width
    let weight = UnsafePointer(context.parameter(0))
    let inverse = inverse(x)
    context.scratch[row] = inverse
    guard let dx = context.inputGradient(0).map({ $0 + row * width }) else { return }
    var aligned = SIMD8<Float>.zero
    forEachEight(width) { i, lanes in aligned += eight(dy + i, lanes) * eight(weight + i, lanes) * eight(x + i, lanes) }
    let slope = aligned.sum() * inverse * inverse / Float(width)
    forEachEight(width) { i, lanes in
      let g = eight(dy + i, lanes) * eight(weight + i, lanes) - eight(x + i, lanes) * slope
      put(eight(dx + i, lanes) + g * inverse, dx + i, lanes)
    }
  }

  private func backwardColumns(_ context: TrainingContext, _ columns: Range<Int>) {
    guard let gradient = context.parameterGradient(0) else { return }
    let dw = gradient + columns.lowerBound
    let dy = context.gradient
    for row in 0..<dy.rows {
      let inverse = context.scratch[row]
      let start = row * shape.width + columns.lowerBound
      let x = context.run.input(0).data + start
      forEachEight(columns.count) { i, lanes in
        let z = eight(x + i, lanes) * inverse
        put(eight(dw + i, lanes) + eight(dy.data + start + i, lanes) * z, dw + i, lanes)
      }
    }
  }
}
