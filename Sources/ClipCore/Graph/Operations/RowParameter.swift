import CClip

extension OpDescriptor {
  static let rowParameter = OpDescriptor(
    "row_parameter", inputs: 0, named: .required, settings: [.integer("width", 1...Builder.largestWidth)]
  ) { call throws(ClipError) in
    try call.add(RowParameter(call.name, width: try call.integer("width")))
  }

  static let tableRow = OpDescriptor(
    "table_row", inputs: 0, named: .required,
    settings: [
      .integer("rows", 1...Builder.largestWidth), .integer("row", 0...Builder.largestWidth),
      .integer("width", 1...Builder.largestWidth),
    ]
  ) { call throws(ClipError) in
    let (rows, row) = (try call.integer("rows"), try call.integer("row"))
    guard row < rows else { throw ClipError(CLIP_INVALID_ARGUMENT, "expected a row below \(rows), found \(row)") }
    return try call.add(RowParameter(call.name, rows: rows, row: row, width: try call.integer("width")))
  }
}

/// One learned row, the same for every item, such as a class token: a vector, or one row of a table.
final class RowParameter: Operation {
  let parameter: Parameter
  private let row: Int
  private var values: Memory?

  init(_ name: Name, width: Int) {
    parameter = Parameter(name: name, shape: [width])
    row = 0
    super.init(inputs: [], shape: Shape(rows: .one, width: width))
  }

  init(_ name: Name, rows: Int, row: Int, width: Int) {
    parameter = Parameter(name: name, shape: [rows, width])
    self.row = row
    super.init(inputs: [], shape: Shape(rows: .one, width: width))
  }

  override var name: StaticString { "row parameter" }
  override var parameters: [Parameter] { [parameter] }
  override func load(_ loader: ParameterLoader) throws(ClipError) { values = try loader.vector(parameter) }

  override func run(_ run: Run) {
    guard let values else { return }
    for item in 0..<run.batch.items {
      (run.output.data + item * shape.width).update(from: values.floats + row * shape.width, count: shape.width)
    }
  }

  override var isDifferentiable: Bool { true }
  override func backward(_ context: TrainingContext) {
    guard let table = context.parameterGradient(0) else { return }
    let dy = context.gradient
    for item in 0..<dy.rows { addFloats(dy.data + item * dy.width, dy.width, to: table + row * dy.width) }
  }
}
