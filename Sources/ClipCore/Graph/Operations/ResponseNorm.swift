import CClip

extension OpDescriptor {
  /// Global response normalisation (Woo et al., 2023, https://arxiv.org/abs/2301.00808).
  static let responseNorm = OpDescriptor(
    "response_norm", inputs: 1, named: .required, settings: [.real("epsilon", 0...1)]
  ) { call throws(ClipError) in
    let norms = try call.add(ColumnNorms(input: call.inputs[0], of: call.shapes[0]))
    return try call.add(
      ResponseNorm(
        call.inputs[0], norms, shape: call.shapes[0], name: call.name, epsilon: Float(try call.real("epsilon"))))
  }
}

/// The Euclidean norm of each column over an item's rows.
private final class ColumnNorms: Operation {
  /// Columns that one piece of work sums.
  private static var groupWidth: Int { 64 }
  private var groups: Int { (shape.width + ColumnNorms.groupWidth - 1) / ColumnNorms.groupWidth }

  init(input: Int, of shape: Shape) { super.init(inputs: [input], shape: Shape(rows: .one, width: shape.width)) }

  override var name: StaticString { "column_norms" }
  override func run(_ run: Run) { run.parallel(self, run.batch.items * groups, grain: 1) }

  /// Parts are groups of columns, counted over the items.
  override func compute(_ run: Run, _ part: Range<Int>) {
    let width = shape.width
    let rowsOfItem = run.inputShape(0).rows
    for unit in part {
      let item = unit / groups
      let rows = run.batch.rows(of: item, in: rowsOfItem)
      let first = unit % groups * ColumnNorms.groupWidth
      let x = run.input(0).data + run.batch.firstRow(of: item, in: rowsOfItem) * width + first
      let norms = run.output.data + item * width + first
      forEachEight(min(ColumnNorms.groupWidth, width - first)) { column, lanes in
        var total = SIMD8<Float>.zero
        // Sums of 64 rows are added up, so that rounding does not grow with the rows.
        for block in stride(from: 0, to: rows, by: 64) {
          var sum = SIMD8<Float>.zero
          for row in block..<min(rows, block + 64) {
            let value = eight(x + row * width + column, lanes)
            sum += value * value
          }
          total += sum
        }
        put(total.squareRoot(), norms + column, lanes)
      }
    }
  }

  override var isDifferentiable: Bool { true }
  override func backwardReads(input index: Int) -> Bool { true }
  override var backwardReadsOutput: Bool { true }
  override func backward(_ context: TrainingContext) {
    context.parallel(self, context.run.input(0).rows, grain: max(1, 16384 / shape.width))
  }

  /// dx += x dn / n, by rows. A column of zeros has the gradient 0.
  override func backward(_ context: TrainingContext, _ rows: Range<Int>, phase: Int) {
    guard let dx = context.inputGradient(0) else { return }
    let width = shape.width
    let rowsEach = context.run.input(0).rows / context.batch.items
    for row in rows {
      let item = row / rowsEach
      let x = context.run.input(0).data + row * width
      let n = context.run.output.data + item * width
      let dn = context.gradient.data + item * width
      for c in 0..<width where n[c] > 0 { dx[row * width + c] += x[c] * dn[c] / n[c] }
    }
  }
}

/// x (1 + weight u) + bias, where u is the column's norm over the mean of all columns' norms.
private final class ResponseNorm: Operation {
  let weight: Parameter
  let bias: Parameter
  let epsilon: Float
  private var values: (weight: Memory, bias: Memory)?

  init(_ x: Int, _ norms: Int, shape: Shape, name: Name, epsilon: Float) {
    weight = Parameter(name: name + ".weight", shape: [shape.width])
    bias = Parameter(name: name + ".bias", shape: [shape.width])
    self.epsilon = epsilon
    super.init(inputs: [x, norms], shape: shape)
  }

  override var name: StaticString { "response_norm" }
  override var parameters: [Parameter] { [weight, bias] }
  override func initialValue(ofParameter index: Int) -> Float? { 0 }
  override func mayOverwrite(input index: Int) -> Bool { index == 0 }

  override func load(_ loader: ParameterLoader) throws(ClipError) {
    values = (try loader.vector(weight), try loader.vector(bias))
  }

  /// 1 / (mean of an item's norms + epsilon).
  private func inverse(_ norms: UnsafePointer<Float>) -> Float {
    var sum = SIMD8<Float>.zero
    forEachEight(shape.width) { c, lanes in sum += eight(norms + c, lanes) }
    return 1 / (sum.sum() / Float(shape.width) + epsilon)
  }

  override func run(_ run: Run) {
    run.parallel(self, run.batch.items * 8, grain: max(1, 131072 / max(1, shape.width * run.batch.longest(shape.rows))))
  }

  /// Parts are eighths of items.
  override func compute(_ run: Run, _ part: Range<Int>) {
    guard let values else { return }
    let width = shape.width
    for unit in part {
      let item = unit / 8
      let n = run.input(1).data + item * width
      let r = inverse(n)
      let first = run.batch.firstRow(of: item, in: shape.rows)
      for offset in run.batch.rows(of: item, in: shape.rows).share(unit % 8, of: 8) {
        let x = run.input(0).data + (first + offset) * width
        let y = run.output.data + (first + offset) * width
        forEachEight(width) { c, lanes in
          let slope = 1 + eight(values.weight.floats + c, lanes) * (eight(n + c, lanes) * r)
          put(eight(x + c, lanes) * slope + eight(values.bias.floats + c, lanes), y + c, lanes)
        }
      }
    }
  }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override func backwardReads(input index: Int) -> Bool { true }
  /// For each item, the sum over its rows of dy x.
  override func trainingScratch(_ batch: Batch, _ kernels: Kernels) -> Int { batch.items * shape.width }

  override func backward(_ context: TrainingContext) {
    context.parallel(self, context.batch.items, grain: 1)
    let width = shape.width
    if let dw = context.parameterGradient(0) {
      for item in 0..<context.batch.items {
        let n = context.run.input(1).data + item * width
        let r = inverse(n)
        for c in 0..<width { dw[c] += context.scratch[item * width + c] * n[c] * r }
      }
    }
    if let db = context.parameterGradient(1) {
      context.addColumns(context.gradient.data, stride: width, rows: context.gradient.rows, width: width, to: db)
    }
  }

  /// dx += dy (1 + w u); with s = w sum of dy x, dn += r s - r^2 (sum of s n) / width.
  override func backward(_ context: TrainingContext, _ items: Range<Int>, phase: Int) {
    let width = shape.width
    let w = context.parameter(0)
    for item in items {
      let n = context.run.input(1).data + item * width
      let r = inverse(n)
      let sums = context.scratch + item * width
      for c in 0..<width { sums[c] = 0 }
      let first = context.batch.firstRow(of: item, in: shape.rows)
      for row in first..<(first + context.batch.rows(of: item, in: shape.rows)) {
        let dy = context.gradient.data + row * width
        putProducts(dy, context.run.input(0).data + row * width, width, adding: true, to: sums)
        guard let dx = context.inputGradient(0) else { continue }
        for c in 0..<width { dx[row * width + c] += dy[c] * (1 + w[c] * n[c] * r) }
      }
      guard let dn = context.inputGradient(1) else { continue }
      var mean: Float = 0
      for c in 0..<width { mean += w[c] * sums[c] * n[c] }
      mean *= r * r / Float(width)
      for c in 0..<width { dn[item * width + c] += r * w[c] * sums[c] - mean }
    }
  }
}
