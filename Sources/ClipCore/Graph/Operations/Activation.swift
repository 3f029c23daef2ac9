import CClip

extension OpDescriptor {
  static let activate = OpDescriptor(
    "activate", inputs: 1, settings: [.integer("activation", 0...Int(CLIP_TANH.rawValue))]
  ) { call throws(ClipError) in
    try call.add(
      Activation(
        input: call.inputs[0], shape: call.shapes[0], clip_activation(UInt32(try call.integer("activation")))))
  }
}

/// A function of each element.
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

  override func setsGradient(ofInput index: Int) -> Bool { true }

  /// Elements whose slopes are computed at a time.
  private static var slopeFloats: Int { 1024 }

  override func backward(_ context: TrainingContext) {
    let count = context.gradient.rows * shape.width
    context.parallel(self, (count + Activation.slopeFloats - 1) / Activation.slopeFloats, grain: 16)
  }

  /// Parts are ranges of elements.
  override func backward(_ context: TrainingContext, _ part: Range<Int>, phase: Int) {
    guard let dx = context.inputGradient(0) else { return }
    let dy = context.gradient
    let adding = context.adds(input: 0)
    let end = min(dy.rows * shape.width, part.upperBound * Activation.slopeFloats)
    // 1 KB, which Swift allocates on the stack.
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 256) { buffer in
      guard let slopes = buffer.baseAddress else { return }
      var first = part.lowerBound * Activation.slopeFloats
      while first < end {
        let count = min(buffer.count, end - first)
        activation.slopes(context.run.input(0).data + first, count, context.run.kernels, into: slopes)
        putProducts(dy.data + first, slopes, count, adding: adding, to: dx + first)
        first += count
      }
    }
  }
}

extension Run {
  /// activation(x * scale + shift) for some rows, column by column.
  func scaleShift(
    _ rows: Range<Int>, _ scale: UnsafePointer<Float>?, _ shift: UnsafePointer<Float>?, _ activation: clip_activation
  ) {
    let x = input(0)
    let start = rows.lowerBound * x.width
    kernels.table.pointee.scale_shift(
      x.data + start, x.width, output.data + start, x.width, rows.count, x.width, scale, shift, activation)
  }
}
