import CClip

extension OpDescriptor {
  static let rowParameter = OpDescriptor(
    "row_parameter", inputs: 0, named: .required, settings: [.integer("width", 1...Builder.largestWidth)]
  ) { call throws(ClipError) in
    try call.add(RowParameter(call.name, width: try call.integer("width")))
  }

  static let table = OpDescriptor(
    "table", inputs: 0, named: .required,
    settings: [.integer("rows", 1...Builder.largestWidth), .integer("width", 1...Builder.largestWidth)]
  ) { call throws(ClipError) in
    try call.add(
      RowParameter(
        call.name, table: 0..<(try call.integer("rows")), of: try call.integer("rows"), isTable: true,
        width: try call.integer("width")))
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
    return try call.add(
      RowParameter(
        call.name, table: row..<(row + 1), of: rows, isTable: false, width: try call.integer("width")))
  }
}

/// Learned rows, the same for every item: a vector such as a class token, one row of a table, or all rows.
final class RowParameter: Operation {
  let parameter: Parameter
  private let first: Int
  private let count: Int
  private var values: Memory?

  init(_ name: Name, width: Int) {
    parameter = Parameter(name: name, shape: [width])
    (first, count) = (0, 1)
    super.init(inputs: [], shape: Shape(rows: .one, width: width))
  }

  /// Rows `part` of a table of `rows` rows: one, or all.
  init(_ name: Name, table part: Range<Int>, of rows: Int, isTable: Bool, width: Int) {
    parameter = Parameter(name: name, shape: [rows, width])
    (first, count) = (part.lowerBound, part.count)
    super.init(inputs: [], shape: Shape(rows: isTable ? .fixed(rows) : .one, width: width))
  }

  override var name: StaticString { "row parameter" }
  override var parameters: [Parameter] { [parameter] }
  override func load(_ loader: ParameterLoader) throws(ClipError) { values = try loader.vector(parameter) }

  override func run(_ run: Run) {
    guard let values else { return }
    let floats = count * shape.width
    for item in 0..<run.batch.items {
      (run.output.data + item * floats).update(from: values.floats + first * shape.width, count: floats)
    }
  }

  override var isDifferentiable: Bool { true }
  override func backward(_ context: TrainingContext) {
    guard let table = context.parameterGradient(0) else { return }
    let floats = count * shape.width
    for item in 0..<context.batch.items {
      addFloats(context.gradient.data + item * floats, floats, to: table + first * shape.width)
    }
  }
}
