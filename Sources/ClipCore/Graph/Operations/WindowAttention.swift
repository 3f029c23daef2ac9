import CClip
import CSystem

extension OpDescriptor {
  /// Attention inside each window of rows from `window_partition`. A fourth input is the bias: a row for each offset of
  /// a query from a key, in the order of `window_offsets`, with an element for each head. In a shifted grid, pixels
  /// from opposite edges do not see each other.
  static let windowAttention = OpDescriptor(
    "window_attention", inputs: 3...4,
    settings: [
      .integer("heads", 1...Builder.largestWidth), .integer("height", 1...16384), .integer("width", 1...16384),
      // The factor of q k'; 0: 1 / sqrt(width of a head).
      .real("scale", 0...1), .real("bias_scale", 0...1024),
    ] + windowSettings
  ) { call throws(ClipError) in
    let shape = call.shapes[0]
    let grid = Shape.Grid(height: try call.integer("height"), width: try call.integer("width"))
    let windows = try WindowGrid(call, grid)
    let heads = try call.integer("heads")
    for other in call.shapes[..<3] where other.rows != .fixed(windows.rows) || other.width != shape.width {
      throw call.expected("q, k and v of one width and \(windows.rows) rows")
    }
    guard shape.width % heads == 0 else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT, "expected a number of heads that divides the width \(shape.width), found \(heads)")
    }
    guard call.shapes.count < 4 || call.shapes[3].rows == .fixed(windows.offsets) && call.shapes[3].width == heads
    else { throw call.expected("a bias of \(windows.offsets) rows, one for each offset, and \(heads) heads") }
    return try call.add(
      WindowAttention(
        call.inputs, shape: Shape(rows: shape.rows, width: shape.width), windows, heads: heads,
        scale: Float(try call.real("scale")), biasScale: Float(try call.real("bias_scale"))))
  }

  /// All offsets of a query from a key in a window, from the most negative on, across first. An offset is two elements,
  /// down and across: sign(x) log2(1 + 8 |x|) / 3, where x is 1 at the edge of a window of the `trained` size (Liu et
  /// al., 2022, https://arxiv.org/abs/2111.09883); for `trained` 0, sign(x) ln(1 + |x|) with x in pixels (timm's
  /// RelPosMlp).
  static let windowOffsets = OpDescriptor(
    "window_offsets", inputs: 0,
    settings: [
      .integer("window_height", 1...4096), .integer("window_width", 1...4096),
      .integer("trained_height", 0...4096), .integer("trained_width", 0...4096),
    ]
  ) { call throws(ClipError) in
    let window = Shape.Grid(height: try call.integer("window_height"), width: try call.integer("window_width"))
    let trained = Shape.Grid(height: try call.integer("trained_height"), width: try call.integer("trained_width"))
    return try call.add(WindowOffsets(window, trained))
  }
}

extension WindowGrid {
  /// The number of offsets of a query from a key.
  var offsets: Int { (2 * window.height - 1) * (2 * window.width - 1) }
}

/// Attention in windows (Liu et al., 2021, https://arxiv.org/abs/2103.14030).
private final class WindowAttention: Operation {
  private let windows: WindowGrid
  private let heads: Int
  private let scale: Float
  private let biasScale: Float

  init(_ inputs: [Int], shape: Shape, _ windows: WindowGrid, heads: Int, scale: Float, biasScale: Float) {
    self.windows = windows
    self.heads = heads
    self.scale = scale == 0 ? 1 / Float(shape.width / heads).squareRoot() : scale
    self.biasScale = biasScale
    super.init(inputs: inputs, shape: shape)
  }

  override var name: StaticString { "window_attention" }

  private var headWidth: Int { shape.width / heads }
  /// Rows of a window.
  private var area: Int { windows.window.height * windows.window.width }
  private var count: Int { windows.counts.height * windows.counts.width }
  private var isShifted: Bool { windows.shift.height > 0 || windows.shift.width > 0 }
  private var biasFloats: Int { (area * area + 15) & ~15 }

  /// Work is divided into heads of items, and these into bands of windows.
  private func pieces(_ batch: Batch, _ threads: Int) -> Int { min(batch.items * heads * count, 4 * threads) }

  private func attentionFloats(_ kernels: Kernels) -> Int {
    (kernels.table.pointee.attention_scratch(area, headWidth) + 15) & ~15
  }

  override func scratchFloats(_ batch: Batch, _ kernels: Kernels) -> Int {
    pieces(batch, kernels.threads) * (attentionFloats(kernels) + biasFloats)
  }

  override func run(_ run: Run) { run.parallel(self, pieces(run.batch, run.kernels.threads), grain: 1) }

  override func compute(_ run: Run, _ part: Range<Int>) {
    let pieces = pieces(run.batch, run.kernels.threads)
    let floats = attentionFloats(run.kernels)
    for piece in part {
      let scratch = run.scratch + piece * (floats + biasFloats)
      var last = -1
      for unit in (run.batch.items * heads * count).share(piece, of: pieces) {
        let bias = bias(run, unit, &last, scratch + floats)
        attend(run, unit, bias, scratch)
      }
    }
  }

  /// Unit `unit` is a window of a head of an item.
  private func start(_ unit: Int) -> Int {
    let item = unit / (heads * count)
    return (item * count + unit % count) * area * shape.width + unit / count % heads * headWidth
  }

  private func attend(_ run: Run, _ unit: Int, _ bias: UnsafePointer<Float>?, _ scratch: UnsafeMutablePointer<Float>) {
    let start = start(unit)
    var work = clip_attention()
    work.q = UnsafePointer(run.input(0).data + start)
    work.k = UnsafePointer(run.input(1).data + start)
    work.v = UnsafePointer(run.input(2).data + start)
    work.q_stride = shape.width
    work.k_stride = shape.width
    work.v_stride = shape.width
    work.out = run.output.data + start
    work.out_stride = shape.width
    work.queries = area
    work.keys = area
    work.width = headWidth
    work.scale = scale
    work.bias = bias
    work.bias_stride = area
    work.scratch = scratch
    run.kernels.table.pointee.attention(&work)
  }

  // MARK: Bias

  /// The bias of the unit, or nil for none. It is computed at `place`, unless that has it already from the unit `last`.
  private func bias(
    _ run: Run, _ unit: Int, _ last: inout Int, _ place: UnsafeMutablePointer<Float>
  ) -> UnsafePointer<Float>? {
    guard isShifted || inputs.count == 4 else { return nil }
    let counts = windows.counts
    let window = unit % count
    // Among shifted windows, the last of a line or column have pixels of both edges.
    let isLow = windows.shift.height > 0 && window / counts.width == counts.height - 1
    let isRight = windows.shift.width > 0 && window % counts.width == counts.width - 1
    let kind = unit / count * 4 + (isLow ? 2 : 0) + (isRight ? 1 : 0)
    guard kind != last else { return UnsafePointer(place) }
    last = kind
    let table = inputs.count == 4 ? run.input(3).data + unit / (heads * count) * windows.offsets * heads : nil
    for query in 0..<area {
      for key in 0..<area {
        var value: Float = 0
        if let table { value = table[offset(query, key) * heads + unit / count % heads] * biasScale }
        if isLow && isBelow(query) != isBelow(key) || isRight && isBehind(query) != isBehind(key) { value -= 100 }
        place[query * area + key] = value
      }
    }
    return UnsafePointer(place)
  }

  private func isBelow(_ pixel: Int) -> Bool {
    pixel / windows.window.width >= windows.window.height - windows.shift.height
  }
  private func isBehind(_ pixel: Int) -> Bool {
    pixel % windows.window.width >= windows.window.width - windows.shift.width
  }

  /// The row of the bias for a query and a key.
  private func offset(_ query: Int, _ key: Int) -> Int {
    let (height, width) = (windows.window.height, windows.window.width)
    return (query / width - key / width + height - 1) * (2 * width - 1) + query % width - key % width + width - 1
  }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override func backwardReads(input index: Int) -> Bool { true }

  private func gradient(_ kernels: Kernels) -> AttentionGradient {
    var gradient = AttentionGradient(queries: area, keys: area, width: headWidth, kernels: kernels)
    gradient.stride = shape.width
    gradient.scale = scale
    return gradient
  }

  override func trainingScratch(_ batch: Batch, _ kernels: Kernels) -> Int {
    max(scratchFloats(batch, kernels), batch.items * heads * (gradient(kernels).floats + biasFloats))
  }

  /// Divided by heads of items: a head's bias is summed over its windows in one order.
  override func backward(_ context: TrainingContext) {
    context.parallel(self, context.batch.items * heads, grain: 1)
  }

  override func backward(_ context: TrainingContext, _ part: Range<Int>, phase: Int) {
    var gradient = gradient(context.run.kernels)
    for head in part {
      let scratch = context.scratch + head * (gradient.floats + biasFloats)
      var last = -1
      for window in 0..<count {
        let unit = head * count + window
        let start = start(unit)
        gradient.bias = bias(context.run, unit, &last, scratch + gradient.floats)
        gradient.compute(
          q: context.run.input(0).data + start, k: context.run.input(1).data + start,
          v: context.run.input(2).data + start, dy: context.gradient.data + start,
          dq: context.inputGradient(0).map { ($0 + start, true) },
          dk: context.inputGradient(1).map { ($0 + start, true) },
          dv: context.inputGradient(2).map { ($0 + start, true) }, scratch)
        guard inputs.count == 4, let db = context.inputGradient(3) else { continue }
        let slopes = gradient.slopes(scratch)
        let table = db + head / heads * windows.offsets * heads + head % heads
        for query in 0..<area {
          for key in 0..<area { table[offset(query, key) * heads] += slopes[query * area + key] / scale * biasScale }
        }
      }
    }
  }
}

/// The constant input of the network that makes Swin V2's bias.
private final class WindowOffsets: Operation {
  private let window: Shape.Grid
  private let trained: Shape.Grid

  init(_ window: Shape.Grid, _ trained: Shape.Grid) {
    self.window = window
    self.trained = trained
    super.init(
      inputs: [], shape: Shape(rows: .fixed((2 * window.height - 1) * (2 * window.width - 1)), width: 2))
  }

  override var name: StaticString { "window_offsets" }
  override var isCheap: Bool { true }

  override func compute(_ run: Run, _ rows: Range<Int>) {
    let across = 2 * window.width - 1
    let each = across * (2 * window.height - 1)
    for row in rows {
      let place = row % each
      run.output.data[2 * row] = spread(place / across - window.height + 1, trained.height)
      run.output.data[2 * row + 1] = spread(place % across - window.width + 1, trained.width)
    }
  }

  private func spread(_ offset: Int, _ side: Int) -> Float {
    let x = side == 0 ? Float(offset) : 8 * Float(offset) / Float(max(1, side - 1))
    let size = side == 0 ? logf(abs(x) + 1) : log2f(abs(x) + 1) / 3
    return x < 0 ? -size : size
  }
}
