import CClip

extension OpDescriptor {
  static let multiply = OpDescriptor("multiply", inputs: 2) { call throws(ClipError) in
    try Broadcast.add(call, .product)
  }
  /// The second value may be the smaller.
  static let subtract = OpDescriptor("subtract", inputs: 2) { call throws(ClipError) in
    try Broadcast.add(call, .difference)
  }
}

/// The sum, product or difference of two values, one of which may be smaller: one row for all rows of an item, or one
/// element for all elements of a row.
final class Broadcast: Operation {
  enum Operator { case sum, product, difference }

  /// How the second value is broadcast.
  enum Spread {
    case none
    /// One row for all rows of an item.
    case row
    /// One column for all columns.
    case column
  }

  let operation: Operator
  let spread: Spread

  init(_ x: Int, _ y: Int, shape: Shape, _ operation: Operator, _ spread: Spread) {
    self.operation = operation
    self.spread = spread
    super.init(inputs: [x, y], shape: shape)
  }

  /// Adds the node for a call's two values; the smaller is broadcast.
  static func add(_ call: OpCall, _ operation: Operator) throws(ClipError) -> Int {
    for (x, y) in [(0, 1), (1, 0)] where x == 0 || operation != .difference {
      guard let spread = spread(call.shapes[y], over: call.shapes[x]) else { continue }
      return try call.add(Broadcast(call.inputs[x], call.inputs[y], shape: call.shapes[x], operation, spread))
    }
    throw call.expected("values of one shape, or one of one row or one column")
  }

  /// How `y` is broadcast over `x`; nil if it cannot be.
  private static func spread(_ y: Shape, over x: Shape) -> Spread? {
    if y.rows == x.rows, y.width == x.width { return Spread.none }
    if y.rows == .one, y.width == x.width { return .row }
    if y.rows == x.rows, y.width == 1 { return .column }
    return nil
  }

  override var name: StaticString { operation == .sum ? "add" : operation == .product ? "multiply" : "subtract" }
  override var isRowWise: Bool { true }
  override func needsOneRow(ofInput index: Int) -> Bool { index == 0 || spread != .row }
  override func mayOverwrite(input index: Int) -> Bool { index == 0 || spread == .none }
  override func picking(_ selector: RowSelector, inputs: [Int]) -> Operation? {
    guard inputs.count == 2 else { return nil }
    let row = Shape(rows: .one, width: shape.width)
    return Broadcast(inputs[0], inputs[1], shape: row, operation, spread == .row ? .none : spread)
  }

  override func run(_ run: Run) {
    guard spread == .row else { return super.run(run) }
    run.parallel(self, run.batch.items, grain: max(1, 16384 / (shape.width * max(1, run.batch.longest(shape.rows)))))
  }

  /// Parts are rows or, if one row is broadcast over an item, items.
  override func compute(_ run: Run, _ part: Range<Int>) {
    guard spread == .row else {
      for row in part { combine(run, row, row) }
      return
    }
    for item in part {
      let first = run.batch.firstRow(of: item, in: shape.rows)
      for row in first..<(first + run.batch.rows(of: item, in: shape.rows)) { combine(run, row, item) }
    }
  }

  /// Combines row `row` of the first value with row `other` of the second.
  private func combine(_ run: Run, _ row: Int, _ other: Int) {
    let width = shape.width
    let x = run.input(0).data + row * width
    let y = run.input(1)
    let z = run.output.data + row * width
    if spread == .column {
      combine(x, with: y.data[other], z, width)
    } else {
      combine(x, y.data + other * width, z, width)
    }
  }

  private func combine(
    _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ z: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    let operation = operation
    forEachEight(count) { i, lanes in
      let (a, b) = (eight(x + i, lanes), eight(y + i, lanes))
      put(operation == .sum ? a + b : operation == .product ? a * b : a - b, z + i, lanes)
    }
  }

  private func combine(_ x: UnsafePointer<Float>, with y: Float, _ z: UnsafeMutablePointer<Float>, _ count: Int) {
    if operation == .product {
      forEachEight(count) { i, lanes in put(eight(x + i, lanes) * y, z + i, lanes) }
    } else {
      let term = operation == .sum ? y : -y
      forEachEight(count) { i, lanes in put(eight(x + i, lanes) + term, z + i, lanes) }
    }
  }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override func backwardReads(input index: Int) -> Bool { operation == .product }
  override func backward(_ context: TrainingContext) {
    let byItem = spread == .row
    context.parallel(
      self, byItem ? context.batch.items : context.gradient.rows, grain: byItem ? 1 : max(1, 16384 / shape.width))
  }

  /// Parts as in `compute`.
  override func backward(_ context: TrainingContext, _ part: Range<Int>, phase: Int) {
    for unit in part {
      guard spread == .row else {
        backwardRow(context, unit, unit)
        continue
      }
      let first = context.batch.firstRow(of: unit, in: shape.rows)
      for row in first..<(first + context.batch.rows(of: unit, in: shape.rows)) { backwardRow(context, row, unit) }
    }
  }

  private func backwardRow(_ context: TrainingContext, _ row: Int, _ other: Int) {
    let width = shape.width
    let dz = context.gradient.data + row * width
    let dx = context.inputGradient(0).map { $0 + row * width }
    let dy = context.inputGradient(1)
    let isProduct = operation == .product
    let sign: Float = operation == .difference ? -1 : 1
    if spread == .column {
      let y = isProduct ? context.run.input(1).data[other] : 1
      if let dx { addFloats(dz, width, times: y, to: dx) }
      guard let dy else { return }
      if !isProduct {
        for i in 0..<width { dy[other] += sign * dz[i] }
      } else {
        dy[other] += dotProduct(dz, context.run.input(0).data + row * width, width)
      }
      return
    }
    if !isProduct {
      if let dx { addFloats(dz, width, to: dx) }
      if let dy { addFloats(dz, width, times: sign, to: dy + other * width) }
      return
    }
    let x = context.run.input(0).data + row * width
    let y = context.run.input(1).data + other * width
    if let dx { putProducts(dz, y, width, adding: true, to: dx) }
    if let dy { putProducts(dz, x, width, adding: true, to: dy + other * width) }
  }
}
