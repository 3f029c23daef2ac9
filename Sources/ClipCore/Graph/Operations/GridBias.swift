import CClip

extension OpDescriptor {
  /// A bias of attention for each offset between two patches (Liu et al., 2021, https://arxiv.org/abs/2103.14030): for
  /// each query heads x keys elements. The input is a table of (2 height - 1)(2 width - 1) rows of `heads` elements,
  /// one for each offset, line by line. If a class token is before the patches, three more rows are its bias to
  /// patches, the patches' to it, and its own; without these rows they are 0.
  static let gridBias = OpDescriptor(
    "grid_bias", inputs: 1,
    settings: [
      .integer("height", 1...Builder.largestWidth), .integer("width", 1...Builder.largestWidth),
      .integer("first", 0...1, default: 0),
    ]
  ) { call throws(ClipError) in
    let (height, width) = (try call.integer("height"), try call.integer("width"))
    let first = try call.integer("first")
    let table = call.shapes[0]
    let distances = try product(2 * height - 1, 2 * width - 1, "distances of patches")
    guard case .fixed(let count) = table.rows, count == distances || first == 1 && count == distances + 3 else {
      throw call.expected("a table of \(distances) rows\(first == 1 ? ", or three more" : "")")
    }
    let rows = first + height * width
    let shape = Shape(rows: .fixed(rows), width: try product(table.width, rows, "biases"))
    return try call.add(
      GridBias(call.inputs[0], shape: shape, height: height, width: width, first: first, distances: distances, count))
  }
}

/// Looks up the bias of every pair of patches.
final class GridBias: Operation {
  private let height: Int
  private let width: Int
  private let first: Int
  private let distances: Int
  private let tableRows: Int

  init(_ table: Int, shape: Shape, height: Int, width: Int, first: Int, distances: Int, _ tableRows: Int) {
    self.height = height
    self.width = width
    self.first = first
    self.distances = distances
    self.tableRows = tableRows
    super.init(inputs: [table], shape: shape)
  }

  override var name: StaticString { "grid_bias" }

  /// The row of the table for a query and a key; nil for a bias of 0.
  private func entry(_ query: Int, _ key: Int) -> Int? {
    if query < first || key < first {
      guard tableRows > distances else { return nil }
      return distances + (query >= first ? 1 : key >= first ? 0 : 2)
    }
    let (q, k) = (query - first, key - first)
    return (q / width - k / width + height - 1) * (2 * width - 1) + q % width - k % width + width - 1
  }

  private var rows: Int { first + height * width }

  override func run(_ run: Run) { run.parallel(self, run.output.rows, grain: max(1, 16384 / shape.width)) }

  override func compute(_ run: Run, _ part: Range<Int>) {
    let heads = shape.width / rows
    for row in part {
      let table = run.input(0).data + row / rows * tableRows * heads
      let out = run.output.data + row * shape.width
      for key in 0..<rows {
        let entry = entry(row % rows, key)
        for head in 0..<heads { out[head &* rows &+ key] = entry.map { table[$0 &* heads &+ head] } ?? 0 }
      }
    }
  }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override var isCheap: Bool { true }
  override func backward(_ context: TrainingContext) { context.parallel(self, context.batch.items, grain: 1) }

  /// Parts are items.
  override func backward(_ context: TrainingContext, _ items: Range<Int>, phase: Int) {
    guard let gradient = context.inputGradient(0) else { return }
    let heads = shape.width / rows
    for item in items {
      let table = gradient + item * tableRows * heads
      for query in 0..<rows {
        let dy = context.gradient.data + (item * rows + query) * shape.width
        for key in 0..<rows {
          guard let entry = entry(query, key) else { continue }
          for head in 0..<heads { table[entry * heads + head] += dy[head * rows + key] }
        }
      }
    }
  }
}
