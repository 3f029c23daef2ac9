import CClip
import CSystem

extension OpDescriptor {
  /// Without a name, the mean of all inputs.
  static let mix = OpDescriptor("mix", inputs: 1...1024, named: .optional) { call throws(ClipError) in
    let first = call.shapes[0]
    for other in call.shapes where other.rows != first.rows || other.width != first.width {
      throw call.expected("values of one shape")
    }
    return try call.add(Mix(call.inputs, shape: first, name: call.name.isEmpty ? nil : call.name))
  }
}

/// A weighted mean of values of one shape. The weights are the softmax of a learned vector or, without one, equal.
final class Mix: Operation {
  let parameter: Parameter?
  private var weights: Memory?

  init(_ inputs: [Int], shape: Shape, name: Name?) {
    parameter = name.map { Parameter(name: $0, shape: [inputs.count]) }
    super.init(inputs: inputs, shape: shape)
  }

  private init(_ mix: Mix, _ inputs: [Int]) {
    parameter = mix.parameter
    super.init(inputs: inputs, shape: Shape(rows: .one, width: mix.shape.width))
  }

  override var name: StaticString { "mix" }
  override var parameters: [Parameter] { parameter.map { [$0] } ?? [] }
  override var isRowWise: Bool { true }
  override func mayOverwrite(input index: Int) -> Bool { index == 0 }
  override func picking(_ selector: RowSelector, inputs: [Int]) -> Operation? { Mix(self, inputs) }

  override func load(_ loader: ParameterLoader) throws(ClipError) {
    guard let parameter else { return }
    let values = try loader.vector(parameter)
    softmax(values.floats, into: values.floats)
    weights = values
  }

  private func softmax(_ logits: UnsafePointer<Float>, into weights: UnsafeMutablePointer<Float>) {
    var largest = logits[0]
    for index in 0..<inputs.count { largest = max(largest, logits[index]) }
    var sum = 0.0
    for index in 0..<inputs.count { sum += exp(Double(logits[index] - largest)) }
    for index in 0..<inputs.count { weights[index] = Float(exp(Double(logits[index] - largest)) / sum) }
  }

  override func compute(_ run: Run, _ rows: Range<Int>) {
    let output = run.output
    let same = 1 / Float(inputs.count)
    let start = rows.lowerBound * output.width
    let count = rows.count * output.width
    let target = output.data + start
    for index in inputs.indices {
      let source = run.input(index).data + start
      let weight = weights?.floats[index] ?? same
      if index == 0 {
        for place in 0..<count { target[place] = weight * source[place] }
      } else {
        for place in 0..<count { target[place] += weight * source[place] }
      }
    }
  }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override func backwardReads(input index: Int) -> Bool { parameter != nil }
  override func bind(_ loader: ParameterLoader) throws(ClipError) {
    if parameter != nil { weights = try Memory(floats: inputs.count, for: "weights of a mean") }
  }

  override func forward(_ context: TrainingContext) {
    if let weights { softmax(context.parameter(0), into: weights.floats) }
    run(context.run)
  }

  /// dx_i += w_i dy; dp_i += w_i (d_i - sum of w_j d_j), where d_i is the dot product of dy and x_i.
  override func backward(_ context: TrainingContext) {
    let dy = context.gradient
    context.parallel(self, dy.rows, grain: max(1, 16384 / dy.width))
    guard parameter != nil, let weights, let dp = context.parameterGradient(0) else { return }
    var dots: [Double] = []
    var mean = 0.0
    for index in inputs.indices {
      let x = context.run.input(index).data
      var dot = 0.0
      for row in 0..<dy.rows { dot += Double(dotProduct(dy.data + row * dy.width, x + row * dy.width, dy.width)) }
      dots.append(dot)
      mean += Double(weights.floats[index]) * dot
    }
    for index in inputs.indices { dp[index] += weights.floats[index] * Float(dots[index] - mean) }
  }

  override func backward(_ context: TrainingContext, _ rows: Range<Int>, phase: Int) {
    let dy = context.gradient
    let start = rows.lowerBound * dy.width
    for index in inputs.indices {
      guard let dx = context.inputGradient(index) else { continue }
      let weight = weights?.floats[index] ?? 1 / Float(inputs.count)
      addFloats(dy.data + start, rows.count * dy.width, times: weight, to: dx + start)
    }
  }
}
