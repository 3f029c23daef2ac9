import CClip
import ClipPluginKit

/// Image encoders whose stages halve the grid. Each family has a file.
@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.encoder-hierarchical", version: "0.1.0", license: "Apache-2.0") { table in
    for family in families {
      table.addEncoder(
        CLIP_TOWER_IMAGE, id: family.id, description: family.description, strengths: family.strengths,
        example: family.example, build: family.build)
    }
  }
}

private struct Family {
  let id: StaticString
  let description: StaticString
  let build: @convention(c) (UnsafeMutablePointer<clip_builder>?) -> clip_value
  let example: StaticString
  let strengths: StaticString
}

private var families: [Family] {
  [
    Family(
      id: "clipcore.encoder.convnext", description: "ConvNeXt and ConvNeXt V2: pooled features after the last norm",
      build: { Graph.build($0, buildConvNeXt) },
      example: #"{"image_height": 224, "image_width": 224, "depths": [3, 3, 9, 3], "widths": [96, 192, 384, 768]}"#,
      strengths: "local-detail:2,texture:3,global-context:1"),
    Family(
      id: "clipcore.encoder.fastvit", description: "FastViT and MobileCLIP's image towers: pooled features",
      build: { Graph.build($0, buildFastViT) },
      example: #"""
        {"image_height": 256, "image_width": 256, "depths": [2, 6, 10, 2], "widths": [64, 128, 256, 512],
        "mlp_ratio": 3, "first_attention": 3, "first_squeeze": 2, "downsample_activation": 1}
        """#,
      strengths: "local-detail:2,texture:2,global-context:1"),
    Family(
      id: "clipcore.encoder.vitamin", description: "ViTamin: convolutions, then a transformer; the mean of its rows",
      build: { Graph.build($0, buildViTamin) },
      example: #"""
        {"image_height": 224, "image_width": 224, "stem_width": 64, "widths": [64, 128], "depths": [2, 4],
        "width": 384, "layers": 14, "heads": 6, "mlp_width": 768}
        """#,
      strengths: "global-context:3,local-detail:2"),
    Family(
      id: "clipcore.encoder.mobilevit", description: "MobileViT: pooled features",
      build: { $0.map { buildMobileViT(Graph($0)) } ?? -1 },
      example: #"""
        {"image_height": 256, "image_width": 256, "widths": [16, 32, 64, 96, 128, 160, 640],
        "hidden_widths": [144, 192, 240], "activation": "silu"}
        """#,
      strengths: "local-detail:2,texture:2,small-data:2"),
    Family(
      id: "clipcore.encoder.swin", description: "Swin and Swin V2: attention in windows; the mean of all rows",
      build: { Graph.build($0, buildSwin) },
      example: #"""
        {"image_height": 224, "image_width": 224, "width": 96, "depths": [2, 2, 6, 2], "heads": [3, 6, 12, 24],
        "window": 7}
        """#,
      strengths: "global-context:2,local-detail:2"),
  ]
}

extension Graph {
  /// The image, in the size that the configuration gives to every image encoder.
  func image() -> clip_value { pixels(height: size("image_height"), width: size("image_width")) }

  /// Integers from 1 to 2^16, one for each of `count` stages; `fallback` for each stage if there are none.
  func stages(_ key: StaticString, _ fallback: UInt32? = nil, count: ClosedRange<Int> = 4...4) -> [UInt32] {
    let found = integers(key, most: count.upperBound + 1)
    if found.isEmpty, let fallback { return [UInt32](repeating: fallback, count: count.lowerBound) }
    if count.contains(found.count), !found.contains(where: { $0 < 1 || $0 > 1 << 16 }) {
      return found.map { UInt32(clamping: $0) }
    }
    fail(
      "config: " + String(cString: key.cString) + ": expected \(count.lowerBound) numbers, each from 1 to \(1 << 16)")
    return [UInt32](repeating: 1, count: count.lowerBound)
  }
}

/// A width rounded to a multiple of `unit`, but not below nine tenths of it (Howard et al., 2017).
func rounded(_ width: UInt32, to unit: UInt32 = 8) -> UInt32 {
  let near = max(unit, (width + unit / 2) / unit * unit)
  return near * 10 < width * 9 ? near + unit : near
}

/// Multiplies channels by gates computed from their means (Hu et al., 2018, https://arxiv.org/abs/1709.01507).
func squeezeExcite(
  _ graph: Graph, _ x: clip_value, _ name: String, _ squeezed: UInt32, _ activation: clip_activation
) -> clip_value {
  let hidden = graph.linear(graph.meanRows(x), name + ".fc1", features: max(1, squeezed))
  let weights = graph.linear(graph.activate(hidden, activation), name + ".fc2", features: graph.width(x))
  return graph.multiply(x, graph.activate(weights, CLIP_SIGMOID))
}
