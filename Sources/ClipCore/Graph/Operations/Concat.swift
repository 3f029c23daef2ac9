import CClip

extension OpDescriptor {
  static let concat = OpDescriptor("concat", inputs: 2) { call throws(ClipError) in
    let (left, right) = (call.shapes[0], call.shapes[1])
    guard left.rows == right.rows, left.width + right.width <= Builder.largestWidth else {
      throw call.expected("two values of as many rows, at most \(Builder.largestWidth) wide together")
    }
    return try call.add(
      Concat(
        call.inputs[0], call.inputs[1], rows: left.rows, grid: left.grid ?? right.grid,
        widths: (left.width, right.width)))
  }
}

/// Two values side by side: each row is the first's, then the second's.
final class Concat: Operation {
  init(_ x: Int, _ y: Int, rows: Rows, grid: Shape.Grid?, widths: (Int, Int)) {
    super.init(inputs: [x, y], shape: Shape(rows: rows, width: widths.0 + widths.1, grid: grid))
  }

  private init(_ inputs: [Int], width: Int) { super.init(inputs: inputs, shape: Shape(rows: .one, width: width)) }

  override var name: StaticString { "concat" }
  override var isRowWise: Bool { true }
  override func picking(_ selector: RowSelector, inputs: [Int]) -> Operation? { Concat(inputs, width: shape.width) }

  override func compute(_ run: Run, _ rows: Range<Int>) {
    let x = run.input(0)
    let y = run.input(1)
    for row in rows {
      let target = run.output.data + row * shape.width
      target.update(from: x.data + row * x.width, count: x.width)
      (target + x.width).update(from: y.data + row * y.width, count: y.width)
    }
  }

  override var isDifferentiable: Bool { true }
  override var isCheap: Bool { true }
  override func backward(_ context: TrainingContext) {
    context.parallel(self, context.gradient.rows, grain: max(1, 16384 / shape.width))
  }

  override func backward(_ context: TrainingContext, _ rows: Range<Int>, phase: Int) {
    let dy = context.gradient
    var column = 0
    for index in inputs.indices {
      let width = context.run.input(index).width
      if let dx = context.inputGradient(index) {
        for row in rows { addFloats(dy.data + row * dy.width + column, width, to: dx + row * width) }
      }
      column += width
    }
  }
}
