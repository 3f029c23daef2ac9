import CClip
import CSystem

extension KernelSet {
  /// Bytes of a panel [steps, panelWidth] and its scales, if any, rounded up to a multiple of 64.
  @_alwaysEmitIntoClient @inline(__always)
  static func panelBytes<Weights: WeightStorage>(depth: Int, _ storage: Weights.Type) -> Int {
    (panelWidth * (Weights.panelSteps(depth) * Weights.bytes + Weights.columnBytes) + 63) & ~63
  }

  /// clip_kernels.panel_bytes.
  @_alwaysEmitIntoClient @inline(__always)
  public static func panelBytes(_ depth: Int, _ storage: clip_storage) -> Int {
    switch storage {
    case CLIP_STORAGE_F16: panelBytes(depth: depth, HalfWeights.self)
    case CLIP_STORAGE_BF16: panelBytes(depth: depth, BrainWeights.self)
    case CLIP_STORAGE_INT8: panelBytes(depth: depth, ByteWeights.self)
    case CLIP_STORAGE_INT8_FAST: panelBytes(depth: depth, ByteRows.self)
    default: panelBytes(depth: depth, FloatWeights.self)
    }
  }

  /// clip_kernels.pack_panel.
  @_alwaysEmitIntoClient @inline(__always)
  public static func packPanel(
    _ weights: UnsafePointer<Float>?, _ stride: Int, _ rows: Int, _ depth: Int, _ storage: clip_storage,
    _ panel: UnsafeMutableRawPointer?
  ) {
    guard let weights, let panel else { return }
    switch storage {
    case CLIP_STORAGE_F16: pack(weights, stride, rows, depth, HalfWeights.self, panel)
    case CLIP_STORAGE_BF16: packBrain(weights, stride, rows, depth, panel)
    case CLIP_STORAGE_INT8: packBytes(weights, stride, rows, depth, panel)
    case CLIP_STORAGE_INT8_FAST: packByteRows(weights, stride, rows, depth, panel)
    default: pack(weights, stride, rows, depth, FloatWeights.self, panel)
    }
  }

  /// Transposes weights [rows, depth] into a panel [depth, panelWidth]: 16 of the depth at a time, so that the lines
  /// being written stay in the L1 cache, in squares of 4 x 4 elements where possible.
  @_alwaysEmitIntoClient @inline(never)
  static func pack<Weights: FloatStorage>(
    _ weights: UnsafePointer<Float>, _ stride: Int, _ rows: Int, _ depth: Int, _ storage: Weights.Type,
    _ panel: UnsafeMutableRawPointer
  ) {
    let rowBytes = panelWidth * Weights.bytes
    var begin = 0
    while begin < depth {
      let end = min(begin + 16, depth)
      var column = 0
      while column < panelWidth {
        let source = weights + column * stride
        let target = panel + column * Weights.bytes
        var k = begin
        while column + 4 <= rows, k + 4 <= end {
          let a = SIMD4<Float>.load(source + k)
          let b = SIMD4<Float>.load(source + stride + k)
          let c = SIMD4<Float>.load(source + 2 * stride + k)
          let d = SIMD4<Float>.load(source + 3 * stride + k)
          Weights.store(SIMD4(a.x, b.x, c.x, d.x), at: target + k * rowBytes)
          Weights.store(SIMD4(a.y, b.y, c.y, d.y), at: target + (k + 1) * rowBytes)
          Weights.store(SIMD4(a.z, b.z, c.z, d.z), at: target + (k + 2) * rowBytes)
          Weights.store(SIMD4(a.w, b.w, c.w, d.w), at: target + (k + 3) * rowBytes)
          k += 4
        }
        while k < end {
          var numbers = SIMD4<Float>(repeating: 0)
          for i in 0..<4 where column + i < rows { numbers[i] = source[i * stride + k] }
          Weights.store(numbers, at: target + k * rowBytes)
          k += 1
        }
        column += 4
      }
      begin = end
    }
    let used = depth * rowBytes
    for byte in used..<panelBytes(depth: depth, storage) { panel.storeBytes(of: 0, toByteOffset: byte, as: UInt8.self) }
  }

  /// Packs bytes into a panel [steps, panelWidth, 2], followed by the columns' scales. With an odd depth the last step
  /// has a 0.
  @_alwaysEmitIntoClient @inline(never)
  static func packBytes(
    _ weights: UnsafePointer<Float>, _ stride: Int, _ rows: Int, _ depth: Int, _ panel: UnsafeMutableRawPointer
  ) {
    memset(panel, 0, panelBytes(depth: depth, ByteWeights.self))
    let scales = panel.advanced(by: panelWidth * ByteWeights.bytes * ByteWeights.steps(depth))
      .assumingMemoryBound(to: Float.self)
    let bytes = panel.assumingMemoryBound(to: Int8.self)
    for column in 0..<rows {
      let row = weights + column * stride
      let quantiser = Quantiser(largest: largestMagnitude(Vector.self, row, depth), steps: ByteWeights.largest)
      scales[column] = quantiser.scale
      for k in 0..<depth {
        bytes[(k / 2 * panelWidth + column) * 2 + k % 2] = Int8(truncatingIfNeeded: quantiser.round(row[k]))
      }
    }
  }
}
