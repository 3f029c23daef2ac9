import CClip
import CSystem

/// A weighted mean of values of one shape. The weights are the softmax of a learned vector or,
/// without one, all the same.
final class Mix: Operation {
  let parameter: Parameter?
  private var weights: Memory?

  init(_ inputs: [Int], shape: Shape, name: Name?) {
    parameter = name.map { Parameter(name: $0, shape: [inputs.count]) }
    super.init(inputs: inputs, shape: shape)
  }

  private init(_ mix: Mix, _ inputs: [Int]) {
    parameter = mix.parameter
    super.init(inputs: inputs, shape: Shape(rows: .one, width: mix.shape.width))
  }

  override var name: StaticString { "mix" }
  override var parameters: [Parameter] { parameter.map { [$0] } ?? [] }
  override var isRowWise: Bool { true }
  override func mayOverwrite(input index: Int) -> Bool { index == 0 }
  override func picking(_ selector: RowSelector, inputs: [Int]) -> Operation? { Mix(self, inputs) }

  override func load(_ loader: ParameterLoader) throws(ClipError) {
    guard let parameter else { return }
    let values = try loader.vector(parameter)
    var largest = values.floats[0]
    for index in 0..<inputs.count { largest = max(largest, values.floats[index]) }
    var sum = 0.0
    for index in 0..<inputs.count { sum += exp(Double(values.floats[index] - largest)) }
    for index in 0..<inputs.count { values.floats[index] = Float(exp(Double(values.floats[index] - largest)) / sum) }
    weights = values
  }

  override func compute(_ run: Run, _ rows: Range<Int>) {
    let output = run.output
    let same = 1 / Float(inputs.count)
    let start = rows.lowerBound * output.width
    let count = rows.count * output.width
    let target = output.data + start
    for index in inputs.indices {
      let source = run.input(index).data + start
      let weight = weights?.floats[index] ?? same
      if index == 0 {
        for place in 0..<count { target[place] = weight * source[place] }
      } else {
        for place in 0..<count { target[place] += weight * source[place] }
      }
    }
  }
}
