import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.encoder-clip-vit", version: "0.1.0", license: "Apache-2.0") { table in
    table.addEncoder(
      CLIP_TOWER_IMAGE, id: "clipcore.encoder.clip-vit",
      description: "CLIP's vision transformer: patches, class token, pre-norm blocks, projection",
      strengths: "global-context:3",
      example: #"""
        {"image_height": 224, "image_width": 224, "patch_size": 32, "width": 768, "layers": 12, "heads": 12,
        "mlp_width": 3072, "activation": "quick_gelu", "embed_dim": 512}
        """#
    ) { Graph.build($0, buildVisionTransformer) }
  }
}

/// The image tower of Radford et al., 2021, section 2.4: a ViT (Dosovitskiy et al., 2021,
/// https://arxiv.org/abs/2010.11929) with a layer norm before its blocks.
private func buildVisionTransformer(_ graph: Graph) -> clip_value {
  let height = graph.size("image_height")
  let imageWidth = graph.size("image_width")
  let patch = graph.size("patch_size")
  let width = graph.size("width")
  let epsilon = graph.number("epsilon", 1e-5)

  let patches = graph.conv(
    graph.pixels(height: height, width: imageWidth), "conv1", features: width, kernel: patch, stride: patch)
  let tokens = graph.prepend(patches, graph.rowParameter("class_embedding", width: width))
  let placed = graph.positions(tokens, "positional_embedding")
  let normed = graph.layerNorm(placed, "ln_pre", epsilon)
  let blocks = graph.transformer(normed, scope: "transformer", epsilon: epsilon)
  let pooled = graph.layerNorm(graph.firstRow(blocks), "ln_post", epsilon)
  return graph.linear(pooled, "proj", features: graph.size("embed_dim"), bias: false)
}
