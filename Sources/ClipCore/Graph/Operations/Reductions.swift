import CClip

/// What a reduction leaves of many numbers.
enum Reduction { case mean, maximum }

/// The mean or maximum of each column over an item's rows, taken from the first row to the last.
final class ReduceRows: Operation {
  let reduction: Reduction

  init(input: Int, of shape: Shape, _ reduction: Reduction) {
    self.reduction = reduction
    super.init(inputs: [input], shape: Shape(rows: .one, width: shape.width))
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
}
