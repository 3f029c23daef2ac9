import CClip

extension OpDescriptor {
  static let prepend = OpDescriptor("prepend", inputs: 2) { call throws(ClipError) in
    let (shape, first) = (call.shapes[0], call.shapes[1])
    guard case .fixed(let rows) = shape.rows, first.rows == .one, first.width == shape.width else {
      throw call.expected("an image's rows and one row as wide")
    }
    return try call.add(Prepend(input: call.inputs[0], of: shape, row: call.inputs[1], rows: rows))
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
