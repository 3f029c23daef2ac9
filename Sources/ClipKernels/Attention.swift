import CClip
import CSystem

extension KernelSet {
  /// The scratch of one attention call: packed keys, packed values, and one tile's queries, scores and outputs. Offsets
  /// are in floats from its start, and multiples of 16.
  public struct AttentionLayout {
    @usableFromInline let keyPanels, valuePanels, keyPanelBytes, valuePanelBytes: Int
    @usableFromInline let values, scores, sums, totals, copy, count: Int

    @_alwaysEmitIntoClient @inline(__always)
    init(keys: Int, width: Int) {
      keyPanels = (keys + T.panelWidth - 1) / T.panelWidth
      valuePanels = (width + T.panelWidth - 1) / T.panelWidth
      keyPanelBytes = panelBytes(depth: width, FloatWeights.self)
      valuePanelBytes = panelBytes(depth: keys, FloatWeights.self)
      values = keyPanels * keyPanelBytes / 4
      scores = values + valuePanels * valuePanelBytes / 4
      sums = (scores + T.height * keyPanels * T.panelWidth + 15) & ~15
      totals = (sums + T.height * valuePanels * T.panelWidth + 15) & ~15
      copy = totals + (T.height + 15) & ~15
      count = copy + T.height * tileStride
    }
  }

  /// clip_kernels.attention_scratch.
  @_alwaysEmitIntoClient @inline(__always)
  public static func attentionScratch(_ keys: Int, _ width: Int) -> Int {
    AttentionLayout(keys: keys, width: width).count
  }

  /// clip_kernels.attention. Both products use the tiles of matmul, one tile of queries at a time. With a causal mask
  /// the sums of a row end at its last visible key, so later keys cannot change it, even if they are NaN.
  @_alwaysEmitIntoClient @inline(__always)
  public static func attention(_ work: UnsafePointer<clip_attention>?) {
    guard let work = work?.pointee, let q = work.q, let k = work.k, let v = work.v, let out = work.out,
      let scratch = work.scratch, work.queries > 0, work.keys > 0
    else { return }
    let queries = Int(work.queries)
    let keys = Int(work.keys)
    let width = Int(work.width)
    let layout = AttentionLayout(keys: keys, width: width)
    packKeys(k, Int(work.k_stride), keys: keys, width: width, layout, scratch)
    packValues(v, Int(work.v_stride), keys: keys, width: width, layout, scratch + layout.values)

    let tiles = (queries + T.height - 1) / T.height
    for tile in 0..<tiles {
      let begin = queries * tile / tiles
      let rows = queries * (tile + 1) / tiles - begin
      let first = work.causal == 0 ? keys : min(keys, Int(work.first_query) + begin + 1)
      let last = work.causal == 0 ? keys : min(keys, Int(work.first_query) + begin + rows)
      attend(
        work, layout, q + begin * Int(work.q_stride), work.bias.map { $0 + begin * work.bias_stride },
        out + begin * Int(work.out_stride), rows, first, last, scratch)
    }
  }

  /// One tile of queries. The first row sees `first` keys, and each row after it one more, up to `last`.
  @_alwaysEmitIntoClient @inline(never)
  static func attend(
    _ work: clip_attention, _ layout: AttentionLayout, _ q: UnsafePointer<Float>, _ bias: UnsafePointer<Float>?,
    _ out: UnsafeMutablePointer<Float>, _ rows: Int, _ first: Int, _ last: Int, _ scratch: UnsafeMutablePointer<Float>
  ) {
    let width = Int(work.width)
    let scores = scratch + layout.scores
    let stride = layout.keyPanels * T.panelWidth
    let sums = scratch + layout.sums
    let sumsStride = layout.valuePanels * T.panelWidth
    let totals = scratch + layout.totals
    let copy = scratch + layout.copy
    product(
      q, Int(work.q_stride), rows, depth: width, scratch, layout.keyPanelBytes,
      (last + T.panelWidth - 1) / T.panelWidth, scores, stride, .start, copy)

    for row in 0..<rows {
      let line = scores + row * stride
      let seen = min(first + row, last)
      guard let bias else {
        totals[row] = exponentials(line, seen, work.scale)
        continue
      }
      addBias(bias + row * work.bias_stride, to: line, seen, work.scale)
      totals[row] = exponentials(line, seen, 1)
    }

    product(
      scores, stride, rows, depth: first, scratch + layout.values, layout.valuePanelBytes, layout.valuePanels,
      sums, sumsStride, .start, copy)
    for row in 0..<rows where min(first + row, last) > first {
      product(
        scores + row * stride + first, stride, 1, depth: min(first + row, last) - first,
        scratch + layout.values + first * T.panelWidth, layout.valuePanelBytes, layout.valuePanels,
        sums + row * sumsStride, sumsStride, .resume, copy)
    }

    for row in 0..<rows {
      let scale = Vector(repeating: 1 / totals[row])
      vectors(width) { i, lanes in
        (Vector.load(sums + row * sumsStride + i) * scale).store(out + row * Int(work.out_stride) + i, lanes: lanes)
      }
    }
  }

  /// The product of a tile's rows and panels of any depth. Each sum is added in one chain.
  @_alwaysEmitIntoClient @inline(__always)
  static func product(
    _ a: UnsafePointer<Float>, _ aStride: Int, _ rows: Int, depth: Int, _ panels: UnsafePointer<Float>,
    _ panelBytes: Int, _ panelCount: Int, _ sums: UnsafeMutablePointer<Float>, _ stride: Int, _ mode: SumMode,
    _ copy: UnsafeMutablePointer<Float>
  ) {
    var k = 0
    repeat {
      let part = min(depth - k, depthBlock)
      for row in 0..<rows { memcpy(copy + row * tileStride, a + row * aStride + k, 4 * part) }
      accumulate(
        FloatWeights.self, copy, rows: rows, steps: part, panels + k * T.panelWidth, panelBytes: panelBytes,
        panels: panelCount, Ahead(panels, step: 0), sums, stride: stride, k == 0 ? mode : .resume)
      k += part
    } while k < depth
  }

  /// Replaces scores by scale score + bias.
  @_alwaysEmitIntoClient @inline(__always)
  static func addBias(
    _ bias: UnsafePointer<Float>, to scores: UnsafeMutablePointer<Float>, _ count: Int, _ scale: Float
  ) {
    let factor = Vector(repeating: scale)
    vectors(count) { i, lanes in
      (Vector.load(scores + i, lanes: lanes) * factor + Vector.load(bias + i, lanes: lanes)).store(scores + i)
    }
  }

  /// Replaces scores by e^(scale score - largest) and returns their sum.
  @_alwaysEmitIntoClient @inline(__always)
  static func exponentials(_ scores: UnsafeMutablePointer<Float>, _ count: Int, _ scale: Float) -> Float {
    let factor = Vector(repeating: scale)
    let lowest: Float = scale < 0 ? .infinity : -.infinity
    var largest = Vector(repeating: -.infinity)
    vectors(count) { i, lanes in
      let scaled = Vector.load(scores + i, lanes: lanes, filler: lowest) * factor
      scaled.store(scores + i)
      largest = scaled.larger(largest)
    }
    let offset = Vector(repeating: largest.largest)
    var total = Vector(repeating: 0)
    vectors(count) { i, lanes in
      let terms = (Vector.load(scores + i, lanes: lanes, filler: -.infinity) - offset).exponential
      terms.store(scores + i)
      total = total + terms
    }
    return total.sum
  }

  /// Packs transposed keys into panels [width, panelWidth]. In the last panel, columns without a key are 0.
  @_alwaysEmitIntoClient @inline(__always)
  static func packKeys(
    _ k: UnsafePointer<Float>, _ stride: Int, keys: Int, width: Int, _ layout: AttentionLayout,
    _ target: UnsafeMutablePointer<Float>
  ) {
    for panel in 0..<layout.keyPanels {
      let first = panel * T.panelWidth
      pack(
        k + first * stride, stride, min(T.panelWidth, keys - first), width, FloatWeights.self,
        UnsafeMutableRawPointer(target) + panel * layout.keyPanelBytes)
    }
  }

  /// Packs columns of the values into panels [keys, panelWidth]. In the last panel, columns beyond the width are 0.
  @_alwaysEmitIntoClient @inline(__always)
  static func packValues(
    _ v: UnsafePointer<Float>, _ stride: Int, keys: Int, width: Int, _ layout: AttentionLayout,
    _ target: UnsafeMutablePointer<Float>
  ) {
    for panel in 0..<layout.valuePanels {
      let first = panel * T.panelWidth
      let packed = target + panel * layout.valuePanelBytes / 4
      for key in 0..<keys {
        let source = v + key * stride + first
        let row = packed + key * T.panelWidth
        let n = Vector.count
        Vector.load(source, lanes: max(0, min(width - first, n))).store(row)
        Vector.load(source + n, lanes: max(0, min(width - first - n, n))).store(row + n)
      }
    }
  }
}
