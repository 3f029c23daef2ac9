import CClip
import COpenBLAS
import ClipKernels

/// clip_kernels.matmul by OpenBLAS. Panels are rows of weights as they are, so that several make one matrix
/// [columns, depth]; rows of A are as `PackedRows` has them: cut over depth into blocks.
enum Products {
  /// Bytes of a panel are a multiple of 64 for any depth.
  static var panelWidth: Int { 16 }

  static func panelBytes(_ depth: Int) -> Int { depth * panelWidth * 4 }

  static func packPanel(
    _ weights: UnsafePointer<Float>?, _ stride: Int, _ rows: Int, _ depth: Int, _ panel: UnsafeMutableRawPointer?
  ) {
    guard let weights, let panel = panel?.assumingMemoryBound(to: Float.self) else { return }
    for row in 0..<panelWidth {
      let target = panel + row * depth
      if row < rows {
        target.update(from: weights + row * stride, count: depth)
      } else {
        target.update(repeating: 0, count: depth)
      }
    }
  }

  /// Straight into C, but with a residual into `buffer` block by block: C may be the residual.
  static func multiply(_ work: UnsafeRawPointer?, _ buffer: UnsafeMutablePointer<Float>?) {
    guard let work = work?.assumingMemoryBound(to: clip_matmul.self).pointee, let c = work.c, let buffer,
      work.tile_begin < work.tile_end
    else { return }
    let rows = work.tile_begin..<work.tile_end
    let first = work.panel_begin * panelWidth
    let columns = first..<max(first, min(work.columns, work.panel_end * panelWidth))
    guard let residual = work.residual else {
      let target = c + rows.lowerBound * work.c_stride + first
      multiply(work, rows, columns, target, work.c_stride)
      return
    }
    for row in stride(from: rows.lowerBound, to: rows.upperBound, by: blockRows) {
      for column in stride(from: columns.lowerBound, to: columns.upperBound, by: blockColumns) {
        let height = min(blockRows, rows.upperBound - row)
        let width = min(blockColumns, columns.upperBound - column)
        let target = c + row * work.c_stride + column
        multiply(work, row..<row + height, column..<column + width, buffer, blockColumns)
        Kernels.add(
          buffer, blockColumns, residual + row * work.residual_stride + column, work.residual_stride, target,
          work.c_stride, height, width)
        if work.after != CLIP_IDENTITY {
          Kernels.scaleShift(target, work.c_stride, target, work.c_stride, height, width, nil, nil, work.after)
        }
      }
    }
  }

  /// A block of as many floats as csystem_with_stack has.
  private static var blockRows: Int { 72 }
  private static var blockColumns: Int { 128 }

  /// activation(A B' + bias) of these rows and columns; a block of depth after the other.
  private static func multiply(
    _ work: clip_matmul, _ rows: Range<Int>, _ columns: Range<Int>, _ sums: UnsafeMutablePointer<Float>, _ stride: Int
  ) {
    guard let a = work.a, let weights = work.weights?.assumingMemoryBound(to: Float.self), !columns.isEmpty
    else { return }
    let rowFloats = Kernels.packedRows(1, work.depth, CLIP_STORAGE_F32)
    let blockFloats = Kernels.packedRows(1, 1, CLIP_STORAGE_F32)
    let blocks = rowFloats / blockFloats
    for block in 0..<blocks {
      let begin = work.depth * block / blocks
      let end = work.depth * (block + 1) / blocks
      cblas_sgemm(
        Int32(clip_blas_row_major), Int32(clip_blas_as_is), Int32(clip_blas_transposed),
        Int32(truncatingIfNeeded: rows.count), Int32(truncatingIfNeeded: columns.count),
        Int32(truncatingIfNeeded: end - begin), 1,
        a + rows.lowerBound * rowFloats + block * blockFloats, Int32(truncatingIfNeeded: rowFloats),
        weights + columns.lowerBound * work.depth + begin, Int32(truncatingIfNeeded: work.depth),
        block == 0 ? 0 : 1, sums, Int32(truncatingIfNeeded: stride))
    }
    if work.bias != nil || work.activation != CLIP_IDENTITY {
      Kernels.scaleShift(
        sums, stride, sums, stride, rows.count, columns.count, nil, work.bias.map { $0 + columns.lowerBound },
        work.activation)
    }
  }
}
