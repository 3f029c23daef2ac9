import CClip

extension OpDescriptor {
  static let meanRows = OpDescriptor("mean_rows", inputs: 1) { call throws(ClipError) in
    try ReduceRows.add(call, .mean)
  }
  static let maxRows = OpDescriptor("max_rows", inputs: 1) { call throws(ClipError) in
    try ReduceRows.add(call, .maximum)
  }
  static let meanColumns = OpDescriptor("mean_columns", inputs: 1) { call throws(ClipError) in
    try call.add(ReduceColumns(input: call.inputs[0], of: call.shapes[0], .mean))
  }
  static let maxColumns = OpDescriptor("max_columns", inputs: 1) { call throws(ClipError) in
    try call.add(ReduceColumns(input: call.inputs[0], of: call.shapes[0], .maximum))
  }
}

/// What a reduction leaves of many numbers.
enum Reduction { case mean, maximum }

/// The mean or maximum of each column over an item's rows, taken from the first row to the last.
final class ReduceRows: Operation {
  let reduction: Reduction

  init(input: Int, of shape: Shape, _ reduction: Reduction) {
    self.reduction = reduction
    super.init(inputs: [input], shape: Shape(rows: .one, width: shape.width))
  }

  static func add(_ call: OpCall, _ reduction: Reduction) throws(ClipError) -> Int {
    if call.shapes[0].rows == .one { return call.inputs[0] }
    return try call.add(ReduceRows(input: call.inputs[0], of: call.shapes[0], reduction))
  }

  override var name: StaticString { reduction == .mean ? "mean_rows" : "max_rows" }

  override func run(_ run: Run) {
    run.parallel(self, run.batch.items, grain: 1)
  }

  override func compute(_ run: Run, _ items: Range<Int>) {
    let x = run.input(0)
    let rows = run.inputShape(0).rows
    for item in items {
      let first = x.data + run.batch.firstRow(of: item, in: rows) * x.width
      reduce(first, run.batch.rows(of: item, in: rows), run.output.data + item * x.width)
    }
  }

  private func reduce(_ x: UnsafePointer<Float>, _ rows: Int, _ output: UnsafeMutablePointer<Float>) {
    let width = shape.width
    output.update(from: x, count: width)
    for row in 1..<max(1, rows) {
      let source = x + row * width
      if reduction == .mean {
        for column in 0..<width { output[column] += source[column] }
      } else {
        for column in 0..<width where !(output[column] >= source[column]) { output[column] = source[column] }
      }
    }
    if reduction == .mean {
      let scale = 1 / Float(max(1, rows))
      for column in 0..<width { output[column] *= scale }
    }
  }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override func backwardReads(input index: Int) -> Bool { reduction == .maximum }
  override func backward(_ context: TrainingContext) { context.parallel(self, context.batch.items, grain: 1) }

  /// Rows that share a column's maximum share its gradient.
  override func backward(_ context: TrainingContext, _ items: Range<Int>, phase: Int) {
    guard let dx = context.inputGradient(0) else { return }
    let width = shape.width
    let rowsOfItem = context.run.inputShape(0).rows
    for item in items {
      let first = context.batch.firstRow(of: item, in: rowsOfItem)
      let rows = context.batch.rows(of: item, in: rowsOfItem)
      let dy = context.gradient.data + item * width
      if reduction == .mean {
        let scale = 1 / Float(max(1, rows))
        for row in first..<(first + rows) {
          addFloats(dy, width, times: scale, to: dx + row * width)
        }
        continue
      }
      let x = context.run.input(0).data
      for column in 0..<width {
        var largest = -Float.infinity
        for row in first..<(first + rows) { largest = max(largest, x[row * width + column]) }
        var ties = 0
        for row in first..<(first + rows) where x[row * width + column] == largest { ties += 1 }
        let share = dy[column] / Float(max(1, ties))
        for row in first..<(first + rows) where x[row * width + column] == largest { dx[row * width + column] += share }
      }
    }
  }
}

/// The mean or maximum of each row's numbers: one number a row.
final class ReduceColumns: Operation {
  let reduction: Reduction

  init(input: Int, of shape: Shape, _ reduction: Reduction) {
    self.reduction = reduction
    super.init(inputs: [input], shape: Shape(rows: shape.rows, width: 1, grid: shape.grid))
  }

  override var name: StaticString { reduction == .mean ? "mean_columns" : "max_columns" }
  override var isRowWise: Bool { true }
  override func picking(_ selector: RowSelector, inputs: [Int]) -> Operation? {
    inputs.first.map { ReduceColumns(input: $0, of: Shape(rows: .one, width: 1), reduction) }
  }

  override func run(_ run: Run) {
    run.parallel(self, run.output.rows, grain: max(1, 16384 / run.input(0).width))
  }

  override func compute(_ run: Run, _ rows: Range<Int>) {
    let x = run.input(0)
    for row in rows { run.output.data[row] = reduce(x.data + row * x.width, x.width) }
  }

  private func reduce(_ x: UnsafePointer<Float>, _ count: Int) -> Float {
    var result = x[0]
    if reduction == .mean {
      for index in 1..<max(1, count) { result += x[index] }
      return result / Float(count)
    }
    for index in 1..<max(1, count) where !(result >= x[index]) { result = x[index] }
    return result
  }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override func backwardReads(input index: Int) -> Bool { reduction == .maximum }
  override func backward(_ context: TrainingContext) {
    context.parallel(self, context.gradient.rows, grain: max(1, 16384 / context.run.input(0).width))
  }

  /// Columns that share a row's maximum share its gradient.
  override func backward(_ context: TrainingContext, _ rows: Range<Int>, phase: Int) {
    guard let dx = context.inputGradient(0) else { return }
    let dy = context.gradient.data
    let width = context.run.input(0).width
    for row in rows {
      let target = dx + row * width
      if reduction == .mean {
        let share = dy[row] / Float(width)
        for column in 0..<width { target[column] += share }
        continue
      }
      let x = context.run.input(0).data + row * width
      let largest = reduce(x, width)
      var ties = 0
      for column in 0..<width where x[column] == largest { ties += 1 }
      let share = dy[row] / Float(max(1, ties))
      for column in 0..<width where x[column] == largest { target[column] += share }
    }
  }
}
