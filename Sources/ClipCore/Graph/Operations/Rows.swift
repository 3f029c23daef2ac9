import CClip

/// Picks one row of each item: the class token's, or a text's end token's.
final class PickRow: Operation {
  let selector: RowSelector

  init(input: Int, of shape: Shape, _ selector: RowSelector) {
    self.selector = selector
    super.init(inputs: [input], shape: Shape(rows: .one, width: shape.width))
  }

  override var name: StaticString { selector == .first ? "first_row" : "end_row" }
  override var ignoresRowsAfterEnd: Bool { true }

  override func run(_ run: Run) {
    let x = run.input(0)
    let output = run.output.data
    for item in 0..<run.batch.items {
      let first = run.batch.firstRow(of: item, in: run.inputShape(0).rows)
      let row = selector == .first ? first : first + run.batch.endPosition(of: item)
      (output + item * x.width).update(from: x.data + row * x.width, count: x.width)
    }
  }

  override var isDifferentiable: Bool { true }
  override var isCheap: Bool { true }
  override func backward(_ context: TrainingContext) {
    guard let dx = context.inputGradient(0) else { return }
    let dy = context.gradient
    for item in 0..<context.batch.items {
      let first = context.batch.firstRow(of: item, in: context.run.inputShape(0).rows)
      let row = selector == .first ? first : first + context.batch.endPosition(of: item)
      addFloats(dy.data + item * dy.width, dy.width, to: dx + row * dy.width)
    }
  }
}

/// Puts one row before the rows of each item: a class token, or attention pooling's mean.
final class Prepend: Operation {
  init(input: Int, of shape: Shape, row: Int, rows: Int) {
    super.init(inputs: [input, row], shape: Shape(rows: .fixed(rows + 1), width: shape.width))
  }

  override var name: StaticString { "prepend" }

  override func run(_ run: Run) {
    run.parallel(self, run.batch.items, grain: 8)
  }

  override func compute(_ run: Run, _ items: Range<Int>) {
    let x = run.input(0)
    let row = run.input(1)
    let rows = x.rows / max(1, run.batch.items)
    let width = x.width
    for item in items {
      let target = run.output.data + item * (rows + 1) * width
      target.update(from: row.data + item * width, count: width)
      (target + width).update(from: x.data + item * rows * width, count: rows * width)
    }
  }

  override var isDifferentiable: Bool { true }
  override func backward(_ context: TrainingContext) { context.parallel(self, context.batch.items, grain: 8) }

  override func backward(_ context: TrainingContext, _ items: Range<Int>, phase: Int) {
    let dy = context.gradient
    let rows = context.run.input(0).rows / max(1, context.batch.items)
    for item in items {
      let source = dy.data + item * (rows + 1) * dy.width
      if let row = context.inputGradient(1) { addFloats(source, dy.width, to: row + item * dy.width) }
      if let dx = context.inputGradient(0) {
        addFloats(source + dy.width, rows * dy.width, to: dx + item * rows * dy.width)
      }
    }
  }
}
