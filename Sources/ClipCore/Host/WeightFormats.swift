import CClip

extension PluginRegistry {
  /// The formats of weight files, in the order they were loaded.
  var weightFormats: [WeightFormat] {
    items.filter { $0.kind == CLIP_KIND_WEIGHTS }.map {
      WeightFormat(table: $0.table.assumingMemoryBound(to: clip_weight_format.self), plugin: $0.plugin)
    }
  }
}
