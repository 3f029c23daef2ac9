import CClip

extension OpDescriptor {
  static let dropout = OpDescriptor("dropout", inputs: 1, settings: [.real("probability", 0...0.999)]) {
    call throws(ClipError) in
    try call.add(
      Dropout(input: call.inputs[0], shape: call.shapes[0], Float(try call.real("probability"))))
  }
}

/// In training, sets each element to 0 with a probability and scales the others so that the mean stays (Srivastava et
/// al., 2014). Inference removes it.
final class Dropout: Operation {
  private let probability: Float

  init(input: Int, shape: Shape, _ probability: Float) {
    self.probability = probability
    super.init(inputs: [input], shape: shape)
  }

  override var name: StaticString { "dropout" }
  override var isRowWise: Bool { true }
  override func picking(_ selector: RowSelector, inputs: [Int]) -> Operation? {
    inputs.first.map { Dropout(input: $0, shape: Shape(rows: .one, width: shape.width), probability) }
  }

  override var isDifferentiable: Bool { true }
  override var isCheap: Bool { true }
  override func forward(_ context: TrainingContext) { context.parallel(self, context.batch.items, grain: 1, phase: 0) }
  override func backward(_ context: TrainingContext) { context.parallel(self, context.batch.items, grain: 1, phase: 1) }

  /// Which elements are dropped depends on the step, the item's index in the step, the op and the element's index.
  override func backward(_ context: TrainingContext, _ items: Range<Int>, phase: Int) {
    let limit = UInt32(Double(probability) * 0x1p32)
    let scale = 1 / (1 - probability)
    for item in items {
      let start = context.batch.firstRow(of: item, in: shape.rows) * shape.width
      let count = context.batch.rows(of: item, in: shape.rows) * shape.width
      var stream = RandomStream(
        seed: context.step.seed, purpose: .dropout,
        stream: context.step.number << 24 | UInt64(context.step.firstItem + item) & 0xff_ffff,
        part: context.step.towerIndex << 20 | UInt32(truncatingIfNeeded: context.run.node) & 0xf_ffff)
      if phase == 0 {
        let x = context.run.input(0).data + start
        let y = context.run.output.data + start
        if context.step.isEvaluation {
          y.update(from: x, count: count)
          continue
        }
        for index in 0..<count { y[index] = stream.bits() < limit ? 0 : x[index] * scale }
      } else if let dx = context.inputGradient(0).map({ $0 + start }) {
        let dy = context.gradient.data + start
        for index in 0..<count where stream.bits() >= limit { dx[index] += dy[index] * scale }
      }
    }
  }
}
