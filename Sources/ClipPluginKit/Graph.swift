import CClip

/// The host's builder with Swift's names and defaults. Errors are sticky on the host's side, so
/// nothing here checks or throws; see clip_builder and plugin/builtin_ops.h for what each call means.
public struct Graph {
  let builder: UnsafeMutablePointer<clip_builder>
  private var table: clip_builder { builder.pointee }

  public init(_ builder: UnsafeMutablePointer<clip_builder>) { self.builder = builder }

  /// The body of an encoder's `build`: `body` returns the tower's output.
  public static func build(
    _ builder: UnsafeMutablePointer<clip_builder>?, _ body: (Graph) -> clip_value
  ) -> clip_value {
    builder.map { body(Graph($0)) } ?? -1
  }

  // MARK: Configuration

  /// A required size, from 1 to 2^20.
  public func size(_ key: StaticString) -> UInt32 {
    UInt32(clamping: table.need_int(builder, key.cString, 1, 1 << 20))
  }
  /// A size with a default.
  public func size(_ key: StaticString, _ fallback: UInt32) -> UInt32 {
    let found = table.get_int(builder, key.cString, Int64(fallback))
    if found >= 1, found <= 1 << 20 { return UInt32(clamping: found) }
    fail("config: " + String(cString: key.cString) + ": expected an integer from 1 to \(1 << 20), found \(found)")
    return 1
  }
  /// An integer from 0 to 2^20; 0 if the key is absent.
  public func count(_ key: StaticString) -> UInt32 {
    let found = table.get_int(builder, key.cString, 0)
    if found >= 0, found <= 1 << 20 { return UInt32(clamping: found) }
    fail("config: " + String(cString: key.cString) + ": expected an integer from 0 to \(1 << 20), found \(found)")
    return 0
  }
  /// 0 or 1, with a default.
  public func flag(_ key: StaticString, _ fallback: Bool = false) -> Bool {
    let found = table.get_int(builder, key.cString, fallback ? 1 : 0)
    if found == 0 || found == 1 { return found == 1 }
    fail("config: " + String(cString: key.cString) + ": expected 0 or 1, found \(found)")
    return false
  }
  public func integer(_ key: StaticString, _ fallback: Int64) -> Int64 { table.get_int(builder, key.cString, fallback) }
  public func number(_ key: StaticString, _ fallback: Double) -> Double {
    table.get_number(builder, key.cString, fallback)
  }
  /// At most `most` integers of an array.
  public func integers(_ key: StaticString, most: Int) -> [Int64] {
    var values = [Int64](repeating: 0, count: most)
    let count = values.withUnsafeMutableBufferPointer {
      table.get_ints(builder, key.cString, $0.baseAddress, $0.count)
    }
    return Array(values.prefix(count))
  }
  /// The activation named at `key`; GELU if there is none.
  public func activation(_ key: StaticString) -> clip_activation {
    guard let found = table.get_string(builder, key.cString, StaticString("gelu").cString) else { return CLIP_GELU }
    let names: [(StaticString, clip_activation)] = [
      ("gelu", CLIP_GELU), ("quick_gelu", CLIP_QUICK_GELU), ("gelu_tanh", CLIP_GELU_TANH), ("relu", CLIP_RELU),
      ("silu", CLIP_SILU),
    ]
    for (name, activation) in names where same(name.cString, found) { return activation }
    fail("config: activation: expected gelu, quick_gelu, gelu_tanh, relu or silu, found " + String(cString: found))
    return CLIP_GELU
  }
  /// The text at `key`, or `fallback`.
  public func text(_ key: StaticString, _ fallback: StaticString) -> String {
    guard let found = table.get_string(builder, key.cString, fallback.cString) else { return "" }
    return String(cString: found)
  }
  /// Whether the text at `key`, or `fallback` if there is none, is `wanted`.
  public func has(_ key: StaticString, _ wanted: StaticString, _ fallback: StaticString) -> Bool {
    guard let found = table.get_string(builder, key.cString, fallback.cString) else { return false }
    return same(found, wanted.cString)
  }
  public func fail(_ message: String) { table.fail(builder, message) }

  // MARK: Scopes

  public func push(_ name: String) { table.push(builder, name) }
  public func pop() { table.pop(builder) }

  // MARK: Inputs and parameters

  public func pixels(height: UInt32, width: UInt32) -> clip_value { clip_op_pixels(builder, height, width) }
  public func tokens(vocabulary: UInt32, contextLength: UInt32, _ rule: clip_end_rule, token: Int64 = 0) -> clip_value {
    clip_op_tokens(builder, vocabulary, contextLength, rule, Int32(clamping: token))
  }
  public func rowParameter(_ name: String, width: UInt32) -> clip_value {
    clip_op_row_parameter(builder, name, width)
  }
  public func table(_ name: String, rows: UInt32, width: UInt32) -> clip_value {
    clip_op_table(builder, name, rows, width)
  }
  public func tableRow(_ name: String, rows: UInt32, row: UInt32, width: UInt32) -> clip_value {
    clip_op_table_row(builder, name, rows, row, width)
  }

  // MARK: Row by row

  public func linear(_ x: clip_value, _ name: String, features: UInt32, bias: Bool = true) -> clip_value {
    clip_op_linear(builder, x, name, features, bias ? 0 : UInt32(CLIP_NO_BIAS))
  }
  public func embedding(_ tokens: clip_value, _ name: String, width: UInt32) -> clip_value {
    clip_op_embedding(builder, tokens, name, width)
  }
  public func positions(_ x: clip_value, _ name: String, rows: UInt32 = 0) -> clip_value {
    clip_op_positions(builder, x, name, rows)
  }
  /// Adds row `first` + i of a table of `rows` rows to row i of each item.
  public func positions(_ x: clip_value, _ name: String, rows: UInt32, first: UInt32) -> clip_value {
    op("positions", name, [x], settings: [("rows", Double(rows)), ("first", Double(first))])
  }
  /// With `heads` above 1, each head of a row is normalised separately, with one weight and bias.
  public func layerNorm(_ x: clip_value, _ name: String, _ epsilon: Double, heads: UInt32 = 1) -> clip_value {
    op("layer_norm", name, [x], settings: [("epsilon", epsilon), ("heads", Double(heads))])
  }
  public func rmsNorm(_ x: clip_value, _ name: String, _ epsilon: Double) -> clip_value {
    clip_op_rms_norm(builder, x, name, epsilon)
  }
  public func batchNorm(_ x: clip_value, _ name: String, _ epsilon: Double) -> clip_value {
    clip_op_batch_norm(builder, x, name, epsilon)
  }
  public func responseNorm(_ x: clip_value, _ name: String, _ epsilon: Double) -> clip_value {
    clip_op_response_norm(builder, x, name, epsilon)
  }
  public func normalizeHeads(_ x: clip_value, _ name: String? = nil, heads: UInt32) -> clip_value {
    clip_op_normalize_heads(builder, x, name, heads)
  }
  /// x times a parameter [width], such as a layer scale.
  public func scale(_ x: clip_value, _ name: String) -> clip_value {
    multiply(x, rowParameter(name, width: width(x)))
  }
  public func activate(_ x: clip_value, _ activation: clip_activation) -> clip_value {
    clip_op_activate(builder, x, activation)
  }
  public func add(_ x: clip_value, _ y: clip_value) -> clip_value { clip_op_add(builder, x, y) }
  public func multiply(_ x: clip_value, _ y: clip_value) -> clip_value { clip_op_multiply(builder, x, y) }
  public func subtract(_ x: clip_value, _ y: clip_value) -> clip_value { clip_op_subtract(builder, x, y) }
  public func concat(_ x: clip_value, _ y: clip_value) -> clip_value { clip_op_concat(builder, x, y) }
  public func dropout(_ x: clip_value, _ probability: Double) -> clip_value { clip_op_dropout(builder, x, probability) }
  public func mix(_ values: [clip_value], _ name: String) -> clip_value {
    clip_op_mix(builder, values, values.count, name)
  }

  // MARK: Between rows

  public func attention(
    _ q: clip_value, _ k: clip_value, _ v: clip_value, heads: UInt32, causal: Bool = false
  ) -> clip_value {
    clip_op_attention(builder, q, k, v, heads, causal ? UInt32(CLIP_CAUSAL) : 0)
  }
  /// `bias`: heads x keys elements for each query, which are added to the scaled scores.
  public func attention(
    _ q: clip_value, _ k: clip_value, _ v: clip_value, bias: clip_value, heads: UInt32, causal: Bool = false
  ) -> clip_value {
    op("attention", "", [q, k, v, bias], settings: [("heads", Double(heads)), ("causal", causal ? 1 : 0)])
  }
  public func prepend(_ x: clip_value, _ row: clip_value) -> clip_value { clip_op_prepend(builder, x, row) }
  /// Adds a row after the rows of x.
  public func append(_ x: clip_value, _ row: clip_value) -> clip_value {
    op("prepend", "", [x, row], settings: [("last", 1)])
  }
  public func firstRow(_ x: clip_value) -> clip_value { clip_op_first_row(builder, x) }
  public func endRow(_ x: clip_value) -> clip_value { clip_op_end_row(builder, x) }
  public func meanRows(_ x: clip_value) -> clip_value { clip_op_mean_rows(builder, x) }
  /// The mean of `count` rows from `first` on; with `count` 0, of all from `first` on.
  public func meanRows(_ x: clip_value, first: UInt32, count: UInt32 = 0) -> clip_value {
    op("mean_rows", "", [x], settings: [("first", Double(first)), ("count", Double(count))])
  }
  public func maxRows(_ x: clip_value) -> clip_value { clip_op_max_rows(builder, x) }

  // MARK: In windows of a grid

  public func windowPartition(_ x: clip_value, _ windows: clip_windows) -> clip_value {
    clip_op_window_partition(builder, x, windows)
  }
  public func windowMerge(_ x: clip_value, _ windows: clip_windows) -> clip_value {
    clip_op_window_merge(builder, x, windows)
  }
  public func windowAttention(
    _ q: clip_value, _ k: clip_value, _ v: clip_value, bias: clip_value = -1, heads: UInt32, _ windows: clip_windows,
    scale: Double = 0, biasScale: Double = 1
  ) -> clip_value {
    clip_op_window_attention(builder, q, k, v, bias, heads, windows, scale, biasScale)
  }
  public func windowOffsets(_ windows: clip_windows, trained: UInt32) -> clip_value {
    clip_op_window_offsets(builder, windows.window_height, windows.window_width, trained, trained)
  }
  public func patchMerging(_ x: clip_value) -> clip_value { clip_op_patch_merging(builder, x) }

  // MARK: On grids

  /// A square convolution.
  public func conv(
    _ x: clip_value, _ name: String, features: UInt32, kernel: UInt32 = 1, stride: UInt32 = 1, padding: UInt32 = 0,
    groups: UInt32 = 1, bias: Bool = false
  ) -> clip_value {
    clip_op_conv(
      builder, x, name, features, window(kernel, stride, padding, groups), bias ? 0 : UInt32(CLIP_NO_BIAS))
  }
  /// Means of squares that do not overlap.
  public func averagePool(_ x: clip_value, _ side: UInt32) -> clip_value {
    clip_op_avg_pool(builder, x, window(side, side, 0))
  }
  /// Means of windows, without the padding.
  public func averagePoolInside(_ x: clip_value, kernel: UInt32, stride: UInt32, padding: UInt32) -> clip_value {
    clip_op_avg_pool_inside(builder, x, window(kernel, stride, padding))
  }
  public func maxPool(_ x: clip_value, kernel: UInt32, stride: UInt32, padding: UInt32) -> clip_value {
    clip_op_max_pool(builder, x, window(kernel, stride, padding))
  }
  public func resize(_ x: clip_value, height: UInt32, width: UInt32, _ mode: clip_resize) -> clip_value {
    clip_op_resize(builder, x, height, width, mode)
  }

  private func window(_ kernel: UInt32, _ stride: UInt32, _ padding: UInt32, _ groups: UInt32 = 1) -> clip_window {
    clip_window(
      kernel_height: kernel, kernel_width: kernel, stride: stride, padding: padding, dilation: 1, groups: groups)
  }

  // MARK: Compositions

  /// Blocks under "<scope>.resblocks.<i>", with sizes from the configuration's layers, heads,
  /// mlp_width and activation.
  public func transformer(_ x: clip_value, scope: String, epsilon: Double, causal: Bool = false) -> clip_value {
    push(scope)
    defer { pop() }
    return clip_op_transformer(
      builder, x,
      clip_transformer(
        layers: size("layers"), heads: size("heads"), mlp_width: size("mlp_width"),
        activation: activation("activation"), flags: causal ? UInt32(CLIP_CAUSAL) : 0, epsilon: epsilon))
  }
  public func featurePyramid(_ levels: [clip_value], features: UInt32) -> clip_value {
    clip_op_feature_pyramid(builder, levels, levels.count, features)
  }
  public func channelAttention(_ x: clip_value, reduction: UInt32) -> clip_value {
    clip_op_channel_attention(builder, x, reduction)
  }
  public func spatialAttention(_ x: clip_value, kernel: UInt32) -> clip_value {
    clip_op_spatial_attention(builder, x, kernel)
  }
  public func scaleAttention(_ x: clip_value, kernels: [UInt32]) -> clip_value {
    clip_op_scale_attention(builder, x, kernels, kernels.count)
  }

  /// The op `id` of a plugin, with its parameters under "<name>.".
  public func op(
    _ id: String, _ name: String, _ inputs: [clip_value], settings: [(name: StaticString, value: Double)] = []
  ) -> clip_value {
    let list = settings.map { clip_setting(name: $0.name.cString, value: $0.value) }
    return table.op(builder, id, name, inputs, inputs.count, list, list.count)
  }

  // MARK: Other encoders

  /// The features of another encoder, configured by the object at `key`, with its parameters under `scope`.
  public func encoder(_ id: String, scope: String, config key: StaticString) -> clip_value {
    table.encoder(builder, id, scope, key.cString)
  }
  /// Names a value for the encoders that compose this one.
  public func setOutput(_ name: String, _ x: clip_value) { table.set_output(builder, name, x) }
  /// The value "<scope>.<name>" of an encoder composed before.
  public func output(_ name: String) -> clip_value { table.output(builder, name) }

  public func width(_ x: clip_value) -> UInt32 { clip_shape_of(builder, x).width }
  /// Height and width of a grid.
  public func grid(_ x: clip_value) -> (height: UInt32, width: UInt32) {
    let shape = clip_shape_of(builder, x)
    return (shape.grid_height, shape.grid_width)
  }
  /// Rows of each item; 0 if they are tokens.
  public func rows(_ x: clip_value) -> UInt32 { clip_shape_of(builder, x).row_count }
}

/// Whether two C strings are equal, byte by byte.
private func same(_ a: UnsafePointer<CChar>, _ b: UnsafePointer<CChar>) -> Bool {
  var index = 0
  while a[index] == b[index] {
    if a[index] == 0 { return true }
    index += 1
  }
  return false
}
