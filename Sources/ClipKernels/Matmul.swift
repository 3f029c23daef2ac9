import CClip
import CSystem

/// The kernels of one instruction set, whose registers and tile are those of `T`.
public enum KernelSet<T: Tile> {
  public typealias Vector = T.Vector

  @_alwaysEmitIntoClient @inline(__always)
  public static var panelWidth: Int { T.panelWidth }

  @_alwaysEmitIntoClient @inline(__always)
  public static var tileRows: Int { T.height }

  /// Memory for the sums between two blocks of depth.
  @_alwaysEmitIntoClient @inline(__always)
  static var sumsCapacity: Int { Int(csystem_stack_floats) }

  /// clip_kernels.matmul. `stack` is the memory that csystem_with_stack gives.
  @_alwaysEmitIntoClient @inline(__always)
  public static func matmul(_ work: UnsafeRawPointer?, _ sums: UnsafeMutablePointer<Float>?) {
    guard let work = work?.assumingMemoryBound(to: clip_matmul.self).pointee, let sums, let a = work.a,
      let weights = work.weights, work.rows > 0, work.tile_begin < work.tile_end, work.panel_begin < work.panel_end
    else { return }
    switch work.storage {
    case CLIP_STORAGE_F16: multiply(work, a, HalfWeights.self, weights, sums)
    case CLIP_STORAGE_BF16: multiply(work, a, BrainWeights.self, weights, sums)
    case CLIP_STORAGE_INT8: multiply(work, a, ByteWeights.self, weights, sums)
    case CLIP_STORAGE_INT8_FAST: multiply(work, a, ByteRows.self, weights, sums)
    default: multiply(work, a, FloatWeights.self, weights, sums)
    }
  }

  /// Loops from outer to inner: blocks of rows, groups of panels, blocks of depth, tiles, panels. A group's block of
  /// depth stays in the L2 cache during the tiles of a row block. A tile's rows of A stay in the L1 cache during the
  /// panels.
  @_alwaysEmitIntoClient @inline(never)
  static func multiply<Weights: WeightStorage>(
    _ work: clip_matmul, _ a: UnsafePointer<Float>, _ storage: Weights.Type, _ weights: UnsafeRawPointer,
    _ sums: UnsafeMutablePointer<Float>
  ) {
    guard let c = work.c else { return }
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
    let depthBlocks = Weights.depthBlocks(depth)

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
        // Sums that are the result, in whole panels, are accumulated in C itself.
        let direct = Weights.columnBytes == 0 && isPlain(work) && (panel + panels) * T.panelWidth <= Int(work.columns)
        let stride = direct ? Int(work.c_stride) : panels * T.panelWidth
        let target = direct ? c + rowBegin * stride + panel * T.panelWidth : sums
        for depthIndex in 0..<depthBlocks {
          let step = steps * depthIndex / depthBlocks
          let part = steps * (depthIndex + 1) / depthBlocks - step
          let group = weights + panel * panelBytes + (step + depthIndex * Weights.headerSteps) * rowBytes
          // A single tile prefetches a little ahead; of several tiles, each prefetches a share of the next block.
          let next =
            depthIndex + 1 < depthBlocks
            ? group + (part + Weights.headerSteps) * rowBytes : weights + (panel + panels) * panelBytes
          for tile in tileBegin..<tileEnd {
            let row = rows * tile / tiles
            let ahead =
              tileEnd - tileBegin == 1
              ? Ahead(group + (depthBlocks == 1 ? 4096 : panelBytes), step: rowBytes)
              : Ahead(next + (tile - tileBegin) * share * part, step: share)
            let end = rows * (tile + 1) / tiles
            // With one block of depth, all tiles use the same memory for their sums, which stays in the L1 cache.
            let place = target + (depthBlocks == 1 && !direct ? 0 : row - rowBegin) * stride
            let isLast = !direct && depthIndex + 1 == depthBlocks
            accumulate(
              storage, a + (tile * depthBlocks + depthIndex) * PackedRows<T>.blockFloats, rows: end - row, steps: part,
              group, panelBytes: panelBytes, panels: panels, ahead, place, stride: stride,
              depthIndex == 0 ? .start : .add
            ) { index in
              if isLast { fetch(work, c, row..<end, column: (panel + index) * T.panelWidth) }
            }
            if Weights.keepsOutliers {
              addOutliers(
                storage, a + (tile * depthBlocks + depthIndex) * PackedRows<T>.blockFloats, rows: end - row, group,
                panelBytes: panelBytes, panels: panels, place, stride: stride)
            }
            if isLast {
              finish(
                work, place, stride: stride, rowBegin: row, rowEnd: end, column: panel * T.panelWidth,
                scales: Weights.columnBytes == 0
                  ? nil
                  : ColumnScales(
                    first: weights + panel * panelBytes + Weights.panelSteps(depth) * rowBytes, panelBytes: panelBytes))
            }
          }
        }
        panel += panels
      }
    }
  }

  /// Whether C is the product alone, without an epilogue.
  @_alwaysEmitIntoClient @inline(__always)
  static func isPlain(_ work: clip_matmul) -> Bool {
    work.bias == nil && work.residual == nil && work.activation == CLIP_IDENTITY
  }

  /// Multiplies one block of a tile's rows by some panels, and calls `willMultiply` before each.
  @_alwaysEmitIntoClient @inline(__always)
  static func accumulate<Weights: WeightStorage>(
    _ storage: Weights.Type, _ a: UnsafePointer<Float>, rows: Int, steps: Int, _ weights: UnsafeRawPointer,
    panelBytes: Int, panels: Int, _ ahead: Ahead, _ sums: UnsafeMutablePointer<Float>, stride: Int, _ mode: SumMode,
    willMultiply: (Int) -> Void = { _ in }
  ) {
    var ahead = ahead
    for panel in 0..<panels {
      willMultiply(panel)
      T.multiply(
        storage, rows: rows, a, weights + panel * panelBytes, steps: steps, ahead, sums + panel * T.panelWidth,
        stride: stride, mode)
      ahead.next += panelBytes
    }
  }

  /// Adds the products of the elements of A that `accumulate` leaves out.
  @_alwaysEmitIntoClient @inline(__always)
  static func addOutliers<Weights: WeightStorage>(
    _ storage: Weights.Type, _ a: UnsafePointer<Float>, rows: Int, _ weights: UnsafeRawPointer, panelBytes: Int,
    panels: Int, _ sums: UnsafeMutablePointer<Float>, stride: Int
  ) {
    for row in 0..<rows where Weights.outliers(a + row * tileStride) > 0 {
      for panel in 0..<panels {
        Weights.addOutliers(
          Vector.self, a + row * tileStride, weights + panel * panelBytes,
          to: sums + row * stride + panel * T.panelWidth)
      }
    }
  }

  /// Prefetches the part of C and of the residual that `finish` needs after the tile of `rows` has multiplied the panel
  /// at `column`.
  @_alwaysEmitIntoClient @inline(__always)
  static func fetch(_ work: clip_matmul, _ c: UnsafePointer<Float>, _ rows: Range<Int>, column: Int) {
    for row in rows {
      let sums = c + row * Int(work.c_stride) + column
      for line in Swift.stride(from: 0, to: T.panelWidth, by: 16) { csystem_prefetch(sums + line) }
      if let residual = work.residual {
        let terms = residual + row * Int(work.residual_stride) + column
        for line in Swift.stride(from: 0, to: T.panelWidth, by: 16) { csystem_prefetch(terms + line) }
      }
    }
  }

  /// C = after(activation(sums * scales + bias) + residual), up to the last column.
  @_alwaysEmitIntoClient @inline(never)
  static func finish(
    _ work: clip_matmul, _ sums: UnsafePointer<Float>, stride: Int, rowBegin: Int, rowEnd: Int, column: Int,
    scales: ColumnScales?
  ) {
    guard let output = work.c else { return }
    let columns = min(stride, Int(work.columns) - column)
    for row in rowBegin..<rowEnd {
      finish(
        sums + (row - rowBegin) * stride, columns, bias: work.bias.map { $0 + column }, work.activation,
        residual: work.residual.map { $0 + row * Int(work.residual_stride) + column }, work.after,
        to: output + row * Int(work.c_stride) + column, scales: scales)
    }
  }

  /// One row of `finish`.
  @_alwaysEmitIntoClient @inline(__always)
  static func finish(
    _ sums: UnsafePointer<Float>, _ columns: Int, bias: UnsafePointer<Float>?, _ activation: clip_activation,
    residual: UnsafePointer<Float>?, _ after: clip_activation, to c: UnsafeMutablePointer<Float>,
    scales: ColumnScales? = nil
  ) {
    @inline(__always) func vector(_ i: Int, _ lanes: Int) {
      var value = Vector.load(sums + i, lanes: lanes)
      if let scales { value = value * Vector.load(scales.place(of: i, panelWidth: panelWidth)) }
      if let bias { value = value + Vector.load(bias + i, lanes: lanes) }
      value = value.activated(activation)
      if let residual { value = (value + Vector.load(residual + i, lanes: lanes)).activated(after) }
      value.store(c + i, lanes: lanes)
    }
    vectors(columns) { vector($0, $1) }
  }
}

/// The scales that panels of bytes have for each column, behind their steps.
@frozen public struct ColumnScales {
  /// Of the first column.
  @usableFromInline let first: UnsafeRawPointer
  /// From a panel to the next.
  @usableFromInline let panelBytes: Int

  @_alwaysEmitIntoClient @inline(__always)
  init(first: UnsafeRawPointer, panelBytes: Int) {
    self.first = first
    self.panelBytes = panelBytes
  }

  @_alwaysEmitIntoClient @inline(__always)
  func place(of column: Int, panelWidth: Int) -> UnsafePointer<Float> {
    (first + column / panelWidth * panelBytes).assumingMemoryBound(to: Float.self) + column % panelWidth
  }
}
