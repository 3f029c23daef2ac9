import CClip

extension OpDescriptor {
  /// With `last`, the row comes after the others; then all tokens of a text must be computed.
  static let prepend = OpDescriptor("prepend", inputs: 2, settings: [.flag("last", default: false)]) {
    call throws(ClipError) in
    let (shape, row) = (call.shapes[0], call.shapes[1])
    var rows = 0
    switch shape.rows {
    case .fixed(let count): rows = count
    case .tokens: rows = call.builder.graph.wholeTextRows ?? 0
    case .one: break
    }
    guard rows > 0, row.rows == .one, row.width == shape.width else {
      throw call.expected("an image's rows or all of a text's, and one row as wide")
    }
    return try call.add(
      Prepend(
        input: call.inputs[0], of: shape, row: call.inputs[1], rows: rows, isLast: try call.flag("last")))
  }
}

extension Graph {
  /// The rows of every text, if all its tokens are computed; nil if texts end earlier.
  var wholeTextRows: Int? {
    for node in nodes {
      if let tokens = node as? TokenInput, tokens.rule == CLIP_END_LAST { return tokens.contextLength }
    }
    return nil
  }
}

/// Adds one row before or after the rows of each item: a class token, or attention pooling's mean.
final class Prepend: Operation {
  private let isLast: Bool

  init(input: Int, of shape: Shape, row: Int, rows: Int, isLast: Bool) {
    self.isLast = isLast
    super.init(inputs: [input, row], shape: Shape(rows: .fixed(rows + 1), width: shape.width))
  }

  override var name: StaticString { "prepend" }

  /// The offsets of the item's rows and of the one row, in floats, among `rows` and one more.
  private func places(_ item: Int, _ rows: Int) -> (rows: Int, row: Int) {
    let start = item * (rows + 1) * shape.width
    return isLast ? (start, start + rows * shape.width) : (start + shape.width, start)
  }

  override func run(_ run: Run) {
    run.parallel(self, run.batch.items, grain: 8)
  }

  override func compute(_ run: Run, _ items: Range<Int>) {
    let x = run.input(0)
    let row = run.input(1)
    let rows = x.rows / max(1, run.batch.items)
    let width = x.width
    for item in items {
      let places = places(item, rows)
      (run.output.data + places.row).update(from: row.data + item * width, count: width)
      (run.output.data + places.rows).update(from: x.data + item * rows * width, count: rows * width)
    }
  }

  override var isDifferentiable: Bool { true }
  override func backward(_ context: TrainingContext) { context.parallel(self, context.batch.items, grain: 8) }

  override func backward(_ context: TrainingContext, _ items: Range<Int>, phase: Int) {
    let dy = context.gradient
    let rows = context.run.input(0).rows / max(1, context.batch.items)
    for item in items {
      let places = places(item, rows)
      if let row = context.inputGradient(1) { addFloats(dy.data + places.row, dy.width, to: row + item * dy.width) }
      if let dx = context.inputGradient(0) {
        addFloats(dy.data + places.rows, rows * dy.width, to: dx + item * rows * dy.width)
      }
    }
  }
}
