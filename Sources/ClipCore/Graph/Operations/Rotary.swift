import CClip
import CSystem

extension OpDescriptor {
  /// Cosines, then sines, of (`first` + i) times each of width / 2 frequencies, for row i. Frequency j is theta^(-j /
  /// (width / 2)) / factor. With `spread` it is theta^(-j / (width / 2 - 1)), and sines come first, as in Fairseq's
  /// Transformer (Vaswani et al., 2017). The input gives the number of rows.
  static let sinusoids = OpDescriptor(
    "sinusoids", inputs: 1,
    settings: [
      .integer("width", 2...Builder.largestWidth), .real("theta", 1...1e12), .real("factor", 1e-6...1e6, default: 1),
      .integer("first", 0...Builder.largestWidth, default: 0), .flag("spread", default: false),
    ]
  ) { call throws(ClipError) in
    let width = try call.integer("width")
    let spread = try call.flag("spread")
    guard width % 2 == 0, !spread || width > 2 else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "expected an even width, found \(width)")
    }
    var frequencies: [Float] = []
    let steps = Double(spread ? width / 2 - 1 : width / 2)
    let theta = try call.real("theta")
    for step in 0..<(width / 2) {
      frequencies.append(Float(1 / pow(theta, Double(step) / steps) / (try call.real("factor"))))
    }
    return try call.add(
      Sinusoids(
        call.inputs[0], rows: call.shapes[0].rows, frequencies, first: try call.integer("first"), hasSinesFirst: spread)
    )
  }

  /// Rotary positions (Su et al., 2021, https://arxiv.org/abs/2104.09864): rotates pairs of elements in each head of x
  /// by the angles of the second input (cosines, then sines, as from `sinusoids`). Elements without an angle stay. A
  /// pair is element i of the rotated ones and the one half of them later; with `interleaved`, elements 2 i and 2 i +
  /// 1.
  static let rotary = OpDescriptor(
    "rotary", inputs: 2,
    settings: [.integer("heads", 1...Builder.largestWidth), .flag("interleaved", default: false)]
  ) { call throws(ClipError) in
    let (x, angles) = (call.shapes[0], call.shapes[1])
    let heads = try call.integer("heads")
    guard x.width % heads == 0, x.rows == angles.rows, angles.width % 2 == 0, angles.width <= x.width / heads else {
      throw call.expected("rows of \(heads) heads and as many rows of angles, at most a head wide")
    }
    return try call.add(
      Rotary(call.inputs, shape: x, heads: heads, rotated: angles.width, isInterleaved: try call.flag("interleaved")))
  }
}

/// Depends on the rows' positions only.
private final class Sinusoids: Operation {
  private let frequencies: [Float]
  private let first: Int
  private let hasSinesFirst: Bool

  init(_ input: Int, rows: Rows, _ frequencies: [Float], first: Int, hasSinesFirst: Bool) {
    self.frequencies = frequencies
    self.first = first
    self.hasSinesFirst = hasSinesFirst
    super.init(inputs: [input], shape: Shape(rows: rows, width: 2 * frequencies.count))
  }

  override var name: StaticString { "sinusoids" }
  override var ignoresRowsAfterEnd: Bool { true }
  override var isDifferentiable: Bool { true }
  override var isCheap: Bool { true }

  override func run(_ run: Run) { run.parallel(self, run.batch.items, grain: 1) }

  override func compute(_ run: Run, _ items: Range<Int>) {
    let pairs = frequencies.count
    for item in items {
      var target = run.output.data + run.batch.firstRow(of: item, in: shape.rows) * shape.width
      for row in 0..<run.batch.rows(of: item, in: shape.rows) {
        for (pair, frequency) in frequencies.enumerated() {
          // As in PyTorch, the angle is rounded to float32.
          let angle = Float(first + row) * frequency
          target[hasSinesFirst ? pairs + pair : pair] = cosf(angle)
          target[hasSinesFirst ? pair : pairs + pair] = sinf(angle)
        }
        target += shape.width
      }
    }
  }
}

private final class Rotary: Operation {
  private let heads: Int
  /// The number of elements of a head that are rotated.
  private let rotated: Int
  private let isInterleaved: Bool

  init(_ inputs: [Int], shape: Shape, heads: Int, rotated: Int, isInterleaved: Bool) {
    self.heads = heads
    self.rotated = rotated
    self.isInterleaved = isInterleaved
    super.init(inputs: inputs, shape: shape)
  }

  override var name: StaticString { "rotary" }
  override var isRowWise: Bool { true }
  override func mayOverwrite(input index: Int) -> Bool { index == 0 }
  override func picking(_ selector: RowSelector, inputs: [Int]) -> Operation? {
    Rotary(
      inputs, shape: Shape(rows: .one, width: shape.width), heads: heads, rotated: rotated,
      isInterleaved: isInterleaved)
  }

  override func compute(_ run: Run, _ rows: Range<Int>) {
    for row in rows {
      let (x, y) = (run.input(0).data + row * shape.width, run.output.data + row * shape.width)
      let angles = run.input(1).data + row * rotated
      if x != UnsafeMutablePointer(y) { y.update(from: x, count: shape.width) }
      rotate(UnsafePointer(x), angles, sign: 1) { y[$0] = $1 }
    }
  }

  /// Passes the rotated elements of one row to `body`. A `sign` of -1 rotates back.
  @inline(__always)
  private func rotate(
    _ x: UnsafePointer<Float>, _ angles: UnsafePointer<Float>, sign: Float, _ put: (Int, Float) -> Void
  ) {
    let pairs = rotated / 2
    for head in 0..<heads {
      let start = head * (shape.width / heads)
      for pair in 0..<pairs {
        let a = start + (isInterleaved ? 2 * pair : pair)
        let b = isInterleaved ? a + 1 : a + pairs
        let (cosine, sine) = (angles[pair], sign * angles[pairs + pair])
        let (left, right) = (x[a], x[b])
        put(a, left * cosine - right * sine)
        put(b, right * cosine + left * sine)
      }
    }
  }

  // MARK: Training

  /// With respect to x only: the angles are constant.
  override var isDifferentiable: Bool { true }
  override var isCheap: Bool { true }
  override func backwardReads(input index: Int) -> Bool { index == 1 }
  override func backward(_ context: TrainingContext) {
    context.parallel(self, context.gradient.rows, grain: max(1, 16384 / shape.width))
  }

  override func backward(_ context: TrainingContext, _ rows: Range<Int>, phase: Int) {
    guard let dx = context.inputGradient(0) else { return }
    let headWidth = shape.width / heads
    for row in rows {
      let dy = context.gradient.data + row * shape.width
      let target = dx + row * shape.width
      rotate(dy, context.run.input(1).data + row * rotated, sign: -1) { target[$0] += $1 }
      for head in 0..<heads {
        let start = head * headWidth + rotated
        addFloats(dy + start, headWidth - rotated, to: target + start)
      }
    }
  }
}
