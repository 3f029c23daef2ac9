import CClip
import CSystem

/// The kernels of one instruction set, whose registers and tile `T` describes.
public enum KernelSet<T: Tile> {
  public typealias Vector = T.Vector

  @_alwaysEmitIntoClient @inline(__always)
  public static var panelWidth: Int { T.panelWidth }

  @_alwaysEmitIntoClient @inline(__always)
  public static var tileRows: Int { T.height }

  /// Room for sums that wait for the next block of depth: what a tile's copy of A leaves of the stack.
  @_alwaysEmitIntoClient @inline(__always)
  static var sumsCapacity: Int { Int(csystem_stack_floats) - T.height * tileStride }

  /// clip_kernels.matmul; `stack` is csystem_with_stack's.
  @_alwaysEmitIntoClient @inline(__always)
  public static func matmul(_ work: UnsafeRawPointer?, _ stack: UnsafeMutablePointer<Float>?) {
    guard let work = work?.assumingMemoryBound(to: clip_matmul.self).pointee, let stack, let a = work.a,
      let weights = work.weights, work.rows > 0, work.panel_begin < work.panel_end
    else { return }
    switch work.storage {
    case CLIP_STORAGE_F16: multiply(work, a, HalfWeights.self, weights, stack)
    case CLIP_STORAGE_BF16: multiply(work, a, BrainWeights.self, weights, stack)
    case CLIP_STORAGE_INT8: multiply(work, a, ByteWeights.self, weights, stack)
    default: multiply(work, a, FloatWeights.self, weights, stack)
    }
  }

  /// Blocks of rows, groups of panels, blocks of depth, tiles, panels: from outer to inner loop. A
  /// block of depth of a group stays in the second cache while the tiles of a row block go by; a
  /// tile's copy of A is read from the first cache while panels stream past it.
  @_alwaysEmitIntoClient @inline(never)
  static func multiply<Weights: WeightStorage>(
    _ work: clip_matmul, _ a: UnsafePointer<Float>, _ storage: Weights.Type, _ weights: UnsafeRawPointer,
    _ stack: UnsafeMutablePointer<Float>
  ) {
    let sums = stack + T.height * tileStride
    let rows = Int(work.rows)
    let depth = Int(work.depth)
    let steps = Weights.steps(depth)
    let aStride = Int(work.a_stride)
    let panelEnd = Int(work.panel_end)
    let panelBytes = panelBytes(depth: depth, Weights.self)
    let rowBytes = T.panelWidth * Weights.bytes
    let tiles = (rows + T.height - 1) / T.height
    let blocks = (tiles * T.height + Weights.blockRows - 1) / Weights.blockRows
    let depthBlocks = max(1, (steps + depthBlock - 1) / depthBlock)

    for block in 0..<blocks {
      let tileBegin = tiles * block / blocks
      let tileEnd = tiles * (block + 1) / blocks
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
          let k = step * Weights.stepDepth
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
              storage, a + row * aStride + k, aStride: aStride, rows: rows * (tile + 1) / tiles - row,
              depth: min(part * Weights.stepDepth, depth - k), group, panelBytes: panelBytes, panels: panels, ahead,
              sums + (row - rowBegin) * stride, stride: stride, depthIndex == 0 ? .start : .add, stack)
          }
        }
        finish(
          work, storage, sums, stride: stride, rowBegin: rowBegin, rowEnd: rowEnd, column: panel * T.panelWidth,
          weights + panel * panelBytes)
        panel += panels
      }
    }
  }

  /// One tile's rows of A, at most `depthBlock` steps, times some panels; `copy` is room for the rows.
  @_alwaysEmitIntoClient @inline(__always)
  static func accumulate<Weights: WeightStorage>(
    _ storage: Weights.Type, _ a: UnsafePointer<Float>, aStride: Int, rows: Int, depth: Int,
    _ weights: UnsafeRawPointer, panelBytes: Int, panels: Int, _ ahead: Ahead,
    _ sums: UnsafeMutablePointer<Float>, stride: Int, _ mode: SumMode, _ copy: UnsafeMutablePointer<Float>
  ) {
    for row in 0..<rows { Weights.copyRow(Vector.self, a + row * aStride, depth: depth, to: copy + row * tileStride) }
    var ahead = ahead
    for panel in 0..<panels {
      T.multiply(
        storage, rows: rows, copy, weights + panel * panelBytes, steps: Weights.steps(depth), ahead,
        sums + panel * T.panelWidth, stride: stride, mode)
      ahead.next += panelBytes
    }
  }

  /// C = activation(sums + bias) + residual, cut at the last column.
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
        if let residual { value = value + Vector.load(residual + i, lanes: lanes) }
        value.store(c + i, lanes: lanes)
      }
    }
  }
}
