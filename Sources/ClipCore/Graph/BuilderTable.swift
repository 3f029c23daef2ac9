import CClip

extension Builder {
  /// Lets an encoder plugin build a tower: hands it a function table over this builder.
  static func build(
    _ encoder: UnsafePointer<clip_encoder>, _ description: TowerDescription, plugins: PluginRegistry
  ) throws(ClipError) -> Graph {
    let builder = Builder(
      config: description.config, scope: description.scope, tower: Int(encoder.pointee.tower), plugins: plugins)
    var table = clip_builder()
    table.struct_size = UInt32(MemoryLayout<clip_builder>.size)
    table.host = Unmanaged.passUnretained(builder).toOpaque()
    fill(&table)
    fillMore(&table)
    guard let build = encoder.pointee.build else { throw ClipError(CLIP_PLUGIN, "the encoder has no build function") }
    var output = withExtendedLifetime(builder) { build(&table) }
    if let projection = description.projection {
      builder.scopes = []
      let flags = projection.hasBias ? 0 : UInt32(CLIP_NO_BIAS)
      output = builder.linear(output, projection.name, UInt32(clamping: projection.width), flags)
    }
    return try builder.finish(output)
  }

  private static func fill(_ table: inout clip_builder) {
    table.need_int = { b, key, low, high in at(b)?.needInt(name(key), low, high) ?? low }
    table.get_int = { b, key, fallback in at(b)?.getInt(name(key), fallback) ?? fallback }
    table.get_number = { b, key, fallback in at(b)?.getNumber(name(key), fallback) ?? fallback }
    table.get_string = { b, key, fallback in at(b)?.getString(name(key)) ?? fallback }
    table.get_ints = { b, key, values, capacity in
      guard let found = at(b)?.getInts(name(key)) else { return 0 }
      if let values { for (index, value) in found.prefix(capacity).enumerated() { values[index] = Int64(value) } }
      return found.count
    }
    table.fail = { b, message in at(b)?.fail(CLIP_PLUGIN, name(message).string) }
    table.push = { b, scope in at(b)?.push(name(scope)) }
    table.pop = { b in at(b)?.pop() }

    table.pixels = { b, height, width in at(b)?.pixels(height, width) ?? -1 }
    table.tokens = { b, vocabulary, length, rule, end in at(b)?.tokens(vocabulary, length, rule, end) ?? -1 }
    table.row_parameter = { b, parameter, width in at(b)?.rowParameter(name(parameter), width) ?? -1 }

    table.linear = { b, x, layer, features, flags in at(b)?.linear(x, name(layer), features, flags) ?? -1 }
    table.embedding = { b, tokens, layer, width in at(b)?.embedding(tokens, name(layer), width) ?? -1 }
    table.positions = { b, x, parameter in at(b)?.positions(x, name(parameter)) ?? -1 }
    table.layer_norm = { b, x, layer, epsilon in at(b)?.layerNorm(x, name(layer), epsilon) ?? -1 }
    table.batch_norm = { b, x, layer, epsilon in at(b)?.batchNorm(x, name(layer), epsilon) ?? -1 }
    table.activate = { b, x, activation in at(b)?.activate(x, activation) ?? -1 }
    table.add = { b, x, y in at(b)?.sum(x, y) ?? -1 }

    table.attention = { b, q, k, v, heads, flags in at(b)?.attention(q, k, v, heads, flags) ?? -1 }
    table.prepend = { b, x, row in at(b)?.prepend(x, row) ?? -1 }
    table.first_row = { b, x in at(b)?.pickRow(x, .first) ?? -1 }
    table.end_row = { b, x in at(b)?.pickRow(x, .end) ?? -1 }
    table.mean_rows = { b, x in at(b)?.reduceRows(x, .mean) ?? -1 }

    table.conv = { b, x, layer, features, window, flags in
      at(b)?.conv(x, name(layer), features, window, flags) ?? -1
    }
    table.avg_pool = { b, x, window in at(b)?.pool(x, window, .mean) ?? -1 }
    table.max_pool = { b, x, window in at(b)?.pool(x, window, .maximum) ?? -1 }
    table.transformer = { b, x, options in at(b)?.transformer(x, options) ?? -1 }

    table.width_of = { b, x in at(b)?.shape(x, "width_of").map { UInt32($0.width) } ?? 0 }
    table.rows_of = { b, x in
      switch at(b)?.shape(x, "rows_of")?.rows {
      case .one: 1
      case .fixed(let count): UInt32(clamping: count)
      default: 0
      }
    }
  }

  private static func fillMore(_ table: inout clip_builder) {
    table.grid_height_of = { b, x in UInt32(clamping: at(b)?.shape(x, "grid_height_of")?.grid?.height ?? 0) }
    table.grid_width_of = { b, x in UInt32(clamping: at(b)?.shape(x, "grid_width_of")?.grid?.width ?? 0) }
    table.encoder = { b, id, scope, key in at(b)?.encoder(name(id), name(scope), key.map { Name(cString: $0) }, b) ?? -1
    }
    table.publish = { b, key, x in at(b)?.publish(name(key), x) }
    table.published = { b, key in at(b)?.findPublished(name(key)) ?? -1 }
    table.table_row = { b, parameter, rows, row, width in at(b)?.tableRow(name(parameter), rows, row, width) ?? -1 }
    table.position_table = { b, x, parameter, rows in at(b)?.positions(x, name(parameter), table: rows) ?? -1 }

    table.multiply = { b, x, y in at(b)?.broadcast(x, y, .product) ?? -1 }
    table.concat = { b, x, y in at(b)?.concat(x, y) ?? -1 }
    table.dropout = { b, x, probability in at(b)?.dropout(x, probability) ?? -1 }
    table.mix = { b, values, count, parameter in at(b)?.mix(values, count, parameter.map { Name(cString: $0) }) ?? -1 }
    table.max_rows = { b, x in at(b)?.reduceRows(x, .maximum) ?? -1 }
    table.mean_columns = { b, x in at(b)?.reduceColumns(x, .mean) ?? -1 }
    table.max_columns = { b, x in at(b)?.reduceColumns(x, .maximum) ?? -1 }
    table.resize = { b, x, height, width, mode in at(b)?.resize(x, height, width, mode) ?? -1 }

    table.feature_pyramid = { b, levels, count, features in at(b)?.featurePyramid(levels, count, features) ?? -1 }
    table.channel_attention = { b, x, reduction in at(b)?.channelAttention(x, reduction) ?? -1 }
    table.spatial_attention = { b, x, kernel in at(b)?.spatialAttention(x, kernel) ?? -1 }
    table.scale_attention = { b, x, kernels, count in at(b)?.scaleAttention(x, kernels, count) ?? -1 }
    table.custom = { b, id, layer, values, count, settings, settingCount in
      at(b)?.custom(name(id), name(layer), values, count, settings, settingCount) ?? -1
    }
  }
}

private func at(_ table: UnsafeMutablePointer<clip_builder>?) -> Builder? {
  guard let host = table?.pointee.host else { return nil }
  return Unmanaged<Builder>.fromOpaque(host).takeUnretainedValue()
}

private func name(_ string: UnsafePointer<CChar>?) -> Name { string.map { Name(cString: $0) } ?? "" }
