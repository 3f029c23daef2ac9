import CClip

/// A matrix in memory owned by someone else, `stride` floats from row to row.
struct Matrix {
  let data: UnsafePointer<Float>
  let stride: Int

  /// The matrix that starts at `row`.
  func from(row: Int) -> Matrix { Matrix(data: data + row * stride, stride: stride) }
}

/// The left operand A [rows, depth] of a product. Its rows are packed in blocks, just before they are multiplied.
enum LeftOperand {
  /// [rows, depth].
  case rows(Matrix)
  /// [depth, rows].
  case transposed(Matrix)
  /// Row i holds the pixels under a window at output pixel i (im2col).
  case windows(Windows, UnsafePointer<Float>)

  enum Kind {
    case rows, transposed, windows

    /// Floats of the buffer in which up to `rows` rows are gathered before packing.
    func bufferFloats(rows: Int, depth: Int) -> Int {
      switch self {
      case .rows: 0
      case .transposed: (rows * depth + 15) & ~15
      case .windows: (depth + 15) & ~15
      }
    }
  }

  var kind: Kind {
    switch self {
    case .rows: .rows
    case .transposed: .transposed
    case .windows: .windows
    }
  }

  /// Packs `rows`, a part of the rows `block`. `packed` is where the packed form of the block starts.
  func pack(
    _ rows: Range<Int>, of block: Range<Int>, depth: Int, _ storage: clip_storage, _ kernels: Kernels,
    _ buffer: UnsafeMutablePointer<Float>, into packed: UnsafeMutablePointer<Float>
  ) {
    func pack(_ matrix: Matrix, _ rows: Range<Int>) {
      kernels.table.pointee.pack_rows(
        matrix.data, matrix.stride, rows.lowerBound - block.lowerBound, rows.count, block.count, depth, storage, packed)
    }
    switch self {
    case .rows(let matrix): pack(matrix.from(row: rows.lowerBound), rows)
    case .transposed(let matrix):
      transpose(
        Matrix(data: matrix.data + rows.lowerBound, stride: matrix.stride), rows: depth, columns: 0..<rows.count,
        into: buffer)
      pack(Matrix(data: UnsafePointer(buffer), stride: depth), rows)
    case .windows(let windows, let x):
      for row in rows {
        windows.copy(row, of: x, to: buffer)
        pack(Matrix(data: UnsafePointer(buffer), stride: depth), row..<(row + 1))
      }
    }
  }
}
