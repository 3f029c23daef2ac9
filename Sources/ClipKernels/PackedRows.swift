import CClip
import CSystem

/// Rows of A in the order in which `matmul` reads them: tiles of up to T.height rows, each split over depth into blocks
/// [T.height, tileStride] of rows in the form of `WeightStorage.copyRow`. All tiles have nearly the same height.
public enum PackedRows<T: Tile> {
  @_alwaysEmitIntoClient @inline(__always)
  static var blockFloats: Int { T.height * tileStride }

  @_alwaysEmitIntoClient @inline(__always)
  static func tiles(_ rows: Int) -> Int { (rows + T.height - 1) / T.height }

  /// The offset of a row's first block.
  @_alwaysEmitIntoClient @inline(__always)
  static func offset(row: Int, of rows: Int, blocks: Int) -> Int {
    let tiles = tiles(rows)
    let tile = ((row + 1) * tiles - 1) / rows
    return tile * blocks * blockFloats + (row - rows * tile / tiles) * tileStride
  }
}

extension KernelSet {
  /// clip_kernels.packed_rows.
  @_alwaysEmitIntoClient @inline(__always)
  public static func packedRows(_ rows: Int, _ depth: Int, _ storage: clip_storage) -> Int {
    let blocks =
      switch storage {
      case CLIP_STORAGE_BF16: BrainWeights.depthBlocks(depth)
      case CLIP_STORAGE_INT8: ByteWeights.depthBlocks(depth)
      case CLIP_STORAGE_INT8_FAST: ByteRows.depthBlocks(depth)
      default: FloatWeights.depthBlocks(depth)
      }
    return PackedRows<T>.tiles(rows) * blocks * PackedRows<T>.blockFloats
  }

  /// clip_kernels.pack_rows.
  @_alwaysEmitIntoClient @inline(__always)
  public static func packRows(
    _ a: UnsafePointer<Float>?, _ stride: Int, _ first: Int, _ count: Int, _ rows: Int, _ depth: Int,
    _ storage: clip_storage, _ packed: UnsafeMutablePointer<Float>?
  ) {
    guard let a, let packed, rows > 0 else { return }
    switch storage {
    case CLIP_STORAGE_BF16: pack(a, stride, first, count, rows, depth, BrainWeights.self, packed)
    case CLIP_STORAGE_INT8: pack(a, stride, first, count, rows, depth, ByteWeights.self, packed)
    case CLIP_STORAGE_INT8_FAST: pack(a, stride, first, count, rows, depth, ByteRows.self, packed)
    default: pack(a, stride, first, count, rows, depth, FloatWeights.self, packed)
    }
  }

  @_alwaysEmitIntoClient @inline(never)
  static func pack<Weights: WeightStorage>(
    _ a: UnsafePointer<Float>, _ stride: Int, _ first: Int, _ count: Int, _ rows: Int, _ depth: Int,
    _ storage: Weights.Type, _ packed: UnsafeMutablePointer<Float>
  ) {
    let steps = Weights.steps(depth)
    let blocks = Weights.depthBlocks(depth)
    for index in 0..<count {
      let line = packed + PackedRows<T>.offset(row: first + index, of: rows, blocks: blocks)
      for block in 0..<blocks {
        let begin = steps * block / blocks * Weights.stepDepth
        let end = min(depth, steps * (block + 1) / blocks * Weights.stepDepth)
        Weights.copyRow(
          Vector.self, a + index * stride + begin, depth: end - begin, to: line + block * PackedRows<T>.blockFloats)
      }
    }
  }
}
