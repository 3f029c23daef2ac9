import CClip
import CSystem

/// The kernels of one instruction set, whose registers and tile `T` describes.
public enum KernelSet<T: Tile> {
  public typealias Vector = T.Vector

  @_alwaysEmitIntoClient @inline(__always)
  public static var panelWidth: Int { T.panelWidth }

  @_alwaysEmitIntoClient @inline(__always)
  public static var tileRows: Int { T.height }

  /// Tiles whose rows share a block of weights while that is in the second cache.
  @_alwaysEmitIntoClient @inline(__always)
  static var tilesInBlock: Int { 48 / T.height }

  /// Room for sums that wait for the next block of depth: 48 rows of 128 columns.
  @_alwaysEmitIntoClient @inline(__always)
  static var sumsCapacity: Int { 48 * 128 }

  /// clip_kernels.matmul.
  @_alwaysEmitIntoClient @inline(__always)
  public static func matmul(_ work: UnsafePointer<clip_matmul>?) {
    guard let work = work?.pointee, let weights = work.weights else { return }
    switch work.storage {
    case CLIP_STORAGE_F16: multiply(work, HalfWeights.self, weights)
    case CLIP_STORAGE_BF16: multiply(work, BrainWeights.self, weights)
    default: multiply(work, FloatWeights.self, weights)
    }
  }

  /// Blocks of rows, groups of panels, blocks of depth, tiles, panels: from outer to inner loop. A
  /// block of depth of a group stays in the second cache while the tiles of a row block go by; a
  /// tile's copy of A is read from the first cache while panels stream past it.
  @_alwaysEmitIntoClient @inline(never)
  static func multiply<Weights: WeightStorage>(
    _ work: clip_matmul, _ storage: Weights.Type, _ weights: UnsafeRawPointer
  ) {
    guard work.rows > 0, work.panel_begin < work.panel_end, let a = work.a else { return }
    withUnsafeTemporaryAllocation(byteCount: 4 * (T.height * tileStride + sumsCapacity), alignment: 64) { scratch in
      guard let copy = scratch.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
      let sums = copy + T.height * tileStride
      let rows = Int(work.rows)
      let depth = Int(work.depth)
      let panelBytes = panelBytes(depth: depth, Weights.self)
      let tiles = (rows + T.height - 1) / T.height
      let depthBlocks = max(1, (depth + depthBlock - 1) / depthBlock)

      var tile = 0
      while tile < tiles {
        let tileEnd = min(tile + tilesInBlock, tiles)
        let rowBegin = rows * tile / tiles
        let rowEnd = rows * tileEnd / tiles
        let groupSize = max(1, sumsCapacity / ((rowEnd - rowBegin) * T.panelWidth))
        var panel = Int(work.panel_begin)
        while panel < Int(work.panel_end) {
          let panels = min(groupSize, Int(work.panel_end) - panel)
          let stride = panels * T.panelWidth
          for block in 0..<depthBlocks {
            let k = depth * block / depthBlocks
            let part = depth * (block + 1) / depthBlocks - k
            let group = weights + panel * panelBytes + k * T.panelWidth * Weights.bytes
            for t in tile..<tileEnd {
              let row = rows * t / tiles
              accumulate(
                storage, a + row * Int(work.a_stride) + k, aStride: Int(work.a_stride), rows: rows * (t + 1) / tiles - row,
                depth: part, group, panelBytes: panelBytes, panels: panels,
                sums + (row - rowBegin) * stride, stride: stride, block == 0 ? .start : .add, copy)
            }
          }
          finish(work, sums, stride: stride, rowBegin: rowBegin, rowEnd: rowEnd, column: panel * T.panelWidth)
          panel += panels
        }
        tile = tileEnd
      }
    }
  }

  /// One tile's rows of A, at most `depthBlock` deep, times some panels; `copy` is scratch for the rows.
  @_alwaysEmitIntoClient @inline(__always)
  static func accumulate<Weights: WeightStorage>(
    _ storage: Weights.Type, _ a: UnsafePointer<Float>, aStride: Int, rows: Int, depth: Int,
    _ weights: UnsafeRawPointer, panelBytes: Int, panels: Int,
    _ sums: UnsafeMutablePointer<Float>, stride: Int, _ mode: SumMode, _ copy: UnsafeMutablePointer<Float>
  ) {
    for row in 0..<rows { (copy + row * tileStride).update(from: a + row * aStride, count: depth) }
    for panel in 0..<panels {
      T.multiply(
        storage, rows: rows, copy, weights + panel * panelBytes, depth: depth,
        sums + panel * T.panelWidth, stride: stride, mode)
    }
  }

  /// C = activation(sums + bias) + residual, cut at the last column.
  @_alwaysEmitIntoClient @inline(never)
  static func finish(
    _ work: clip_matmul, _ sums: UnsafePointer<Float>, stride: Int, rowBegin: Int, rowEnd: Int, column: Int
  ) {
    guard let output = work.c else { return }
    let columns = min(stride, Int(work.columns) - column)
    for row in rowBegin..<rowEnd {
      let sum = sums + (row - rowBegin) * stride
      let c = output + row * Int(work.c_stride) + column
      let residual = work.residual.map { $0 + row * Int(work.residual_stride) + column }
      var i = 0
      while i < columns {
        let lanes = min(columns - i, Vector.count)
        var value = Vector.load(sum + i)
        if let bias = work.bias { value = value + Vector.load(bias + column + i, lanes: lanes) }
        value = value.activated(work.activation)
        if let residual { value = value + Vector.load(residual + i, lanes: lanes) }
        value.store(c + i, lanes: lanes)
        i += Vector.count
      }
    }
  }
}
