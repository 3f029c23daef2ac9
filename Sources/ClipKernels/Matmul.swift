import CClip
import CSystem

/// The kernels of one instruction set, whose registers and tile `T` describes.
public enum KernelSet<T: Tile> {
  public typealias Vector = T.Vector

  @_alwaysEmitIntoClient @inline(__always)
  public static var panelWidth: Int { T.panelWidth }

  @_alwaysEmitIntoClient @inline(__always)
  public static var tileRows: Int { T.height }

  /// Room for sums that wait for the next block of depth.
  @_alwaysEmitIntoClient @inline(__always)
  static var sumsCapacity: Int { Int(csystem_stack_floats) }

  /// clip_kernels.matmul; `stack` is csystem_with_stack's.
  @_alwaysEmitIntoClient @inline(__always)
  public static func matmul(_ work: UnsafeRawPointer?, _ sums: UnsafeMutablePointer<Float>?) {
    guard let work = work?.assumingMemoryBound(to: clip_matmul.self).pointee, let sums, let a = work.a,
      let weights = work.weights, work.rows > 0, work.tile_begin < work.tile_end, work.panel_begin < work.panel_end
    else { return }
    switch work.storage {
    case CLIP_STORAGE_F16: multiply(work, a, HalfWeights.self, weights, sums)
    case CLIP_STORAGE_BF16: multiply(work, a, BrainWeights.self, weights, sums)
    case CLIP_STORAGE_INT8: multiply(work, a, ByteWeights.self, weights, sums)
    default: multiply(work, a, FloatWeights.self, weights, sums)
    }
  }

  /// Blocks of rows, groups of panels, blocks of depth, tiles, panels: from outer to inner loop. A
  /// block of depth of a group stays in the second cache while the tiles of a row block go by; a
  /// tile's rows of A are read from the first cache while panels stream past them.
  @_alwaysEmitIntoClient @inline(never)
  static func multiply<Weights: WeightStorage>(
    _ work: clip_matmul, _ a: UnsafePointer<Float>, _ storage: Weights.Type, _ weights: UnsafeRawPointer,
    _ sums: UnsafeMutablePointer<Float>
  ) {
    let rows = Int(work.rows)
    let depth = Int(work.depth)
    let steps = Weights.steps(depth)
    let panelEnd = Int(work.panel_end)
    let panelBytes = panelBytes(depth: depth, Weights.self)
    let rowBytes = T.panelWidth * Weights.bytes
    let tiles = PackedRows<T>.tiles(rows)
    let first = Int(work.tile_begin)
    let taken = Int(work.tile_end) - first
    let blocks = (taken * T.height + Weights.blockRows - 1) / Weights.blockRows
    let depthBlocks = PackedRows<T>.depthBlocks(depth, storage)

    for block in 0..<blocks {
      let tileBegin = first + taken * block / blocks
      let tileEnd = first + taken * (block + 1) / blocks
      let rowBegin = rows * tileBegin / tiles
      let rowEnd = rows * tileEnd / tiles
      let room = sumsCapacity / (rowEnd - rowBegin)
      let groupSize = max(1, (tileEnd - tileBegin > 1 ? min(room, Weights.groupColumns) : room) / T.panelWidth)
      let share = (rowBytes + tileEnd - tileBegin - 1) / (tileEnd - tileBegin)
      var panel = Int(work.panel_begin)
      while panel < panelEnd {
        let panels = min(groupSize, panelEnd - panel)
        let stride = panels * T.panelWidth
        for depthIndex in 0..<depthBlocks {
          let step = steps * depthIndex / depthBlocks
          let part = steps * (depthIndex + 1) / depthBlocks - step
          let group = weights + panel * panelBytes + step * rowBytes
          // A lone tile fetches a little ahead; of several, each fetches a share of the next block.
          let next = depthIndex + 1 < depthBlocks ? group + part * rowBytes : weights + (panel + panels) * panelBytes
          for tile in tileBegin..<tileEnd {
            let row = rows * tile / tiles
            let ahead =
              tileEnd - tileBegin == 1
              ? Ahead(group + (depthBlocks == 1 ? 4096 : panelBytes), step: rowBytes)
              : Ahead(next + (tile - tileBegin) * share * part, step: share)
            accumulate(
              storage, a + (tile * depthBlocks + depthIndex) * PackedRows<T>.blockFloats,
              rows: rows * (tile + 1) / tiles - row, steps: part, group, panelBytes: panelBytes, panels: panels, ahead,
              sums + (row - rowBegin) * stride, stride: stride, depthIndex == 0 ? .start : .add)
          }
        }
        finish(
          work, storage, sums, stride: stride, rowBegin: rowBegin, rowEnd: rowEnd, column: panel * T.panelWidth,
          weights + panel * panelBytes)
        panel += panels
      }
    }
  }

  /// One block of a tile's rows times some panels.
  @_alwaysEmitIntoClient @inline(__always)
  static func accumulate<Weights: WeightStorage>(
    _ storage: Weights.Type, _ a: UnsafePointer<Float>, rows: Int, steps: Int, _ weights: UnsafeRawPointer,
    panelBytes: Int, panels: Int, _ ahead: Ahead, _ sums: UnsafeMutablePointer<Float>, stride: Int, _ mode: SumMode
  ) {
    var ahead = ahead
    for panel in 0..<panels {
      T.multiply(
        storage, rows: rows, a, weights + panel * panelBytes, steps: steps, ahead, sums + panel * T.panelWidth,
        stride: stride, mode)
      ahead.next += panelBytes
    }
  }

  /// C = after(activation(sums + bias) + residual), cut at the last column.
  @_alwaysEmitIntoClient @inline(never)
  static func finish<Weights: WeightStorage>(
    _ work: clip_matmul, _ storage: Weights.Type, _ sums: UnsafePointer<Float>, stride: Int, rowBegin: Int,
    rowEnd: Int, column: Int, _ panels: UnsafeRawPointer
  ) {
    guard let output = work.c else { return }
    let columns = min(stride, Int(work.columns) - column)
    for row in rowBegin..<rowEnd {
      let sum = sums + (row - rowBegin) * stride
      let c = output + row * Int(work.c_stride) + column
      let residual = work.residual.map { $0 + row * Int(work.residual_stride) + column }
      vectors(columns) { i, lanes in
        var value = Vector.load(sum + i)
        if Weights.columnBytes > 0 {
          value = value * Vector.load(columnScales(panels, depth: Int(work.depth), storage, column: i))
        }
        if let bias = work.bias { value = value + Vector.load(bias + column + i, lanes: lanes) }
        value = value.activated(work.activation)
        if let residual { value = (value + Vector.load(residual + i, lanes: lanes)).activated(work.after) }
        value.store(c + i, lanes: lanes)
      }
    }
  }
}
