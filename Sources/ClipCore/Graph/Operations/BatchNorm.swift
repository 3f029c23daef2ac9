import CClip

/// Batch normalisation with the running statistics (Ioffe and Szegedy, 2015,
/// https://arxiv.org/abs/1502.03167). After a convolution it folds into the weights.
final class BatchNorm: Operation {
  let weight: Parameter
  let bias: Parameter
  let mean: Parameter
  let variance: Parameter
  let epsilon: Float
  private var values: (scale: Memory, shift: Memory)?

  init(input: Int, shape: Shape, name: Name, epsilon: Float) {
    weight = Parameter(name: name + ".weight", shape: [shape.width])
    bias = Parameter(name: name + ".bias", shape: [shape.width])
    mean = Parameter(name: name + ".running_mean", shape: [shape.width])
    variance = Parameter(name: name + ".running_var", shape: [shape.width])
    self.epsilon = epsilon
    super.init(inputs: [input], shape: shape)
  }

  override var name: StaticString { "batch_norm" }
  override var parameters: [Parameter] { [weight, bias, mean, variance] }
  override func mayOverwrite(input index: Int) -> Bool { true }
  override func load(_ loader: ParameterLoader) throws(ClipError) { values = try affine(loader) }

  /// The norm as x * scale + shift, computed in double precision.
  func affine(_ loader: ParameterLoader) throws(ClipError) -> (scale: Memory, shift: Memory) {
    let scale = try loader.vector(weight)
    let shift = try loader.vector(bias)
    let means = try loader.vector(mean)
    let variances = try loader.vector(variance)
    for channel in 0..<shape.width {
      let spread = Double(variances.floats[channel]) + Double(epsilon)
      guard spread > 0 else {
        throw ClipError(CLIP_FORMAT, "\(variance.name.string)[\(channel)]: expected a variance of at least 0, found \(variances.floats[channel])")
      }
      let factor = Double(scale.floats[channel]) / spread.squareRoot()
      shift.floats[channel] = Float(Double(shift.floats[channel]) - Double(means.floats[channel]) * factor)
      scale.floats[channel] = Float(factor)
    }
    return (scale, shift)
  }

  override func compute(_ run: Run, _ rows: Range<Int>) {
    guard let values else { return }
    run.scaleShift(rows, values.scale.floats, values.shift.floats, CLIP_IDENTITY)
  }
}
