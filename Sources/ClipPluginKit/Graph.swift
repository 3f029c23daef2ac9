import CClip

/// The host's builder with Swift's names and defaults. Errors are sticky on the host's side, so
/// nothing here checks or throws; see clip_builder for what each call means.
public struct Graph {
  private let builder: UnsafeMutablePointer<clip_builder>
  private var table: clip_builder { builder.pointee }

  public init(_ builder: UnsafeMutablePointer<clip_builder>) { self.builder = builder }

  // MARK: Configuration

  /// A required size, from 1 to 2^20.
  public func size(_ key: StaticString) -> UInt32 {
    UInt32(clamping: table.need_int(builder, key.cString, 1, 1 << 20))
  }
  public func integer(_ key: StaticString, _ fallback: Int64) -> Int64 { table.get_int(builder, key.cString, fallback) }
  public func number(_ key: StaticString, _ fallback: Double) -> Float {
    Float(table.get_number(builder, key.cString, fallback))
  }
  /// At most `most` integers of an array.
  public func integers(_ key: StaticString, most: Int) -> [Int64] {
    var values = [Int64](repeating: 0, count: most)
    let count = values.withUnsafeMutableBufferPointer {
      table.get_ints(builder, key.cString, $0.baseAddress, $0.count)
    }
    return Array(values.prefix(count))
  }
  /// The activation named at `key`; GELU where there is none.
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
  public func fail(_ message: String) { message.withCString { table.fail(builder, $0) } }

  // MARK: Scopes

  public func push(_ name: String) { name.withCString { table.push(builder, $0) } }
  public func pop() { table.pop(builder) }

  // MARK: Inputs and parameters

  public func pixels(height: UInt32, width: UInt32) -> clip_value { table.pixels(builder, height, width) }
  /// `endToken` below 0: a text ends at its largest id.
  public func tokens(vocabulary: UInt32, contextLength: UInt32, endToken: Int64) -> clip_value {
    table.tokens(
      builder, vocabulary, contextLength, endToken < 0 ? CLIP_END_LARGEST_ID : CLIP_END_TOKEN_ID,
      Int32(clamping: max(0, endToken)))
  }
  public func rowParameter(_ name: String, width: UInt32) -> clip_value {
    name.withCString { table.row_parameter(builder, $0, width) }
  }

  // MARK: Row by row

  public func linear(_ x: clip_value, _ name: String, features: UInt32, bias: Bool = true) -> clip_value {
    name.withCString { table.linear(builder, x, $0, features, bias ? 0 : UInt32(CLIP_NO_BIAS)) }
  }
  public func embedding(_ tokens: clip_value, _ name: String, width: UInt32) -> clip_value {
    name.withCString { table.embedding(builder, tokens, $0, width) }
  }
  public func positions(_ x: clip_value, _ name: String) -> clip_value {
    name.withCString { table.positions(builder, x, $0) }
  }
  public func layerNorm(_ x: clip_value, _ name: String, _ epsilon: Float) -> clip_value {
    name.withCString { table.layer_norm(builder, x, $0, epsilon) }
  }
  public func batchNorm(_ x: clip_value, _ name: String, _ epsilon: Float) -> clip_value {
    name.withCString { table.batch_norm(builder, x, $0, epsilon) }
  }
  public func activate(_ x: clip_value, _ activation: clip_activation) -> clip_value {
    table.activate(builder, x, activation)
  }
  public func add(_ x: clip_value, _ y: clip_value) -> clip_value { table.add(builder, x, y) }

  // MARK: Between rows

  public func attention(_ q: clip_value, _ k: clip_value, _ v: clip_value, heads: UInt32, causal: Bool = false) -> clip_value {
    table.attention(builder, q, k, v, heads, causal ? UInt32(CLIP_CAUSAL) : 0)
  }
  public func prepend(_ x: clip_value, _ row: clip_value) -> clip_value { table.prepend(builder, x, row) }
  public func firstRow(_ x: clip_value) -> clip_value { table.first_row(builder, x) }
  public func endRow(_ x: clip_value) -> clip_value { table.end_row(builder, x) }
  public func meanRows(_ x: clip_value) -> clip_value { table.mean_rows(builder, x) }

  // MARK: On grids

  /// A square convolution without bias.
  public func conv(
    _ x: clip_value, _ name: String, features: UInt32, kernel: UInt32 = 1, stride: UInt32 = 1, padding: UInt32 = 0
  ) -> clip_value {
    var window = window(kernel, stride, padding)
    return name.withCString { table.conv(builder, x, $0, features, &window, UInt32(CLIP_NO_BIAS)) }
  }
  /// Means of squares that do not overlap.
  public func averagePool(_ x: clip_value, _ side: UInt32) -> clip_value {
    var window = window(side, side, 0)
    return table.avg_pool(builder, x, &window)
  }

  private func window(_ kernel: UInt32, _ stride: UInt32, _ padding: UInt32) -> clip_window {
    clip_window(
      struct_size: UInt32(MemoryLayout<clip_window>.size), kernel_height: kernel, kernel_width: kernel, stride: stride,
      padding: padding, dilation: 1, groups: 1)
  }

  // MARK: Parts

  /// Blocks under "<scope>.resblocks.<i>", with sizes from the configuration's layers, heads,
  /// mlp_width and activation.
  public func transformer(_ x: clip_value, scope: String, epsilon: Float, causal: Bool = false) -> clip_value {
    var options = clip_transformer(
      struct_size: UInt32(MemoryLayout<clip_transformer>.size), layers: size("layers"), heads: size("heads"),
      mlp_width: size("mlp_width"), activation: activation("activation"), flags: causal ? UInt32(CLIP_CAUSAL) : 0,
      epsilon: epsilon)
    push(scope)
    defer { pop() }
    return table.transformer(builder, x, &options)
  }

  public func width(_ x: clip_value) -> UInt32 { table.width_of(builder, x) }
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
