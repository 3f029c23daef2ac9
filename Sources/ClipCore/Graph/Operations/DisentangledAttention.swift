import CClip
import CSystem

extension OpDescriptor {
  /// DeBERTa's attention (He et al., 2021, https://arxiv.org/abs/2006.03654). Added to the scores q k' are the products
  /// of queries with rows of the fourth input (`key_positions`) and of keys with rows of the next input
  /// (`query_positions`); the sum is multiplied by `scale`. Each of these inputs has 2 `span` rows, one for each bucket
  /// of the offset of a query from a key. With `distance`, offsets beyond span / 2 share buckets on a logarithmic scale
  /// up to `distance`.
  static let disentangledAttention = OpDescriptor(
    "disentangled_attention", inputs: 4...5,
    settings: [
      .integer("heads", 1...Builder.largestWidth), .real("scale", 1e-6...1024), .integer("span", 1...65536),
      .integer("distance", 0...Builder.largestWidth, default: 0), .flag("key_positions", default: true),
      .flag("query_positions", default: true),
    ]
  ) { call throws(ClipError) in
    let shape = call.shapes[0]
    let (heads, span) = (try call.integer("heads"), try call.integer("span"))
    let hasKeys = try call.flag("key_positions")
    let hasQueries = try call.flag("query_positions")
    for other in call.shapes[1..<3] where other.rows != shape.rows || other.width != shape.width {
      throw call.expected("q, k and v of one shape")
    }
    guard call.inputs.count == 3 + (hasKeys ? 1 : 0) + (hasQueries ? 1 : 0), shape.width % heads == 0 else {
      throw call.expected("\(heads) heads in a row, and a table for each kind of positions")
    }
    for table in call.shapes[3...] where table.rows != .fixed(2 * span) || table.width != shape.width {
      throw call.expected("tables of \(2 * span) rows as wide as a query")
    }
    let distance = try call.integer("distance")
    guard distance == 0 || span >= 4 && distance > span / 2 + 1 else {
      throw call.expected("a span of at least 4, and a distance above half of it")
    }
    return try call.add(
      DisentangledAttention(
        call.inputs, shape: Shape(rows: shape.rows, width: shape.width), heads: heads,
        scale: Float(try call.real("scale")),
        span: span, distance: distance, keyPositions: hasKeys ? 3 : nil,
        queryPositions: hasQueries ? (hasKeys ? 4 : 3) : nil))
  }
}

private final class DisentangledAttention: Operation {
  private let heads: Int
  private let scale: Float
  private let span: Int
  private let distance: Int
  /// The indexes of these inputs.
  private let keyPositions: Int?
  private let queryPositions: Int?

  init(
    _ inputs: [Int], shape: Shape, heads: Int, scale: Float, span: Int, distance: Int, keyPositions: Int?,
    queryPositions: Int?
  ) {
    self.heads = heads
    self.scale = scale
    self.span = span
    self.distance = distance
    self.keyPositions = keyPositions
    self.queryPositions = queryPositions
    super.init(inputs: inputs, shape: shape)
  }

  override var name: StaticString { "disentangled_attention" }
  override var ignoresRowsAfterEnd: Bool { shape.rows != .tokens }

  private var headWidth: Int { shape.width / heads }
  private var tableFloats: Int { 2 * span * shape.width }

  /// The row of the tables for a query `offset` rows after a key, rounded as by DeBERTa's float32.
  private func bucket(_ offset: Int) -> Int {
    var place = offset
    let middle = span / 2
    if distance > 0, abs(offset) > middle {
      let ratio = logf(Float(abs(offset)) / Float(middle)) / logf(Float(Double(distance - 1) / Double(middle)))
      let far = middle + Int((ratio * Float(middle - 1)).rounded(.up))
      place = offset < 0 ? -far : far
    }
    return min(2 * span - 1, max(0, place + span))
  }

  private func pieces(_ batch: Batch, _ threads: Int) -> Int { min(batch.items * heads, 4 * threads) }
  private func kernelFloats(_ batch: Batch, _ kernels: Kernels) -> Int {
    (kernels.table.pointee.attention_scratch(batch.longest(shape.rows), headWidth) + 15) & ~15
  }
  private func biasFloats(_ batch: Batch) -> Int {
    let rows = batch.longest(shape.rows)
    return (rows * rows + 15) & ~15
  }

  override func scratchFloats(_ batch: Batch, _ kernels: Kernels) -> Int {
    pieces(batch, kernels.threads) * (kernelFloats(batch, kernels) + biasFloats(batch))
  }

  override func run(_ run: Run) { run.parallel(self, pieces(run.batch, run.kernels.threads), grain: 1) }

  override func compute(_ run: Run, _ part: Range<Int>) {
    let pieces = pieces(run.batch, run.kernels.threads)
    let floats = kernelFloats(run.batch, run.kernels)
    for piece in part {
      let scratch = run.scratch + piece * (floats + biasFloats(run.batch))
      for unit in (run.batch.items * heads).share(piece, of: pieces) { attend(run, unit, scratch, scratch + floats) }
    }
  }

  /// The offsets of head `unit % heads` of an item in its rows and in the tables.
  private func place(_ unit: Int, _ batch: Batch) -> (start: Int, rows: Int, table: Int) {
    let (item, column) = (unit / heads, unit % heads * headWidth)
    return (
      batch.firstRow(of: item, in: shape.rows) * shape.width + column, batch.rows(of: item, in: shape.rows),
      item * tableFloats + column
    )
  }

  private func attend(
    _ run: Run, _ unit: Int, _ scratch: UnsafeMutablePointer<Float>, _ bias: UnsafeMutablePointer<Float>
  ) {
    let place = place(unit, run.batch)
    fillBias(run, unit, bias)
    var work = clip_attention()
    work.q = UnsafePointer(run.input(0).data + place.start)
    work.k = UnsafePointer(run.input(1).data + place.start)
    work.v = UnsafePointer(run.input(2).data + place.start)
    work.q_stride = shape.width
    work.k_stride = shape.width
    work.v_stride = shape.width
    work.out = run.output.data + place.start
    work.out_stride = shape.width
    work.queries = place.rows
    work.keys = place.rows
    work.width = headWidth
    work.scale = scale
    work.scratch = scratch
    work.bias = UnsafePointer(bias)
    work.bias_stride = place.rows
    run.kernels.table.pointee.attention(&work)
  }

  private func fillBias(_ run: Run, _ unit: Int, _ bias: UnsafeMutablePointer<Float>) {
    let place = place(unit, run.batch)
    let (q, k) = (run.input(0).data + place.start, run.input(1).data + place.start)
    let keyTable = keyPositions.map { run.input($0).data + place.table }
    let queryTable = queryPositions.map { run.input($0).data + place.table }
    for offset in (1 - place.rows)..<place.rows {
      let row = bucket(offset) * shape.width
      for query in max(0, offset)..<min(place.rows, place.rows + offset) {
        let key = query - offset
        var sum: Float = 0
        if let keyTable { sum += dotProduct(q + query * shape.width, keyTable + row, headWidth) }
        if let queryTable { sum += dotProduct(k + key * shape.width, queryTable + row, headWidth) }
        bias[query * place.rows + key] = sum * scale
      }
    }
  }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override func backwardReads(input index: Int) -> Bool { true }

  private func gradient(_ kernels: Kernels, rows: Int) -> AttentionGradient {
    var gradient = AttentionGradient(queries: rows, keys: rows, width: headWidth, kernels: kernels)
    gradient.stride = shape.width
    gradient.scale = scale
    return gradient
  }
  private func backwardFloats(_ batch: Batch, _ kernels: Kernels) -> Int {
    gradient(kernels, rows: batch.longest(shape.rows)).floats + biasFloats(batch)
  }

  override func trainingScratch(_ batch: Batch, _ kernels: Kernels) -> Int {
    max(scratchFloats(batch, kernels), pieces(batch, kernels.threads) * backwardFloats(batch, kernels))
  }

  override func backward(_ context: TrainingContext) {
    context.parallel(self, pieces(context.batch, context.run.kernels.threads), grain: 1)
  }

  override func backward(_ context: TrainingContext, _ part: Range<Int>, phase: Int) {
    let pieces = pieces(context.batch, context.run.kernels.threads)
    let floats = backwardFloats(context.batch, context.run.kernels)
    for piece in part {
      for unit in (context.batch.items * heads).share(piece, of: pieces) {
        backwardUnit(context, unit, context.scratch + piece * floats)
      }
    }
  }

  private func backwardUnit(_ context: TrainingContext, _ unit: Int, _ scratch: UnsafeMutablePointer<Float>) {
    let run = context.run
    let place = place(unit, context.batch)
    fillBias(run, unit, scratch)
    var gradient = gradient(run.kernels, rows: place.rows)
    gradient.bias = UnsafePointer(scratch)
    let rest = scratch + biasFloats(context.batch)
    func target(_ index: Int, _ start: Int) -> UnsafeMutablePointer<Float>? {
      context.inputGradient(index).map { $0 + start }
    }
    let (dq, dk) = (target(0, place.start), target(1, place.start))
    gradient.compute(
      q: run.input(0).data + place.start, k: run.input(1).data + place.start, v: run.input(2).data + place.start,
      dy: context.gradient.data + place.start, dq: dq.map { ($0, true) }, dk: dk.map { ($0, true) },
      dv: target(2, place.start).map { ($0, true) }, rest)
    // The gradient of each of the three dot products is scale times the gradient of the score.
    let slopes = gradient.slopes(rest)
    for (index, side, change) in [(keyPositions, 0, dq), (queryPositions, 1, dk)] {
      guard let index else { continue }
      let x = run.input(side).data + place.start
      let table = run.input(index).data + place.table
      let tableChange = target(index, place.table)
      for query in 0..<place.rows {
        for key in 0..<place.rows {
          let slope = slopes[query * place.rows + key]
          let row = bucket(query - key) * shape.width
          let content = (side == 0 ? query : key) * shape.width
          if let change { addFloats(table + row, headWidth, times: slope, to: change + content) }
          if let tableChange { addFloats(x + content, headWidth, times: slope, to: tableChange + row) }
        }
      }
    }
  }
}
