import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.encoder-vit", version: "0.1.0", license: "Apache-2.0") { table in
    table.addEncoder(
      CLIP_TOWER_IMAGE, id: "clipcore.encoder.vit",
      description: "Vision transformer as Hugging Face's ViTModel: the class token after the final norm",
      strengths: "global-context:3,local-detail:1",
      example: #"{"image_height": 224, "image_width": 224}"#
    ) { Graph.build($0, buildViT) }
  }
}

/// A vision transformer (Dosovitskiy et al., 2021, https://arxiv.org/abs/2010.11929) with the names
/// of transformers' ViTModel. Sizes default to ViT-Base/16's.
private func buildViT(_ graph: Graph) -> clip_value {
  let patch = graph.size("patch_size", 16)
  let width = graph.size("width", 768)
  let epsilon = graph.number("epsilon", 1e-12)

  graph.push("embeddings")
  let patches = graph.conv(
    graph.pixels(height: graph.size("image_height"), width: graph.size("image_width")), "patch_embeddings.projection",
    features: width, kernel: patch, stride: patch, bias: true)
  let tokens = graph.prepend(patches, graph.rowParameter("cls_token", width: width))
  var x = graph.positions(tokens, "position_embeddings")
  graph.pop()

  let heads = graph.size("heads", 12)
  let mlpWidth = graph.size("mlp_width", 3072)
  let activation = graph.activation("activation")
  for layer in 0..<graph.size("layers", 12) {
    graph.push("layers.\(layer)")
    let normed = graph.layerNorm(x, "layernorm_before", epsilon)
    let q = graph.linear(normed, "attention.q_proj", features: width)
    let k = graph.linear(normed, "attention.k_proj", features: width)
    let v = graph.linear(normed, "attention.v_proj", features: width)
    let attended = graph.attention(q, k, v, heads: heads)
    x = graph.add(x, graph.linear(attended, "attention.o_proj", features: width))
    let hidden = graph.linear(graph.layerNorm(x, "layernorm_after", epsilon), "mlp.fc1", features: mlpWidth)
    x = graph.add(x, graph.linear(graph.activate(hidden, activation), "mlp.fc2", features: width))
    graph.pop()
  }
  return graph.layerNorm(graph.firstRow(x), "layernorm", epsilon)
}
