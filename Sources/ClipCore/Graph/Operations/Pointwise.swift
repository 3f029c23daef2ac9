import CClip
import CSystem

/// A function of each number.
final class Activation: Operation {
  let activation: clip_activation

  init(input: Int, shape: Shape, _ activation: clip_activation) {
    self.activation = activation
    super.init(inputs: [input], shape: shape)
  }

  override var name: StaticString { "activate" }
  override var isRowWise: Bool { true }
  override func mayOverwrite(input index: Int) -> Bool { true }
  override func picking(_ selector: RowSelector, inputs: [Int]) -> Operation? {
    inputs.first.map { Activation(input: $0, shape: Shape(rows: .one, width: shape.width), activation) }
  }

  override func compute(_ run: Run, _ rows: Range<Int>) { run.scaleShift(rows, nil, nil, activation) }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override var isCheap: Bool { true }
  override func backwardReads(input index: Int) -> Bool { true }

  override func beginsGradient(ofInput index: Int) -> Bool { true }

  /// Numbers whose slopes are computed at a time.
  private static var slopeFloats: Int { 1024 }

  override func backward(_ context: TrainingContext) {
    let count = context.gradient.rows * shape.width
    context.parallel(self, (count + Activation.slopeFloats - 1) / Activation.slopeFloats, grain: 16)
  }

  /// Parts are stretches of numbers.
  override func backward(_ context: TrainingContext, _ part: Range<Int>, phase: Int) {
    guard let dx = context.inputGradient(0) else { return }
    let dy = context.gradient
    let adding = context.adds(0)
    let end = min(dy.rows * shape.width, part.upperBound * Activation.slopeFloats)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: Activation.slopeFloats) { buffer in
      guard let slopes = buffer.baseAddress else { return }
      var first = part.lowerBound * Activation.slopeFloats
      while first < end {
        let count = min(Activation.slopeFloats, end - first)
        activation.slopes(context.run.input(0).data + first, count, context.run.kernels, into: slopes)
        putProducts(dy.data + first, slopes, count, adding: adding, to: dx + first)
        first += count
      }
    }
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
  override func beginsGradient(ofInput index: Int) -> Bool { true }
  override func backward(_ context: TrainingContext) {
    context.parallel(self, context.gradient.rows, grain: max(1, 16384 / shape.width))
  }

  override func backward(_ context: TrainingContext, _ rows: Range<Int>, phase: Int) {
    let start = rows.lowerBound * shape.width
    for index in inputs.indices {
      guard let dx = context.inputGradient(index) else { continue }
      let dy = context.gradient.data + start
      if context.adds(index) {
        addFloats(dy, rows.count * shape.width, to: dx + start)
      } else {
        memcpy(dx + start, dy, rows.count * shape.width * 4)
      }
    }
  }
}

extension Run {
  /// activation(x * scale + shift) of some rows, column by column.
  func scaleShift(
    _ rows: Range<Int>, _ scale: UnsafePointer<Float>?, _ shift: UnsafePointer<Float>?, _ activation: clip_activation
  ) {
    let x = input(0)
    let start = rows.lowerBound * x.width
    kernels.table.pointee.scale_shift?(
      x.data + start, x.width, output.data + start, x.width, rows.count, x.width, scale, shift, activation)
  }
}
