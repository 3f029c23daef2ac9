import CClip

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
