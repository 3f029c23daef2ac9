import CClip

extension OpDescriptor {
  /// A fourth input is the bias, which is added to the scaled scores: a row for each query with heads x keys elements
  /// or, with `bias_distance`, a table of buckets x heads (see `ScoreBias`). With fewer `kv_heads` than heads,
  /// neighbouring heads share keys and values.
  static let attention = OpDescriptor(
    "attention", inputs: 3...4,
    settings: [
      .integer("heads", 1...Builder.largestWidth), .flag("causal", default: false),
      .integer("kv_heads", 0...Builder.largestWidth, default: 0),
      // The factor of q k'; 0: 1 / sqrt(width of a head).
      .real("scale", 0...1024, default: 0),
      // A query sees keys that are at most this far away; 0: all.
      .integer("window", 0...Builder.largestWidth, default: 0),
      .integer("bias_distance", 0...Builder.largestWidth, default: 0),
    ]
  ) { call throws(ClipError) in
    let (queries, keys, values) = (call.shapes[0], call.shapes[1], call.shapes[2])
    let (heads, isCausal) = (try call.integer("heads"), try call.flag("causal"))
    var keyHeads = try call.integer("kv_heads")
    if keyHeads == 0 { keyHeads = heads }
    guard queries.width % heads == 0, heads % keyHeads == 0 else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "expected a number of heads that divides the width \(queries.width), and of heads of keys that divides it, "
          + "found \(heads) and \(keyHeads)")
    }
    guard keys.rows == values.rows, keys.width == values.width, queries.width / heads * keyHeads == keys.width,
      queries.rows == keys.rows || queries.rows == .one
    else { throw call.expected("q, k and v of one shape") }
    guard !isCausal || queries.rows == keys.rows else {
      throw call.expected("as many queries as keys where it is causal")
    }
    let bias = ScoreBias(
      window: try call.integer("window"), distance: try call.integer("bias_distance"), isCausal: isCausal, heads: heads,
      table: call.shapes.count == 4 ? call.shapes[3] : nil)
    guard bias.window == 0 || queries.rows == keys.rows else {
      throw call.expected("as many queries as keys where there is a window")
    }
    if let table = bias.table {
      guard case .fixed(let rows) = table.rows else { throw call.expected("a bias of a fixed number of rows") }
      if bias.distance > 0 {
        guard table.width == heads, queries.rows == keys.rows, rows % 2 == 0 || isCausal, bias.exact >= 1,
          bias.distance > bias.exact
        else { throw call.expected("a bias of an element for each head and fewer buckets than \(bias.distance)") }
      } else {
        guard case .fixed(let count) = keys.rows, rows == count, queries.rows == keys.rows, table.width == heads * count
        else { throw call.expected("a bias of a row for each query with heads x keys elements") }
      }
    }
    let scale = try call.real("scale")
    return try call.add(
      Attention(
        call.inputs, shape: Shape(rows: queries.rows, width: queries.width),
        Attention.Settings(
          keyRows: keys.rows, heads: heads, keyHeads: keyHeads, isCausal: isCausal,
          scale: scale == 0 ? 1 / Float(queries.width / heads).squareRoot() : Float(scale), bias: bias)))
  }
}

/// Scaled dot-product attention with heads (Vaswani et al., 2017, https://arxiv.org/abs/1706.03762), one item and one
/// head at a time.
final class Attention: Operation {
  struct Settings {
    let keyRows: Rows
    let heads: Int
    let keyHeads: Int
    let isCausal: Bool
    let scale: Float
    let bias: ScoreBias
  }

  private let settings: Settings
  /// The row of an item's only query, if queries were picked.
  private let picked: RowSelector?

  init(_ inputs: [Int], shape: Shape, _ settings: Settings, picked: RowSelector? = nil) {
    self.settings = settings
    self.picked = picked
    super.init(inputs: inputs, shape: shape)
  }

  override var name: StaticString { "attention" }
  override var ignoresRowsAfterEnd: Bool {
    settings.isCausal || (picked == nil && settings.keyRows != .tokens)
  }
  override func needsOneRow(ofInput index: Int) -> Bool { index == 0 }
  override func picking(_ selector: RowSelector, inputs: [Int]) -> Operation? {
    guard picked == nil, shape.rows == settings.keyRows else { return nil }
    return Attention(inputs, shape: Shape(rows: .one, width: shape.width), settings, picked: selector)
  }

  private var heads: Int { settings.heads }
  private var headWidth: Int { shape.width / settings.heads }
  private var keyWidth: Int { headWidth * settings.keyHeads }
  private var group: Int { settings.heads / settings.keyHeads }

  private func pieces(_ batch: Batch, _ threads: Int) -> Int { min(batch.items * heads, 4 * threads) }

  private func kernelFloats(_ batch: Batch, _ kernels: Kernels) -> Int {
    (kernels.table.pointee.attention_scratch(batch.longest(settings.keyRows), headWidth) + 15) & ~15
  }
  private func biasFloats(_ batch: Batch) -> Int { settings.bias.floats(keys: batch.longest(settings.keyRows)) }

  override func scratchFloats(_ batch: Batch, _ kernels: Kernels) -> Int {
    pieces(batch, kernels.threads) * (kernelFloats(batch, kernels) + biasFloats(batch))
  }

  override func run(_ run: Run) { run.parallel(self, pieces(run.batch, run.kernels.threads), grain: 1) }

  override func compute(_ run: Run, _ part: Range<Int>) {
    let units = run.batch.items * heads
    let pieces = pieces(run.batch, run.kernels.threads)
    let floats = kernelFloats(run.batch, run.kernels)
    for piece in part {
      let scratch = run.scratch + piece * (floats + biasFloats(run.batch))
      for unit in units.share(piece, of: pieces) { attend(run, unit, scratch, bias: scratch + floats) }
    }
  }

  /// One head of one item, and its offsets.
  private struct Unit {
    let item: Int
    let head: Int
    let queries: Int
    let keys: Int
    let firstQuery: Int
    /// Offsets of the first query and output, and of the first key and value, in floats.
    let queryStart: Int
    let keyStart: Int
  }

  private func unit(_ index: Int, _ batch: Batch) -> Unit {
    let (item, head) = (index / heads, index % heads)
    return Unit(
      item: item, head: head, queries: batch.rows(of: item, in: shape.rows),
      keys: batch.rows(of: item, in: settings.keyRows), firstQuery: picked == .end ? batch.endPosition(of: item) : 0,
      queryStart: batch.firstRow(of: item, in: shape.rows) * shape.width + head * headWidth,
      keyStart: batch.firstRow(of: item, in: settings.keyRows) * keyWidth + head / group * headWidth)
  }

  /// The unit's bias, computed at `place` unless it is in memory.
  private func bias(
    _ run: Run, _ unit: Unit, _ place: UnsafeMutablePointer<Float>
  ) -> (start: UnsafePointer<Float>, stride: Int)? {
    settings.bias.make(
      table: inputs.count == 4 ? run.input(3).data : nil, item: unit.item, head: unit.head, keys: unit.keys,
      firstQuery: unit.firstQuery, place)
  }

  private func attend(
    _ run: Run, _ index: Int, _ scratch: UnsafeMutablePointer<Float>, bias place: UnsafeMutablePointer<Float>
  ) {
    let unit = unit(index, run.batch)
    var work = clip_attention()
    work.q = UnsafePointer(run.input(0).data + unit.queryStart)
    work.k = UnsafePointer(run.input(1).data + unit.keyStart)
    work.v = UnsafePointer(run.input(2).data + unit.keyStart)
    work.q_stride = shape.width
    work.k_stride = keyWidth
    work.v_stride = keyWidth
    work.out = run.output.data + unit.queryStart
    work.out_stride = shape.width
    work.queries = unit.queries
    work.keys = unit.keys
    work.width = headWidth
    work.first_query = unit.firstQuery
    work.scale = settings.scale
    work.causal = settings.isCausal ? 1 : 0
    work.scratch = scratch
    if let bias = bias(run, unit, place) {
      work.bias = bias.start
      work.bias_stride = bias.stride
    }
    run.kernels.table.pointee.attention(&work)
  }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override var isCheap: Bool { true }
  override func backwardReads(input index: Int) -> Bool { true }
  override func setsGradient(ofInput index: Int) -> Bool { index < 3 }

  private func gradient(_ kernels: Kernels, queries: Int, keys: Int) -> AttentionGradient {
    var gradient = AttentionGradient(queries: queries, keys: keys, width: headWidth, kernels: kernels)
    gradient.stride = shape.width
    gradient.keyStride = keyWidth
    gradient.scale = settings.scale
    gradient.isCausal = settings.isCausal
    return gradient
  }

  /// Heads that share keys are one piece of work.
  private func backwardPieces(_ batch: Batch, _ kernels: Kernels) -> Int {
    min(batch.items * settings.keyHeads, 4 * kernels.threads)
  }
  private func backwardFloats(_ batch: Batch, _ kernels: Kernels) -> Int {
    gradient(kernels, queries: batch.longest(shape.rows), keys: batch.longest(settings.keyRows)).floats
  }

  override func trainingScratch(_ batch: Batch, _ kernels: Kernels) -> Int {
    max(
      scratchFloats(batch, kernels),
      backwardPieces(batch, kernels) * (backwardFloats(batch, kernels) + biasFloats(batch)))
  }

  override func backward(_ context: TrainingContext) {
    context.parallel(self, backwardPieces(context.batch, context.run.kernels), grain: 1)
  }

  override func backward(_ context: TrainingContext, _ part: Range<Int>, phase: Int) {
    let pieces = backwardPieces(context.batch, context.run.kernels)
    let floats = backwardFloats(context.batch, context.run.kernels)
    for piece in part {
      let scratch = context.scratch + piece * (floats + biasFloats(context.batch))
      for shared in (context.batch.items * settings.keyHeads).share(piece, of: pieces) {
        for index in (shared * group)..<(shared * group + group) {
          backwardUnit(context, index, isFirst: index % group == 0, scratch, bias: scratch + floats)
        }
      }
    }
  }

  /// One head of one item. `isFirst`: the first of the heads that share its keys.
  private func backwardUnit(
    _ context: TrainingContext, _ index: Int, isFirst: Bool, _ scratch: UnsafeMutablePointer<Float>,
    bias place: UnsafeMutablePointer<Float>
  ) {
    let unit = unit(index, context.batch)
    var gradient = gradient(context.run.kernels, queries: unit.queries, keys: unit.keys)
    gradient.firstQuery = unit.firstQuery
    if let bias = bias(context.run, unit, place) {
      gradient.bias = bias.start
      gradient.biasStride = bias.stride
    }
    gradient.compute(
      q: context.run.input(0).data + unit.queryStart, k: context.run.input(1).data + unit.keyStart,
      v: context.run.input(2).data + unit.keyStart, dy: context.gradient.data + unit.queryStart,
      dq: context.inputGradient(0).map { ($0 + unit.queryStart, context.adds(input: 0)) },
      dk: context.inputGradient(1).map { ($0 + unit.keyStart, !isFirst || context.adds(input: 1)) },
      dv: context.inputGradient(2).map { ($0 + unit.keyStart, !isFirst || context.adds(input: 2)) }, scratch)
    guard inputs.count == 4, let table = context.inputGradient(3) else { return }
    settings.bias.addGradient(
      gradient.slopes(scratch), times: 1 / settings.scale, item: unit.item, head: unit.head, queries: unit.queries,
      keys: unit.keys, firstQuery: unit.firstQuery, to: table)
  }
}
