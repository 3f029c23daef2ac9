import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.encoder-siglip", version: "0.1.0", license: "Apache-2.0") { table in
    table.addEncoder(
      CLIP_TOWER_IMAGE, id: "clipcore.encoder.siglip-vit",
      description: "SigLIP's vision transformer: patches, pre-norm blocks, attention pooling",
      strengths: "global-context:3,local-detail:1",
      example: #"""
        {"image_height": 224, "image_width": 224, "patch_size": 16, "width": 768, "layers": 12, "heads": 12,
        "mlp_width": 3072, "activation": "gelu_tanh"}
        """#
    ) { Graph.build($0, buildVision) }
    table.addEncoder(
      CLIP_TOWER_TEXT, id: "clipcore.encoder.siglip-text",
      description: "SigLIP's text transformer: blocks that see all, read at the last position",
      strengths: "global-context:2",
      example: #"""
        {"vocab_size": 32000, "context_length": 64, "width": 768, "layers": 12, "heads": 12, "mlp_width":
        3072, "activation": "gelu_tanh", "embed_dim": 768}
        """#
    ) { Graph.build($0, buildText) }
  }
}

/// The sizes that all blocks of a tower share.
private struct Sizes {
  let width: UInt32
  let heads: UInt32
  let layers: UInt32
  let mlpWidth: UInt32
  let activation: clip_activation
  let epsilon: Double

  init(_ graph: Graph) {
    width = graph.size("width")
    heads = graph.size("heads")
    layers = graph.size("layers")
    mlpWidth = graph.size("mlp_width")
    activation = graph.activation("activation")
    epsilon = graph.number("epsilon", 1e-6)
  }
}

/// The image tower of Zhai et al., 2023 (https://arxiv.org/abs/2303.15343), under transformers'
/// names: no class token, and a head whose learned probe attends to all patches.
private func buildVision(_ graph: Graph) -> clip_value {
  let sizes = Sizes(graph)
  let patch = graph.size("patch_size")
  let pixels = graph.pixels(height: graph.size("image_height"), width: graph.size("image_width"))
  let patches = graph.conv(
    pixels, "embeddings.patch_embedding", features: sizes.width, kernel: patch, stride: patch, bias: true)
  let placed = graph.positions(patches, "embeddings.position_embedding.weight")
  let x = graph.layerNorm(blocks(graph, placed, sizes), "post_layernorm", sizes.epsilon)

  graph.push("head")
  defer { graph.pop() }
  let q = graph.linear(graph.rowParameter("probe", width: sizes.width), "attention.q_proj", features: sizes.width)
  let k = graph.linear(x, "attention.k_proj", features: sizes.width)
  let v = graph.linear(x, "attention.v_proj", features: sizes.width)
  let pooled = graph.linear(
    graph.attention(q, k, v, heads: sizes.heads), "attention.out_proj", features: sizes.width)
  return graph.add(pooled, mlp(graph, graph.layerNorm(pooled, "layernorm", sizes.epsilon), sizes))
}

/// The text tower: all positions are computed, padding included, and the last one is the result.
private func buildText(_ graph: Graph) -> clip_value {
  let sizes = Sizes(graph)
  let tokens = graph.tokens(
    vocabulary: graph.size("vocab_size"), contextLength: graph.size("context_length"), CLIP_END_LAST)
  let embedded = graph.embedding(tokens, "embeddings.token_embedding", width: sizes.width)
  let placed = graph.positions(embedded, "embeddings.position_embedding.weight")
  let x = graph.layerNorm(graph.endRow(blocks(graph, placed, sizes)), "final_layer_norm", sizes.epsilon)
  return graph.linear(x, "head", features: graph.size("embed_dim"))
}

private func blocks(_ graph: Graph, _ x: clip_value, _ sizes: Sizes) -> clip_value {
  var x = x
  for layer in 0..<sizes.layers {
    graph.push("encoder.layers.\(layer)")
    x = block(graph, x, sizes)
    graph.pop()
  }
  return x
}

/// A pre-norm block under SigLIP's names.
private func block(_ graph: Graph, _ x: clip_value, _ sizes: Sizes) -> clip_value {
  let normed = graph.layerNorm(x, "layer_norm1", sizes.epsilon)
  let q = graph.linear(normed, "self_attn.q_proj", features: sizes.width)
  let k = graph.linear(normed, "self_attn.k_proj", features: sizes.width)
  let v = graph.linear(normed, "self_attn.v_proj", features: sizes.width)
  let heads = graph.attention(q, k, v, heads: sizes.heads)
  let attended = graph.add(x, graph.linear(heads, "self_attn.out_proj", features: sizes.width))
  return graph.add(attended, mlp(graph, graph.layerNorm(attended, "layer_norm2", sizes.epsilon), sizes))
}

private func mlp(_ graph: Graph, _ x: clip_value, _ sizes: Sizes) -> clip_value {
  let hidden = graph.activate(graph.linear(x, "mlp.fc1", features: sizes.mlpWidth), sizes.activation)
  return graph.linear(hidden, "mlp.fc2", features: sizes.width)
}
