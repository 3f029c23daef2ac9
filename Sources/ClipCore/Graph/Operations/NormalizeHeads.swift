import CClip
import CSystem

extension OpDescriptor {
  /// Scales each head of each row to unit length, times e^"<name>" [heads, 1, 1], at most 100, if there is a name:
  /// queries and keys of cosine attention (Liu et al., 2022, https://arxiv.org/abs/2111.09883).
  static let normalizeHeads = OpDescriptor(
    "normalize_heads", inputs: 1, named: .optional, settings: [.integer("heads", 1...Builder.largestWidth)]
  ) { call throws(ClipError) in
    let heads = try call.integer("heads")
    guard call.shapes[0].width % heads == 0 else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "expected a number of heads that divides the width \(call.shapes[0].width), found \(heads)")
    }
    return try call.add(NormalizeHeads(call.inputs[0], shape: call.shapes[0], heads: heads, scale: call.name))
  }
}

private final class NormalizeHeads: Operation {
  private let heads: Int
  private let logScale: Parameter?
  private var factors: Memory?

  init(_ x: Int, shape: Shape, heads: Int, scale: Name) {
    self.heads = heads
    logScale = scale.isEmpty ? nil : Parameter(name: scale, shape: [heads, 1, 1])
    super.init(inputs: [x], shape: shape)
  }

  override var name: StaticString { "normalize_heads" }
  override var parameters: [Parameter] { logScale.map { [$0] } ?? [] }
  override func initialValue(ofParameter index: Int) -> Float? { logf(10) }
  override var isRowWise: Bool { true }
  override func mayOverwrite(input index: Int) -> Bool { true }

  private static var largest: Float { logf(100) }
  private var headWidth: Int { shape.width / heads }

  override func load(_ loader: ParameterLoader) throws(ClipError) {
    guard let logScale else { return }
    let values = try loader.vector(logScale)
    let factors = try Memory(floats: heads, for: "scales of heads")
    for head in 0..<heads { factors.floats[head] = expf(min(values.floats[head], NormalizeHeads.largest)) }
    self.factors = factors
  }

  /// 1 / the length of one head.
  private func inverse(_ x: UnsafePointer<Float>) -> Float { 1 / max(dotProduct(x, x, headWidth).squareRoot(), 1e-12) }

  override func compute(_ run: Run, _ rows: Range<Int>) {
    for head in (rows.lowerBound * heads)..<(rows.upperBound * heads) {
      let x = run.input(0).data + head * headWidth
      let y = run.output.data + head * headWidth
      let factor = inverse(x) * (factors?.floats[head % heads] ?? 1)
      forEachEight(headWidth) { i, lanes in put(eight(x + i, lanes) * factor, y + i, lanes) }
    }
  }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override func backwardReads(input index: Int) -> Bool { true }
  override func bind(_ loader: ParameterLoader) throws(ClipError) {
    if logScale != nil { factors = try Memory(floats: heads, for: "scales of heads") }
  }

  override func forward(_ context: TrainingContext) {
    if let factors {
      for head in 0..<heads { factors.floats[head] = expf(min(context.parameter(0)[head], NormalizeHeads.largest)) }
    }
    run(context.run)
  }

  override func backward(_ context: TrainingContext) {
    context.parallel(self, context.gradient.rows, grain: max(1, 16384 / shape.width))
    guard let factors, let dl = context.parameterGradient(0) else { return }
    // d log scale: y dy, unless the scale is at its limit.
    for head in 0..<(context.gradient.rows * heads) where context.parameter(0)[head % heads] <= NormalizeHeads.largest {
      let x = context.run.input(0).data + head * headWidth
      let dot = dotProduct(x, context.gradient.data + head * headWidth, headWidth)
      dl[head % heads] += dot * inverse(x) * factors.floats[head % heads]
    }
  }

  /// dx += factor (dy - z (z dy)) / |x|, with z the head at unit length.
  override func backward(_ context: TrainingContext, _ rows: Range<Int>, phase: Int) {
    guard let dx = context.inputGradient(0) else { return }
    for head in (rows.lowerBound * heads)..<(rows.upperBound * heads) {
      let x = context.run.input(0).data + head * headWidth
      let dy = context.gradient.data + head * headWidth
      let inverse = inverse(x)
      let factor = inverse * (factors?.floats[head % heads] ?? 1)
      addFloats(dy, headWidth, times: factor, to: dx + head * headWidth)
      addFloats(
        x, headWidth, times: -factor * inverse * inverse * dotProduct(x, dy, headWidth), to: dx + head * headWidth)
    }
  }
}
