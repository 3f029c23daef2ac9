import CClip

extension OpDescriptor {
  static let batchNorm = OpDescriptor("batch_norm", inputs: 1, named: .required, settings: [.real("epsilon", 0...1)]) {
    call throws(ClipError) in
    try call.add(
      BatchNorm(input: call.inputs[0], shape: call.shapes[0], name: call.name, epsilon: Float(try call.real("epsilon")))
    )
  }
}

/// Batch normalisation with running statistics (Ioffe and Szegedy, 2015, https://arxiv.org/abs/1502.03167). After a
/// convolution it is folded into the weights.
final class BatchNorm: Operation {
  let weight: Parameter
  let bias: Parameter
  let mean: Parameter
  let variance: Parameter
  let epsilon: Float
  private var values: (scale: Memory, shift: Memory)?

  init(input: Int, shape: Shape, name: Name, epsilon: Float) {
    weight = Parameter(name: name + ".weight", shape: [shape.width])
    bias = Parameter(name: name + ".bias", shape: [shape.width])
    mean = Parameter(name: name + ".running_mean", shape: [shape.width])
    variance = Parameter(name: name + ".running_var", shape: [shape.width])
    self.epsilon = epsilon
    super.init(inputs: [input], shape: shape)
  }

  override var name: StaticString { "batch_norm" }
  override var parameters: [Parameter] { [weight, bias, mean, variance] }
  override func initialValue(ofParameter index: Int) -> Float? { index == 0 || index == 3 ? 1 : 0 }
  override func mayOverwrite(input index: Int) -> Bool { true }
  override func load(_ loader: ParameterLoader) throws(ClipError) { values = try affine(loader) }

  /// The norm as x * scale + shift, computed in double precision.
  func affine(_ loader: ParameterLoader) throws(ClipError) -> (scale: Memory, shift: Memory) {
    let scale = try loader.vector(weight)
    let shift = try loader.vector(bias)
    let means = try loader.vector(mean)
    let variances = try loader.vector(variance)
    for channel in 0..<shape.width {
      let spread = Double(variances.floats[channel]) + Double(epsilon)
      guard spread > 0 else {
        throw ClipError(
          CLIP_FORMAT,
          "\(variance.name.string)[\(channel)]: expected a variance of at least 0, found \(variances.floats[channel])")
      }
      let factor = Double(scale.floats[channel]) / spread.squareRoot()
      shift.floats[channel] = Float(Double(shift.floats[channel]) - Double(means.floats[channel]) * factor)
      scale.floats[channel] = Float(factor)
    }
    return (scale, shift)
  }

  override func compute(_ run: Run, _ rows: Range<Int>) {
    guard let values else { return }
    run.scaleShift(rows, values.scale.floats, values.shift.floats, CLIP_IDENTITY)
  }

  // MARK: Training

  /// The weight of a batch in the running statistics.
  private static var momentum: Float { 0.1 }

  override var isDifferentiable: Bool { true }
  override func isStatistic(_ parameter: Int) -> Bool { parameter >= 2 }
  override func bind(_ loader: ParameterLoader) throws(ClipError) {}
  override func backwardReads(input index: Int) -> Bool { true }
  override var isCheap: Bool { true }
  /// Doubles: mean, 1 / deviation, sums of dy and of dy z for each column.
  override func trainingScratch(_ batch: Batch, _ kernels: Kernels) -> Int { 8 * shape.width }

  private func columnFacts(_ context: TrainingContext) -> UnsafeMutablePointer<Double> {
    UnsafeMutableRawPointer(context.scratch).assumingMemoryBound(to: Double.self)
  }

  /// Whether the batch's statistics are used: not by a frozen norm, nor in an evaluation.
  private func usesBatch(_ context: TrainingContext) -> Bool {
    !context.step.isEvaluation
      && (context.parameterGradient(0) != nil || context.parameterGradient(1) != nil)
  }

  /// Mean and variance of the batch, or the running ones, for each column, in scratch: [mean, 1 / deviation, sums].
  private func measure(_ context: TrainingContext, _ columns: Range<Int>, updating: Bool) {
    let width = shape.width
    let x = context.run.input(0)
    let means = columnFacts(context)
    let inverses = means + width
    guard usesBatch(context) else {
      for column in columns {
        means[column] = Double(context.parameter(2)[column])
        inverses[column] = 1 / (Double(context.parameter(3)[column]) + Double(epsilon)).squareRoot()
      }
      return
    }
    let sums = means + 2 * width + columns.lowerBound
    let count = Double(max(1, x.rows))
    sums.update(repeating: 0, count: columns.count)
    for row in 0..<x.rows {
      let line = x.data + row * width + columns.lowerBound
      forEachEight(columns.count) { i, lanes in
        put(eight(sums + i, lanes) + SIMD8<Double>(eight(line + i, lanes)), sums + i, lanes)
      }
    }
    for column in 0..<columns.count { means[columns.lowerBound + column] = sums[column] / count }
    sums.update(repeating: 0, count: columns.count)
    for row in 0..<x.rows {
      let line = x.data + row * width + columns.lowerBound
      forEachEight(columns.count) { i, lanes in
        let centred = SIMD8<Double>(eight(line + i, lanes)) - eight(means + columns.lowerBound + i, lanes)
        put(eight(sums + i, lanes) + centred * centred, sums + i, lanes)
      }
    }
    for column in 0..<columns.count {
      let place = columns.lowerBound + column
      inverses[place] = 1 / (sums[column] / count + Double(epsilon)).squareRoot()
      guard updating else { continue }
      if let mean = context.parameterGradient(2) {
        mean[place] += BatchNorm.momentum * (Float(means[place]) - mean[place])
      }
      if let variance = context.parameterGradient(3) {
        variance[place] += BatchNorm.momentum * (Float(sums[column] / max(1, count - 1)) - variance[place])
      }
    }
  }

  override func forward(_ context: TrainingContext) {
    context.parallel(self, (shape.width + 15) / 16, grain: 1, phase: 0)
    context.parallel(self, context.run.output.rows, grain: max(1, 16384 / shape.width), phase: 1)
  }

  override func backward(_ context: TrainingContext) {
    context.parallel(self, (shape.width + 15) / 16, grain: 1, phase: 2)
    context.parallel(self, context.gradient.rows, grain: max(1, 16384 / shape.width), phase: 3)
  }

  /// Phases 0 and 2 are divided by groups of columns, 1 and 3 by rows. Phase 2 updates the running statistics, once in
  /// a step.
  override func backward(_ context: TrainingContext, _ part: Range<Int>, phase: Int) {
    let width = shape.width
    let means = columnFacts(context)
    let inverses = means + width
    let x = context.run.input(0)
    let weight = context.parameter(0)
    if phase == 0 || phase == 2 {
      let columns = (part.lowerBound * 16)..<min(width, part.upperBound * 16)
      measure(context, columns, updating: phase == 2)
      if phase == 2 { sum(context, columns) }
      return
    }
    if phase == 1 {
      let bias = context.parameter(1)
      for row in part {
        let line = x.data + row * width
        let target = context.run.output.data + row * width
        forEachEight(width) { i, lanes in
          let z = (SIMD8<Double>(eight(line + i, lanes)) - eight(means + i, lanes)) * eight(inverses + i, lanes)
          let y = z * SIMD8<Double>(eight(weight + i, lanes)) + SIMD8<Double>(eight(bias + i, lanes))
          put(SIMD8<Float>(y), target + i, lanes)
        }
      }
      return
    }
    guard let dx = context.inputGradient(0) else { return }
    let totals = means + 2 * width
    let aligned = means + 3 * width
    let share = usesBatch(context) ? 1 / Double(max(1, x.rows)) : 0
    for row in part {
      let line = x.data + row * width
      let dy = context.gradient.data + row * width
      let target = dx + row * width
      forEachEight(width) { i, lanes in
        let inverse = eight(inverses + i, lanes)
        let z = (SIMD8<Double>(eight(line + i, lanes)) - eight(means + i, lanes)) * inverse
        let mean = (eight(totals + i, lanes) + z * eight(aligned + i, lanes)) * share
        let slope = (SIMD8<Double>(eight(dy + i, lanes)) - mean) * SIMD8<Double>(eight(weight + i, lanes)) * inverse
        put(eight(target + i, lanes) + SIMD8<Float>(slope), target + i, lanes)
      }
    }
  }

  /// The sums of dy and of dy z over rows, which are the bias's and the weight's gradients.
  private func sum(_ context: TrainingContext, _ columns: Range<Int>) {
    let width = shape.width
    let means = columnFacts(context)
    let inverses = means + width
    let sums = means + 2 * width + columns.lowerBound
    let aligned = sums + width
    sums.update(repeating: 0, count: columns.count)
    aligned.update(repeating: 0, count: columns.count)
    let x = context.run.input(0).data
    let dy = context.gradient
    for row in 0..<dy.rows {
      let start = row * width + columns.lowerBound
      forEachEight(columns.count) { i, lanes in
        let centred = SIMD8<Double>(eight(x + start + i, lanes)) - eight(means + columns.lowerBound + i, lanes)
        let slope = SIMD8<Double>(eight(dy.data + start + i, lanes))
        put(eight(sums + i, lanes) + slope, sums + i, lanes)
        let z = centred * eight(inverses + columns.lowerBound + i, lanes)
        put(eight(aligned + i, lanes) + slope * z, aligned + i, lanes)
      }
    }
    for column in 0..<columns.count {
      let place = columns.lowerBound + column
      if let db = context.parameterGradient(1) { db[place] += Float(sums[column]) }
      if let dw = context.parameterGradient(0) { dw[place] += Float(aligned[column]) }
    }
  }
}
