import CClip

extension OpDescriptor {
  /// `rows` of the table: at least as many as an item has at most; 0 for that many. An item's row i has the table's row
  /// `first` + i.
  static let positions = OpDescriptor(
    "positions", inputs: 1, named: .required,
    settings: [
      .integer("rows", 0...Builder.largestWidth, default: 0), .integer("first", 0...Builder.largestWidth, default: 0),
    ]
  ) { call throws(ClipError) in
    var needed: Int
    switch call.shapes[0].rows {
    case .one: needed = 1
    case .fixed(let count): needed = count
    case .tokens: needed = call.builder.graph.nodes.lazy.compactMap { $0 as? TokenInput }.first?.contextLength ?? 1
    }
    let (rows, first) = (try call.integer("rows"), try call.integer("first"))
    needed += first
    guard rows == 0 || rows >= needed else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "expected a table of at least \(needed) rows, found \(rows)")
    }
    return try call.add(
      Positions(input: call.inputs[0], of: call.shapes[0], rows: max(rows, needed), first: first, name: call.name))
  }
}

/// Adds row `first` + i of a learned table to row i of each item.
final class Positions: Operation {
  let parameter: Parameter
  private let first: Int
  private var table: Memory?

  init(input: Int, of shape: Shape, rows: Int, first: Int, name: Name) {
    self.first = first
    parameter = Parameter(name: name, shape: [rows, shape.width])
    super.init(inputs: [input], shape: shape)
  }

  override var name: StaticString { "positions" }
  override var parameters: [Parameter] { [parameter] }
  override var ignoresRowsAfterEnd: Bool { true }
  override func mayOverwrite(input index: Int) -> Bool { true }
  override func load(_ loader: ParameterLoader) throws(ClipError) { table = try loader.vector(parameter) }

  override func run(_ run: Run) {
    run.parallel(self, run.batch.items, grain: 4)
  }

  override func compute(_ run: Run, _ items: Range<Int>) {
    guard let table = table.map({ $0.floats + first * shape.width }) else { return }
    let x = run.input(0)
    for item in items {
      let rows = run.batch.rows(of: item, in: shape.rows)
      let start = run.batch.firstRow(of: item, in: shape.rows) * x.width
      run.kernels.add(x.data + start, table, run.output.data + start, rows: rows, width: x.width)
    }
  }

  override var isDifferentiable: Bool { true }
  override func backward(_ context: TrainingContext) {
    let dy = context.gradient
    context.parallel(self, (dy.width + 15) / 16, grain: 1)
  }

  /// Parts are groups of columns.
  override func backward(_ context: TrainingContext, _ groups: Range<Int>, phase: Int) {
    let dy = context.gradient
    let columns = (groups.lowerBound * 16)..<min(dy.width, groups.upperBound * 16)
    let table = context.parameterGradient(0).map { $0 + first * dy.width }
    let dx = context.inputGradient(0)
    for item in 0..<context.batch.items {
      let start = context.batch.firstRow(of: item, in: shape.rows)
      for row in 0..<context.batch.rows(of: item, in: shape.rows) {
        let line = dy.data + (start + row) * dy.width
        if let table { for column in columns { table[row * dy.width + column] += line[column] } }
        if let dx { for column in columns { dx[(start + row) * dy.width + column] += line[column] } }
      }
    }
  }
}
