import CClip
import CSystem

extension OpDescriptor {
  /// Rotary positions (Su et al., 2021, https://arxiv.org/abs/2104.09864) of an image's patches: in each head, pair i
  /// of the patch in row y and column x is rotated by the angle row_frequency[i] * y + column_frequency[i] * x. The
  /// first `first` rows stay as they are; height x width patches follow. A pair is two neighbouring elements or, with
  /// `halves`, one of each half of the head.
  static let rotaryGrid = OpDescriptor(
    "rotary_grid", inputs: 1,
    settings: [
      .integer("heads", 1...Builder.largestWidth), .integer("first", 0...Builder.largestWidth, default: 0),
      .integer("height", 1...Builder.largestWidth), .integer("width", 1...Builder.largestWidth),
      .flag("halves", default: false), .reals("row_origin"), .reals("column_origin"), .reals("row_frequency"),
      .reals("column_frequency"),
    ]
  ) { call throws(ClipError) in
    let shape = call.shapes[0]
    let (heads, first) = (try call.integer("heads"), try call.integer("first"))
    let (height, width) = (try call.integer("height"), try call.integer("width"))
    guard case .fixed(let rows) = shape.rows, rows - first == height * width, shape.width % (2 * heads) == 0 else {
      throw call.expected("\(first) rows and \(height) x \(width) patches, of \(heads) heads of an even width")
    }
    let frequencies = (call.reals("row_frequency"), call.reals("column_frequency"))
    let origins = (call.reals("row_origin").first ?? 0, call.reals("column_origin").first ?? 0)
    let pairs = shape.width / heads / 2
    guard frequencies.0.count == pairs, frequencies.1.count == pairs else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "expected \(pairs) frequencies for rows and for columns, found \(frequencies.0.count) and \(frequencies.1.count)"
      )
    }
    let angles = RotaryGrid.Angles(
      height: height, width: width, rows: frequencies.0, columns: frequencies.1, origins: origins)
    // All blocks of a tower share one table.
    let same = call.builder.graph.nodes.lazy.compactMap { ($0 as? RotaryGrid)?.angles }.first { $0.isSame(as: angles) }
    return try call.add(
      RotaryGrid(
        call.inputs[0], shape: shape, heads: heads, first: first, halves: try call.flag("halves"),
        angles: same ?? angles))
  }
}

/// Rotates pairs of queries or keys by the position of their patch.
final class RotaryGrid: Operation {
  /// Cosines and sines of every patch's angles, computed before the first run.
  final class Angles {
    let height: Int
    let width: Int
    let frequencies: (rows: [Double], columns: [Double])
    let origins: (row: Double, column: Double)
    /// [height * width, 2, pairs].
    private(set) var table: Memory?

    init(height: Int, width: Int, rows: [Double], columns: [Double], origins: (Double, Double)) {
      self.height = height
      self.width = width
      frequencies = (rows, columns)
      self.origins = origins
    }

    var pairs: Int { frequencies.rows.count }

    func isSame(as other: Angles) -> Bool {
      height == other.height && width == other.width && frequencies == other.frequencies && origins == other.origins
    }

    func make() throws(ClipError) {
      if table != nil { return }
      let floats = try product(try product(height * width, 2 * pairs, "angles"), 1, "angles")
      let table = try Memory(floats: floats, for: "rotary positions")
      var at = table.floats
      for y in 0..<height {
        for x in 0..<width {
          for pair in 0..<pairs {
            let angle =
              frequencies.rows[pair] * (Double(y) + origins.row)
              + frequencies.columns[pair] * (Double(x) + origins.column)
            at[pair] = Float(cos(angle))
            at[pairs + pair] = Float(sin(angle))
          }
          at += 2 * pairs
        }
      }
      self.table = table
    }
  }

  let angles: Angles
  private let heads: Int
  private let first: Int
  private let halves: Bool

  init(_ x: Int, shape: Shape, heads: Int, first: Int, halves: Bool, angles: Angles) {
    self.heads = heads
    self.first = first
    self.halves = halves
    self.angles = angles
    super.init(inputs: [x], shape: shape)
  }

  override var name: StaticString { "rotary_grid" }
  override var isRowWise: Bool { true }
  override func mayOverwrite(input index: Int) -> Bool { true }
  /// The first row of an item is at position 0.
  override func picking(_ selector: RowSelector, inputs: [Int]) -> Operation? {
    guard selector == .first else { return nil }
    return inputs.first.map {
      RotaryGrid(
        $0, shape: Shape(rows: .one, width: shape.width), heads: heads, first: first, halves: halves, angles: angles)
    }
  }

  override func load(_ loader: ParameterLoader) throws(ClipError) { try angles.make() }

  override func compute(_ run: Run, _ rows: Range<Int>) {
    for row in rows {
      let (x, y) = (run.input(0).data + row * shape.width, run.output.data + row * shape.width)
      rotate(x, row, into: y, adding: false, direction: 1)
    }
  }

  /// Rotates one row from x into y; back with a direction of -1.
  private func rotate(
    _ x: UnsafePointer<Float>, _ row: Int, into y: UnsafeMutablePointer<Float>, adding: Bool, direction: Float
  ) {
    var place = row
    if case .fixed(let count) = shape.rows { place = row % count } else { place = 0 }
    guard place >= first, let table = angles.table else {
      if adding {
        addFloats(x, shape.width, to: y)
      } else if x != UnsafePointer(y) {
        y.update(from: x, count: shape.width)
      }
      return
    }
    let pairs = angles.pairs
    let cosines = table.floats + (place - first) * 2 * pairs
    let sines = cosines + pairs
    let (step, partner) = halves ? (1, pairs) : (2, 1)
    for head in 0..<heads {
      let (from, to) = (x + head * 2 * pairs, y + head * 2 * pairs)
      for pair in 0..<pairs {
        let (a, b) = (from[pair &* step], from[pair &* step &+ partner])
        let (c, s) = (cosines[pair], sines[pair] * direction)
        let (p, q) = (a * c - b * s, b * c + a * s)
        to[pair &* step] = adding ? to[pair &* step] + p : p
        to[pair &* step &+ partner] = adding ? to[pair &* step &+ partner] + q : q
      }
    }
  }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override var isCheap: Bool { true }
  override func backward(_ context: TrainingContext) {
    context.parallel(self, context.gradient.rows, grain: max(1, 16384 / shape.width))
  }

  override func backward(_ context: TrainingContext, _ rows: Range<Int>, phase: Int) {
    guard let dx = context.inputGradient(0) else { return }
    for row in rows {
      rotate(
        context.gradient.data + row * shape.width, row, into: dx + row * shape.width, adding: true, direction: -1)
    }
  }
}
