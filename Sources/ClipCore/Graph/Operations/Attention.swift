import CClip

extension OpDescriptor {
  static let attention = OpDescriptor(
    "attention", inputs: 3,
    settings: [.integer("heads", 1...Builder.largestWidth), .flag("causal", default: false)]
  ) { call throws(ClipError) in
    let (queries, keys, values) = (call.shapes[0], call.shapes[1], call.shapes[2])
    guard keys.rows == values.rows, keys.width == values.width, queries.width == keys.width,
      queries.rows == keys.rows || queries.rows == .one
    else { throw call.expected("q, k and v of one shape") }
    let (heads, isCausal) = (try call.integer("heads"), try call.flag("causal"))
    guard queries.width % heads == 0 else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "expected a number of heads that divides the width \(queries.width), found \(heads)")
    }
    guard !isCausal || queries.rows == keys.rows else {
      throw call.expected("as many queries as keys where it is causal")
    }
    return try call.add(
      Attention(
        q: call.inputs[0], k: call.inputs[1], v: call.inputs[2],
        shape: Shape(rows: queries.rows, width: queries.width), keyRows: keys.rows, heads: heads, isCausal: isCausal))
  }
}

/// Scaled dot-product attention of several heads (Vaswani et al., 2017,
/// https://arxiv.org/abs/1706.03762), one item and one head at a time.
final class Attention: Operation {
  let heads: Int
  let isCausal: Bool
  /// Where an item's only query sits, when queries were picked.
  let picked: RowSelector?
  private let keyRows: Rows

  init(q: Int, k: Int, v: Int, shape: Shape, keyRows: Rows, heads: Int, isCausal: Bool, picked: RowSelector? = nil) {
    self.heads = heads
    self.isCausal = isCausal
    self.picked = picked
    self.keyRows = keyRows
    super.init(inputs: [q, k, v], shape: shape)
  }

  override var name: StaticString { "attention" }
  override var ignoresRowsAfterEnd: Bool { isCausal || (picked == nil && keyRows != .tokens) }
  override func needsOneRow(ofInput index: Int) -> Bool { index == 0 }
  override func picking(_ selector: RowSelector, inputs: [Int]) -> Operation? {
    guard inputs.count == 3, picked == nil, shape.rows == keyRows else { return nil }
    return Attention(
      q: inputs[0], k: inputs[1], v: inputs[2], shape: Shape(rows: .one, width: shape.width), keyRows: keyRows,
      heads: heads, isCausal: isCausal, picked: selector)
  }

  private var headWidth: Int { shape.width / heads }

  private func pieces(_ batch: Batch, _ threads: Int) -> Int { min(batch.items * heads, 4 * threads) }

  private func scratchOfPiece(_ batch: Batch, _ kernels: Kernels) -> Int {
    let floats = kernels.table.pointee.attention_scratch(batch.longest(keyRows), headWidth)
    return (floats + 15) & ~15
  }

  override func scratchFloats(_ batch: Batch, _ kernels: Kernels) -> Int {
    pieces(batch, kernels.threads) * scratchOfPiece(batch, kernels)
  }

  override func run(_ run: Run) { run.parallel(self, pieces(run.batch, run.kernels.threads), grain: 1) }

  override func compute(_ run: Run, _ part: Range<Int>) {
    let units = run.batch.items * heads
    let pieces = pieces(run.batch, run.kernels.threads)
    for piece in part {
      let scratch = run.scratch + piece * scratchOfPiece(run.batch, run.kernels)
      for unit in units.share(piece, of: pieces) { attend(run, unit, scratch) }
    }
  }

  /// One head of one item.
  private func attend(_ run: Run, _ unit: Int, _ scratch: UnsafeMutablePointer<Float>) {
    let width = shape.width
    let item = unit / heads
    let column = unit % heads * headWidth
    let firstKey = run.batch.firstRow(of: item, in: keyRows)
    let keys = run.batch.rows(of: item, in: keyRows)
    let firstQuery = run.batch.firstRow(of: item, in: shape.rows)
    var work = clip_attention()
    work.q = UnsafePointer(run.input(0).data + firstQuery * width + column)
    work.k = UnsafePointer(run.input(1).data + firstKey * width + column)
    work.v = UnsafePointer(run.input(2).data + firstKey * width + column)
    work.q_stride = width
    work.k_stride = width
    work.v_stride = width
    work.out = run.output.data + firstQuery * width + column
    work.out_stride = width
    work.queries = run.batch.rows(of: item, in: shape.rows)
    work.keys = keys
    work.width = headWidth
    work.first_query = picked == .end ? run.batch.endPosition(of: item) : 0
    work.scale = 1 / Float(headWidth).squareRoot()
    work.causal = isCausal ? 1 : 0
    work.scratch = scratch
    run.kernels.table.pointee.attention(&work)
  }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override var isCheap: Bool { true }
  override func backwardReads(input index: Int) -> Bool { true }

  override func trainingScratch(_ batch: Batch, _ kernels: Kernels) -> Int {
    let gradient = AttentionGradient(
      queries: batch.longest(shape.rows), keys: batch.longest(keyRows), width: headWidth, kernels: kernels)
    return max(scratchFloats(batch, kernels), pieces(batch, kernels.threads) * gradient.floats)
  }

  override func setsGradient(ofInput index: Int) -> Bool { true }

  override func backward(_ context: TrainingContext) {
    context.parallel(self, pieces(context.batch, context.run.kernels.threads), grain: 1)
  }

  override func backward(_ context: TrainingContext, _ part: Range<Int>, phase: Int) {
    let units = context.batch.items * heads
    let pieces = pieces(context.batch, context.run.kernels.threads)
    let floats = AttentionGradient(
      queries: context.batch.longest(shape.rows), keys: context.batch.longest(keyRows), width: headWidth,
      kernels: context.run.kernels
    ).floats
    for piece in part {
      for unit in units.share(piece, of: pieces) {
        backwardUnit(context, unit, context.scratch + piece * floats)
      }
    }
  }

  /// One head of one item.
  private func backwardUnit(_ context: TrainingContext, _ unit: Int, _ scratch: UnsafeMutablePointer<Float>) {
    let item = unit / heads
    let column = unit % heads * headWidth
    let keyStart = context.batch.firstRow(of: item, in: keyRows) * shape.width + column
    let queryStart = context.batch.firstRow(of: item, in: shape.rows) * shape.width + column
    var gradient = AttentionGradient(
      queries: context.batch.rows(of: item, in: shape.rows), keys: context.batch.rows(of: item, in: keyRows),
      width: headWidth,
      kernels: context.run.kernels)
    gradient.stride = shape.width
    gradient.firstQuery = picked == .end ? context.batch.endPosition(of: item) : 0
    gradient.isCausal = isCausal
    gradient.compute(
      q: context.run.input(0).data + queryStart, k: context.run.input(1).data + keyStart,
      v: context.run.input(2).data + keyStart, dy: context.gradient.data + queryStart,
      dq: context.inputGradient(0).map { ($0 + queryStart, context.adds(input: 0)) },
      dk: context.inputGradient(1).map { ($0 + keyStart, context.adds(input: 1)) },
      dv: context.inputGradient(2).map { ($0 + keyStart, context.adds(input: 2)) }, scratch)
  }
}
