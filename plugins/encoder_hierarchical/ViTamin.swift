import CClip
import ClipPluginKit

/// ViTamin (Chen et al., 2024, https://arxiv.org/abs/2404.02132) with timm's names: two stages of inverted residual
/// blocks, then a transformer with gated MLPs; the mean of all rows after the last norm.
func buildViTamin(_ graph: Graph) -> clip_value {
  let widths = graph.stages("widths", count: 2...2)
  let depths = graph.stages("depths", count: 2...2)
  let stem = graph.size("stem_width")
  let width = graph.size("width")

  graph.push("patch_embed.backbone")
  var x = graph.conv(graph.image(), "stem.conv1", features: stem, kernel: 3, stride: 2, padding: 1, bias: true)
  x = graph.activate(graph.layerNorm(x, "stem.norm1", epsilon), CLIP_GELU)
  x = graph.conv(x, "stem.conv2", features: stem, kernel: 3, padding: 1, bias: true)
  for stage in 0..<depths.count {
    for block in 0..<depths[stage] {
      graph.push("stages.\(stage).\(block)")
      x = convBlock(graph, x, widths[stage], stride: block == 0 ? 2 : 1)
      graph.pop()
    }
    graph.setOutput("stages.\(stage)", x)
  }
  x = graph.layerNorm(x, "pool.norm", epsilon)
  x = graph.conv(x, "pool.proj", features: width, kernel: 3, stride: 2, padding: 1, bias: true)
  graph.pop()

  if graph.flag("positions", true) { x = graph.positions(x, "pos_embed") }
  let heads = graph.size("heads")
  for layer in 0..<graph.size("layers") {
    graph.push("blocks.\(layer)")
    x = transformerBlock(graph, x, heads: heads, mlpWidth: graph.size("mlp_width"))
    graph.pop()
  }
  return graph.layerNorm(graph.meanRows(x), "fc_norm", epsilon)
}

private let epsilon = 1e-6

/// Norm, expansion by four, depthwise convolution, projection. The shortcut is pooled and projected if its shape
/// differs.
private func convBlock(_ graph: Graph, _ x: clip_value, _ features: UInt32, stride: UInt32) -> clip_value {
  var shortcut = x
  if stride == 2 {
    shortcut = graph.averagePoolInside(x, kernel: 3, stride: 2, padding: 1)
    if graph.width(x) != features { shortcut = graph.conv(shortcut, "shortcut.expand", features: features, bias: true) }
  } else if graph.width(x) != features {
    shortcut = graph.conv(x, "shortcut", features: features, bias: true)
  }
  let middle = features * 4
  var y = graph.conv(graph.layerNorm(x, "pre_norm", epsilon), "conv1_1x1", features: middle, bias: true)
  y = graph.activate(y, CLIP_GELU)
  y = graph.conv(
    y, "conv2_kxk", features: middle, kernel: 3, stride: stride, padding: 1, groups: middle, bias: true)
  y = graph.conv(graph.activate(y, CLIP_GELU), "conv3_1x1", features: features, bias: true)
  return graph.add(shortcut, y)
}

private func transformerBlock(
  _ graph: Graph, _ x: clip_value, heads: UInt32, mlpWidth: UInt32
) -> clip_value {
  let width = graph.width(x)
  let normed = graph.layerNorm(x, "norm1", epsilon)
  let q = graph.linear(normed, "attn.q_proj", features: width)
  let k = graph.linear(normed, "attn.k_proj", features: width)
  let v = graph.linear(normed, "attn.v_proj", features: width)
  let y = graph.add(x, graph.linear(graph.attention(q, k, v, heads: heads), "attn.proj", features: width))
  let inner = graph.layerNorm(graph.layerNorm(y, "norm2", epsilon), "mlp.norm", epsilon)
  let gate = graph.activate(graph.linear(inner, "mlp.w0", features: mlpWidth), CLIP_GELU)
  let hidden = graph.multiply(gate, graph.linear(inner, "mlp.w1", features: mlpWidth))
  return graph.add(y, graph.linear(hidden, "mlp.w2", features: width))
}
