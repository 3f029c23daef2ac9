import CClip

extension OpDescriptor {
  static let firstRow = OpDescriptor("first_row", inputs: 1) { call throws(ClipError) in
    try PickRow.add(call, .first)
  }
  static let endRow = OpDescriptor("end_row", inputs: 1) { call throws(ClipError) in
    guard call.shapes[0].rows == .one || call.shapes[0].rows == .tokens else { throw call.expected("a text's rows") }
    return try PickRow.add(call, .end)
  }
}

/// Picks one row of each item: the class token's, or a text's end token's.
final class PickRow: Operation {
  let selector: RowSelector

  init(input: Int, of shape: Shape, _ selector: RowSelector) {
    self.selector = selector
    super.init(inputs: [input], shape: Shape(rows: .one, width: shape.width))
  }

  static func add(_ call: OpCall, _ selector: RowSelector) throws(ClipError) -> Int {
    if call.shapes[0].rows == .one { return call.inputs[0] }
    return try call.add(PickRow(input: call.inputs[0], of: call.shapes[0], selector))
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
