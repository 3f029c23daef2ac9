import CClip

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
    let floats = kernels.table.pointee.attention_scratch?(batch.longest(keyRows), headWidth) ?? 0
    return (floats + 15) & ~15
  }

  override func scratchFloats(_ batch: Batch, _ kernels: Kernels) -> Int {
    pieces(batch, kernels.threads) * scratchOfPiece(batch, kernels)
  }

  override func run(_ run: Run) {
    let q = run.input(0)
    let k = run.input(1)
    let v = run.input(2)
    let width = shape.width
    let units = run.batch.items * heads
    let pieces = pieces(run.batch, run.kernels.threads)
    let scratch = scratchOfPiece(run.batch, run.kernels)
    run.parallelPieces(pieces) { piece in
      for unit in (piece * units / pieces)..<((piece + 1) * units / pieces) {
        let item = unit / self.heads
        let column = unit % self.heads * self.headWidth
        let firstKey = run.batch.firstRow(of: item, in: self.keyRows)
        let keys = run.batch.rows(of: item, in: self.keyRows)
        let firstQuery = run.batch.firstRow(of: item, in: self.shape.rows)
        var work = clip_attention()
        work.q = UnsafePointer(q.data + firstQuery * width + column)
        work.k = UnsafePointer(k.data + firstKey * width + column)
        work.v = UnsafePointer(v.data + firstKey * width + column)
        work.q_stride = width
        work.k_stride = width
        work.v_stride = width
        work.out = run.output.data + firstQuery * width + column
        work.out_stride = width
        work.queries = run.batch.rows(of: item, in: self.shape.rows)
        work.keys = keys
        work.width = self.headWidth
        work.first_query = self.picked == .end ? run.batch.endPosition(of: item) : 0
        work.scale = 1 / Float(self.headWidth).squareRoot()
        work.causal = self.isCausal ? 1 : 0
        work.scratch = run.scratch + piece * scratch
        run.kernels.table.pointee.attention?(&work)
      }
    }
  }
}
