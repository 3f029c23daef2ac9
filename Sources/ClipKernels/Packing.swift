import CClip

extension KernelSet {
  /// Bytes of a panel [depth, panelWidth], up to a multiple of 64.
  @_alwaysEmitIntoClient @inline(__always)
  static func panelBytes<Weights: WeightStorage>(depth: Int, _ storage: Weights.Type) -> Int {
    (depth * panelWidth * Weights.bytes + 63) & ~63
  }

  /// clip_kernels.panel_bytes.
  @_alwaysEmitIntoClient @inline(__always)
  public static func panelBytes(_ depth: Int, _ storage: clip_storage) -> Int {
    storage == CLIP_STORAGE_F32 ? panelBytes(depth: depth, FloatWeights.self) : panelBytes(depth: depth, HalfWeights.self)
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
    case CLIP_STORAGE_BF16: pack(weights, stride, rows, depth, BrainWeights.self, panel)
    default: pack(weights, stride, rows, depth, FloatWeights.self, panel)
    }
  }

  /// Transposes weights[rows, depth] into panel[depth, panelWidth], 16 deep at a time so that the
  /// lines written stay in the first cache.
  @_alwaysEmitIntoClient @inline(never)
  static func pack<Weights: WeightStorage>(
    _ weights: UnsafePointer<Float>, _ stride: Int, _ rows: Int, _ depth: Int, _ storage: Weights.Type,
    _ panel: UnsafeMutableRawPointer
  ) {
    var begin = 0
    while begin < depth {
      let end = min(begin + 16, depth)
      for column in 0..<panelWidth {
        for k in begin..<end {
          let value = column < rows ? weights[column * stride + k] : 0
          Weights.store(value, at: panel + (k * panelWidth + column) * Weights.bytes)
        }
      }
      begin = end
    }
    let used = depth * panelWidth * Weights.bytes
    for byte in used..<panelBytes(depth: depth, storage) { panel.storeBytes(of: 0, toByteOffset: byte, as: UInt8.self) }
  }
}
