import CClip

extension OpDescriptor {
  static let meanRows = ReduceRows.descriptor("mean_rows", .mean)
  static let maxRows = ReduceRows.descriptor("max_rows", .maximum)
  static let meanColumns = OpDescriptor("mean_columns", inputs: 1) { call throws(ClipError) in
    try call.add(ReduceColumns(input: call.inputs[0], of: call.shapes[0], .mean))
  }
  static let maxColumns = OpDescriptor("max_columns", inputs: 1) { call throws(ClipError) in
    try call.add(ReduceColumns(input: call.inputs[0], of: call.shapes[0], .maximum))
  }
}

/// How elements are reduced to one.
enum Reduction { case mean, maximum }

/// The mean or maximum of each column over all or some of an item's rows. Means are summed in double precision.
final class ReduceRows: Operation {
  let reduction: Reduction
  /// The first row, and how many; 0: all that follow.
  private let first: Int
  private let count: Int

  init(input: Int, of shape: Shape, _ reduction: Reduction, first: Int, count: Int) {
    self.reduction = reduction
    self.first = first
    self.count = count
    super.init(inputs: [input], shape: Shape(rows: .one, width: shape.width))
  }

  /// A range of rows may be given for images only; of texts all rows are used.
  static func descriptor(_ name: Name, _ reduction: Reduction) -> OpDescriptor {
    OpDescriptor(
      name, inputs: 1,
      settings: [
        .integer("first", 0...Builder.largestWidth, default: 0),
        .integer("count", 0...Builder.largestWidth, default: 0),
      ]
    ) { call throws(ClipError) in
      let (first, count) = (try call.integer("first"), try call.integer("count"))
      switch call.shapes[0].rows {
      case .fixed(let rows) where first < rows && count <= rows - first: break
      case .one where first == 0 && count <= 1: return call.inputs[0]
      case .tokens where first == 0 && count == 0: break
      default: throw call.expected("rows \(first) to \(first + max(1, count)) of an image")
      }
      return try call.add(
        ReduceRows(input: call.inputs[0], of: call.shapes[0], reduction, first: first, count: count))
    }
  }

  override var name: StaticString { reduction == .mean ? "mean_rows" : "max_rows" }

  /// The rows of an item that are reduced.
  private func rows(_ item: Int, _ batch: Batch, in rows: Rows) -> Range<Int> {
    let start = batch.firstRow(of: item, in: rows)
    let end = start + (count == 0 ? batch.rows(of: item, in: rows) : first + count)
    return (start + first)..<end
  }

  override func run(_ run: Run) {
    run.parallel(self, run.batch.items, grain: 1)
  }

  override func compute(_ run: Run, _ items: Range<Int>) {
    let x = run.input(0)
    for item in items {
      let rows = rows(item, run.batch, in: run.inputShape(0).rows)
      let (first, output) = (x.data + rows.lowerBound * x.width, run.output.data + item * x.width)
      if reduction == .mean { mean(first, rows.count, output) } else { maximum(first, rows.count, output) }
    }
  }

  private func mean(_ x: UnsafePointer<Float>, _ rows: Int, _ output: UnsafeMutablePointer<Float>) {
    let width = shape.width
    let scale = 1 / Double(max(1, rows))
    forEachEight(width) { i, lanes in
      var sum = SIMD8<Double>.zero
      for row in 0..<rows { sum += SIMD8<Double>(eight(x + row * width + i, lanes)) }
      put(SIMD8<Float>(sum * scale), output + i, lanes)
    }
  }

  private func maximum(_ x: UnsafePointer<Float>, _ rows: Int, _ output: UnsafeMutablePointer<Float>) {
    let width = shape.width
    output.update(from: x, count: width)
    for row in 1..<max(1, rows) {
      let source = x + row * width
      for column in 0..<width where !(output[column] >= source[column]) { output[column] = source[column] }
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
    for item in items {
      let rows = rows(item, context.batch, in: context.run.inputShape(0).rows)
      let dy = context.gradient.data + item * width
      if reduction == .mean {
        let scale = 1 / Float(max(1, rows.count))
        for row in rows { addFloats(dy, width, times: scale, to: dx + row * width) }
        continue
      }
      let x = context.run.input(0).data
      for column in 0..<width {
        var largest = -Float.infinity
        for row in rows { largest = max(largest, x[row * width + column]) }
        var ties = 0
        for row in rows where x[row * width + column] == largest { ties += 1 }
        let share = dy[column] / Float(max(1, ties))
        for row in rows where x[row * width + column] == largest { dx[row * width + column] += share }
      }
    }
  }
}

/// The mean or maximum of each row: one element a row.
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
      var sum = SIMD8<Double>.zero
      forEachEight(count) { i, lanes in sum += SIMD8<Double>(eight(x + i, lanes)) }
      return Float(sum.sum() / Double(count))
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
