import CClip

/// Layer normalisation of each row (Ba et al., 2016, https://arxiv.org/abs/1607.06450).
final class LayerNorm: Operation {
  let weight: Parameter
  let bias: Parameter
  let epsilon: Float
  private var values: (weight: Memory, bias: Memory)?

  init(input: Int, shape: Shape, name: Name, epsilon: Float) {
    weight = Parameter(name: name + ".weight", shape: [shape.width])
    bias = Parameter(name: name + ".bias", shape: [shape.width])
    self.epsilon = epsilon
    super.init(inputs: [input], shape: shape)
  }

  private init(_ norm: LayerNorm, input: Int) {
    weight = norm.weight
    bias = norm.bias
    epsilon = norm.epsilon
    super.init(inputs: [input], shape: Shape(rows: .one, width: norm.shape.width))
  }

  override var name: StaticString { "layer_norm" }
  override var parameters: [Parameter] { [weight, bias] }
  override var isRowWise: Bool { true }
  override func mayOverwrite(input index: Int) -> Bool { true }
  override func picking(_ selector: RowSelector, inputs: [Int]) -> Operation? {
    inputs.first.map { LayerNorm(self, input: $0) }
  }

  override func load(_ loader: ParameterLoader) throws(ClipError) {
    values = (try loader.vector(weight), try loader.vector(bias))
  }

  override func compute(_ run: Run, _ rows: Range<Int>) {
    guard let values else { return }
    let x = run.input(0)
    let y = run.output
    run.kernels.table.pointee.layer_norm?(
      x.data + rows.lowerBound * x.width, x.width, y.data + rows.lowerBound * x.width, x.width, rows.count, x.width,
      values.weight.floats, values.bias.floats, epsilon)
  }
}
