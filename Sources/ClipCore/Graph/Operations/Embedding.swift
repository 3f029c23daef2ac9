import CClip

extension OpDescriptor {
  static let embedding = OpDescriptor(
    "embedding", inputs: 1, named: .required,
    settings: [.integer("width", 1...Builder.largestWidth), .real("scale", 0...1024, default: 1)]
  ) { call throws(ClipError) in
    guard let tokens = call.builder.graph.nodes[call.inputs[0]] as? TokenInput else { throw call.expected("tokens") }
    return try call.add(
      Embedding(
        tokens: call.inputs[0], vocabulary: tokens.vocabulary, width: try call.integer("width"),
        weight: call.name + ".weight", scale: Float(try call.real("scale"))))
  }
}

/// Rows of a table picked by token id, times `scale`.
final class Embedding: Operation {
  let parameter: Parameter
  private let scale: Float
  private var table: Table?

  init(tokens: Int, vocabulary: Int, width: Int, weight: Name, scale: Float) {
    self.scale = scale
    parameter = Parameter(name: weight, shape: [vocabulary, width])
    super.init(inputs: [tokens], shape: Shape(rows: .tokens, width: width))
  }

  override var name: StaticString { "embedding" }
  override var parameters: [Parameter] { [parameter] }
  override var ignoresRowsAfterEnd: Bool { true }
  override func load(_ loader: ParameterLoader) throws(ClipError) { table = try loader.table(parameter) }
  override func makeReady(_ threads: ThreadPool) throws(ClipError) { try table?.makeReady(threads) }

  override func run(_ run: Run) {
    do throws(ClipError) {
      try table?.copyRows(run.batch.tokenIDs, run.output.rows, to: run.output.data, run.threads)
      let output = run.output
      if scale != 1 {
        forEachEight(output.rows * output.width) { i, lanes in
          put(eight(output.data + i, lanes) * scale, output.data + i, lanes)
        }
      }
    } catch {
      run.failures.record(error, run.node)
    }
  }

  override var isDifferentiable: Bool { true }
  override func backward(_ context: TrainingContext) {
    guard let table = context.parameterGradient(0) else { return }
    let dy = context.gradient
    for row in 0..<dy.rows {
      addFloats(
        dy.data + row * dy.width, dy.width, times: scale, to: table + Int(context.batch.tokenIDs[row]) * dy.width)
    }
  }
}
