import CClip
import CSystem

extension OpDescriptor {
  /// Values of one shape have their own node, which can be fused; others are broadcast.
  static let add = OpDescriptor("add", inputs: 2) { call throws(ClipError) in
    let (left, right) = (call.shapes[0], call.shapes[1])
    guard left.rows == right.rows, left.width == right.width else { return try Broadcast.add(call, .sum) }
    return try call.add(Add(call.inputs[0], call.inputs[1], shape: left))
  }
}

/// The sum of two values of one shape.
final class Add: Operation {
  init(_ x: Int, _ y: Int, shape: Shape) { super.init(inputs: [x, y], shape: shape) }

  override var name: StaticString { "add" }
  override var isRowWise: Bool { true }
  override func mayOverwrite(input index: Int) -> Bool { true }
  override func picking(_ selector: RowSelector, inputs: [Int]) -> Operation? {
    guard inputs.count == 2 else { return nil }
    return Add(inputs[0], inputs[1], shape: Shape(rows: .one, width: shape.width))
  }

  override func compute(_ run: Run, _ rows: Range<Int>) {
    let x = run.input(0)
    let y = run.input(1)
    let start = rows.lowerBound * x.width
    run.kernels.add(x.data + start, y.data + start, run.output.data + start, rows: rows.count, width: x.width)
  }

  override var isDifferentiable: Bool { true }
  override func setsGradient(ofInput index: Int) -> Bool { true }
  override func backward(_ context: TrainingContext) {
    context.parallel(self, context.gradient.rows, grain: max(1, 16384 / shape.width))
  }

  override func backward(_ context: TrainingContext, _ rows: Range<Int>, phase: Int) {
    let start = rows.lowerBound * shape.width
    for index in inputs.indices {
      guard let dx = context.inputGradient(index) else { continue }
      let dy = context.gradient.data + start
      if context.adds(input: index) {
        addFloats(dy, rows.count * shape.width, to: dx + start)
      } else {
        memcpy(dx + start, dy, rows.count * shape.width * 4)
      }
    }
  }
}
