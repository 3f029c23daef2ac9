import CClip
import CSystem

/// Plain loops that sum in double, for any processor: the reference for the other kernel sets, used where no other
/// runs. A panel has four columns.
public func referenceKernels() -> clip_kernels {
  clip_kernels(
    struct_size: UInt32(MemoryLayout<clip_kernels>.size), features: 0,
    id: UnsafeRawPointer(("clipcore.kernels.reference" as StaticString).utf8Start).assumingMemoryBound(to: CChar.self),
    description: UnsafeRawPointer(("Plain loops" as StaticString).utf8Start).assumingMemoryBound(to: CChar.self),
    rank: 1, panel_width: UInt32(Reference.panelWidth), tile_rows: 1,
    storages: 1 << CLIP_STORAGE_F32.rawValue | 1 << CLIP_STORAGE_F16.rawValue | 1 << CLIP_STORAGE_BF16.rawValue
      | 1 << CLIP_STORAGE_INT8.rawValue | 1 << CLIP_STORAGE_INT8_FAST.rawValue,
    panel_bytes: { Reference.panelBytes($0, $1) },
    pack_panel: { Reference.packPanel($0, $1, $2, $3, $4, $5) },
    packed_rows: { rows, depth, _ in rows * depth },
    pack_rows: { Reference.packRows($0, $1, $2, $3, $5, $7) },
    matmul: { Reference.matmul($0) },
    attention_scratch: { keys, _ in keys },
    attention: { Reference.attention($0) },
    layer_norm: { Reference.layerNorm($0, $1, $2, $3, $4, $5, $6, $7, $8) },
    scale_shift: { Reference.scaleShift($0, $1, $2, $3, $4, $5, $6, $7, $8) },
    add: { Reference.add($0, $1, $2, $3, $4, $5, $6, $7) },
    normalize: { Reference.normalize($0, $1, $2, $3) },
    winograd_input: { Reference.winogradInput($0) },
    winograd_output: { Reference.winogradOutput($0) },
    resample_horizontal: { Reference.resampleHorizontal($0, $1, $2, $3, $4) },
    resample_vertical: { Reference.resampleVertical($0, $1, $2, $3) },
    score_rows: { Reference.scoreRows($0) })
}

enum Reference {
  static var panelWidth: Int { 4 }

  /// With INT8 storage a panel ends with the columns' scales.
  static func panelBytes(_ depth: Int, _ storage: clip_storage) -> Int {
    switch storage {
    case CLIP_STORAGE_F16, CLIP_STORAGE_BF16: (depth &* panelWidth &* 2 &+ 63) & ~63
    case CLIP_STORAGE_INT8, CLIP_STORAGE_INT8_FAST: (depth &* panelWidth &+ panelWidth &* 4 &+ 63) & ~63
    default: (depth &* panelWidth &* 4 &+ 63) & ~63
    }
  }

  private static func hasScales(_ storage: clip_storage) -> Bool {
    storage == CLIP_STORAGE_INT8 || storage == CLIP_STORAGE_INT8_FAST
  }

  static func packPanel(
    _ weights: UnsafePointer<Float>?, _ stride: Int, _ rows: Int, _ depth: Int, _ storage: clip_storage,
    _ panel: UnsafeMutableRawPointer?
  ) {
    guard let weights, let panel else { return }
    for column in 0..<panelWidth {
      let row = weights + column &* stride
      let largest = hasScales(storage) && column < rows ? largestMagnitude(SIMD4<Float>.self, row, depth) : 0
      let quantiser = Quantiser(largest: largest, steps: ByteWeights.largest)
      for k in 0..<max(0, depth) {
        let value = column < rows ? row[k] : 0
        let place = k &* panelWidth &+ column
        switch storage {
        case CLIP_STORAGE_F16: panel.storeBytes(of: half(value), toByteOffset: 2 &* place, as: UInt16.self)
        case CLIP_STORAGE_BF16: panel.storeBytes(of: brain(value), toByteOffset: 2 &* place, as: UInt16.self)
        case CLIP_STORAGE_INT8, CLIP_STORAGE_INT8_FAST:
          let byte = Int8(truncatingIfNeeded: quantiser.round(value))
          panel.storeBytes(of: byte, toByteOffset: place, as: Int8.self)
        default: panel.storeBytes(of: value, toByteOffset: 4 &* place, as: Float.self)
        }
      }
      if hasScales(storage) {
        panel.storeBytes(of: quantiser.scale, toByteOffset: depth &* panelWidth &+ 4 &* column, as: Float.self)
      }
    }
  }

  static func weight(
    _ panel: UnsafeRawPointer, _ k: Int, _ column: Int, _ depth: Int, _ storage: clip_storage
  ) -> Double {
    let place = k &* panelWidth &+ column
    switch storage {
    case CLIP_STORAGE_F16: return Double(float(half: panel.load(fromByteOffset: 2 &* place, as: UInt16.self)))
    case CLIP_STORAGE_BF16:
      return Double(Float(bitPattern: UInt32(panel.load(fromByteOffset: 2 &* place, as: UInt16.self)) << 16))
    case CLIP_STORAGE_INT8, CLIP_STORAGE_INT8_FAST:
      let scale = panel.load(fromByteOffset: depth &* panelWidth &+ 4 &* column, as: Float.self)
      return Double(panel.load(fromByteOffset: place, as: Int8.self)) * Double(scale)
    default: return Double(panel.load(fromByteOffset: 4 &* place, as: Float.self))
    }
  }

  /// Rows in order; each is a tile.
  static func packRows(
    _ a: UnsafePointer<Float>?, _ stride: Int, _ first: Int, _ count: Int, _ depth: Int,
    _ packed: UnsafeMutablePointer<Float>?
  ) {
    guard let a, let packed else { return }
    for row in 0..<max(0, count) {
      for k in 0..<max(0, depth) { packed[(first &+ row) &* depth &+ k] = a[row &* stride &+ k] }
    }
  }

  static func matmul(_ work: UnsafePointer<clip_matmul>?) {
    guard let work = work?.pointee, let a = work.a, let weights = work.weights, let c = work.c else { return }
    let begin = work.panel_begin &* panelWidth
    let end = min(work.panel_end &* panelWidth, work.columns)
    for row in work.tile_begin..<max(work.tile_begin, work.tile_end) {
      var column = begin
      while column < end {
        let panel = weights + column / panelWidth &* panelBytes(work.depth, work.storage)
        var product = 0.0
        for k in 0..<max(0, work.depth) {
          product +=
            Double(a[row &* work.depth &+ k]) * weight(panel, k, column % panelWidth, work.depth, work.storage)
        }
        var sum = Float(product)
        if let bias = work.bias { sum += bias[column] }
        sum = activate(sum, work.activation)
        if let residual = work.residual {
          sum = activate(sum + residual[row &* work.residual_stride &+ column], work.after)
        }
        c[row &* work.c_stride &+ column] = sum
        column &+= 1
      }
    }
  }

  static func attention(_ work: UnsafePointer<clip_attention>?) {
    guard let work = work?.pointee, let q = work.q, let k = work.k, let v = work.v, let out = work.out,
      let terms = work.scratch, work.keys > 0
    else { return }
    for query in 0..<max(0, work.queries) {
      let seen = work.causal == 0 ? work.keys : min(work.keys, work.first_query &+ query &+ 1)
      var largest = -Float.infinity
      for key in 0..<seen {
        var score: Float = 0
        for i in 0..<work.width { score += q[query &* work.q_stride &+ i] * k[key &* work.k_stride &+ i] }
        terms[key] = score * work.scale + (work.bias.map { $0[query &* work.bias_stride &+ key] } ?? 0)
        largest = max(largest, terms[key])
      }
      var total: Float = 0
      for key in 0..<seen {
        terms[key] = expf(terms[key] - largest)
        total += terms[key]
      }
      for i in 0..<work.width {
        var sum: Float = 0
        for key in 0..<seen { sum += terms[key] * v[key &* work.v_stride &+ i] }
        out[query &* work.out_stride &+ i] = sum / total
      }
    }
  }

  static func layerNorm(
    _ x: UnsafePointer<Float>?, _ xStride: Int, _ y: UnsafeMutablePointer<Float>?, _ yStride: Int, _ rows: Int,
    _ width: Int, _ weight: UnsafePointer<Float>?, _ bias: UnsafePointer<Float>?, _ epsilon: Float
  ) {
    guard let x, let y, let weight, let bias else { return }
    for row in 0..<max(0, rows) {
      let input = x + row &* xStride
      let output = y + row &* yStride
      var mean = 0.0
      for i in 0..<width { mean += Double(input[i]) }
      mean /= Double(width)
      var variance = 0.0
      for i in 0..<width { variance += (Double(input[i]) - mean) * (Double(input[i]) - mean) }
      variance /= Double(width)
      let scale = 1 / (variance + Double(epsilon)).squareRoot()
      for i in 0..<width { output[i] = Float((Double(input[i]) - mean) * scale) * weight[i] + bias[i] }
    }
  }

  static func scaleShift(
    _ x: UnsafePointer<Float>?, _ xStride: Int, _ y: UnsafeMutablePointer<Float>?, _ yStride: Int, _ rows: Int,
    _ width: Int, _ scale: UnsafePointer<Float>?, _ shift: UnsafePointer<Float>?, _ activation: clip_activation
  ) {
    guard let x, let y else { return }
    for row in 0..<max(0, rows) {
      for i in 0..<max(0, width) {
        let value = x[row &* xStride &+ i] * (scale?[i] ?? 1) + (shift?[i] ?? 0)
        y[row &* yStride &+ i] = activate(value, activation)
      }
    }
  }

  static func add(
    _ x: UnsafePointer<Float>?, _ xStride: Int, _ z: UnsafePointer<Float>?, _ zStride: Int,
    _ y: UnsafeMutablePointer<Float>?, _ yStride: Int, _ rows: Int, _ width: Int
  ) {
    guard let x, let y, let z else { return }
    for row in 0..<max(0, rows) {
      for i in 0..<max(0, width) { y[row &* yStride &+ i] = x[row &* xStride &+ i] + z[row &* zStride &+ i] }
    }
  }

  /// Squares are summed in double, so that they neither overflow nor underflow.
  static func normalize(
    _ x: UnsafePointer<Float>?, _ y: UnsafeMutablePointer<Float>?, _ rows: Int, _ width: Int
  ) {
    guard let x, let y else { return }
    for row in 0..<max(0, rows) {
      let input = x + row &* width
      let output = y + row &* width
      var squares = 0.0
      for i in 0..<max(0, width) { squares += Double(input[i]) * Double(input[i]) }
      let scale = squares == 0 ? 0 : 1 / squares.squareRoot()
      for i in 0..<max(0, width) { output[i] = Float(Double(input[i]) * scale) }
    }
  }

  static func scoreRows(_ work: UnsafePointer<clip_score_rows>?) {
    guard let work = work?.pointee, let rows = work.rows, let query = work.query, let scores = work.scores
    else { return }
    for row in 0..<max(0, work.count) {
      var sum = 0.0
      for i in 0..<max(0, work.width) {
        let place = row &* work.width &+ i
        switch work.storage {
        case CLIP_STORAGE_F16:
          let value = float(half: rows.load(fromByteOffset: 2 &* place, as: UInt16.self))
          sum += Double(value) * Double(query.load(fromByteOffset: 4 &* i, as: Float.self))
        case CLIP_STORAGE_INT8:
          let value = rows.load(fromByteOffset: place, as: Int8.self)
          sum += Double(value) * Double(query.load(fromByteOffset: 2 &* i, as: Int16.self))
        default:
          let value = rows.load(fromByteOffset: 4 &* place, as: Float.self)
          sum += Double(value) * Double(query.load(fromByteOffset: 4 &* i, as: Float.self))
        }
      }
      if work.storage == CLIP_STORAGE_INT8, let scales = work.scales { sum *= Double(work.query_scale * scales[row]) }
      scores[row] = Float(sum)
    }
  }

  static func activate(_ x: Float, _ activation: clip_activation) -> Float {
    switch activation {
    case CLIP_RELU: x < 0 ? 0 : x
    case CLIP_GELU: x * 0.5 * erfcf(-x * 0.707_106_781)
    case CLIP_QUICK_GELU: x / (1 + expf(-1.702 * x))
    case CLIP_GELU_TANH: x / (1 + expf(-1.595_769_122 * (x + 0.044_715 * x * x * x)))
    case CLIP_SIGMOID: 1 / (1 + expf(-x))
    case CLIP_SILU: x / (1 + expf(-x))
    case CLIP_TANH: tanhf(x)
    default: x
    }
  }
}
