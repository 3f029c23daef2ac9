import CClip
import ClipPluginKit

/// FastViT (Vasu et al., 2023, https://arxiv.org/abs/2303.14189) and the image towers of MobileCLIP with timm's names:
/// pooled features. In training form, with all branches, or "fused", with each sum of convolutions as one.
func buildFastViT(_ graph: Graph) -> clip_value {
  let widths = graph.stages("widths", count: 4...5)
  let depths = graph.stages("depths", count: widths.count...widths.count)
  let firstAttention = graph.integer("first_attention", Int64(depths.count))
  let firstSqueeze = graph.integer("first_squeeze", Int64(depths.count))

  let scales = graph.flag("stem_scale", true)
  var x = mobileOne(graph, graph.image(), "stem.0", widths[0], kernel: 3, stride: 2, scales: scales)
  x = mobileOne(graph, x, "stem.1", widths[0], kernel: 3, stride: 2, isDepthwise: true, scales: scales)
  x = mobileOne(graph, x, "stem.2", widths[0], kernel: 1)
  for stage in 0..<depths.count {
    graph.push("stages.\(stage)")
    if stage > 0 { x = downsample(graph, x, widths[stage], squeezes: stage >= firstSqueeze) }
    let attends = stage >= firstAttention
    if attends {
      x =
        isFused(graph)
        ? depthwise(graph, x, "pos_emb.reparam_conv", kernel: 7, bias: true)
        : graph.add(depthwise(graph, x, "pos_emb.pos_enc", kernel: 7, bias: true), x)
    }
    for layer in 0..<depths[stage] {
      graph.push("blocks.\(layer)")
      x = attends ? attentionBlock(graph, x) : mixerBlock(graph, x)
      graph.pop()
    }
    graph.pop()
    graph.setOutput("stages.\(stage)", x)
  }
  let width = graph.width(x) &* graph.size("head_ratio", 2)
  x = mobileOne(graph, x, "final_conv", width, kernel: 3, isDepthwise: true, activates: false)
  x = squeezeExcite(graph, x, "final_conv.se", width / 16, CLIP_RELU)
  return graph.meanRows(graph.activate(x, CLIP_GELU))
}

private let epsilon = 1e-5
private func isFused(_ graph: Graph) -> Bool { graph.flag("fused") }

/// A convolution "<name>.conv" with the batch norm "<name>.bn". Depthwise, or dense.
private func normed(
  _ graph: Graph, _ x: clip_value, _ name: String, _ features: UInt32, kernel: UInt32, stride: UInt32 = 1,
  isDepthwise: Bool = true
) -> clip_value {
  let product = graph.conv(
    x, name + ".conv", features: features, kernel: kernel, stride: stride, padding: kernel / 2,
    groups: isDepthwise ? graph.width(x) : 1)
  return graph.batchNorm(product, name + ".bn", epsilon)
}

private func depthwise(
  _ graph: Graph, _ x: clip_value, _ name: String, kernel: UInt32, bias: Bool
) -> clip_value {
  let width = graph.width(x)
  return graph.conv(x, name, features: width, kernel: kernel, padding: kernel / 2, groups: width, bias: bias)
}

/// MobileOne's sum of a convolution, a 1 x 1 convolution and the input, each with a batch norm (Vasu et al., 2022,
/// https://arxiv.org/abs/2206.04040).
private func mobileOne(
  _ graph: Graph, _ x: clip_value, _ name: String, _ features: UInt32, kernel: UInt32, stride: UInt32 = 1,
  isDepthwise: Bool = false, scales: Bool = true, activates: Bool = true
) -> clip_value {
  if isFused(graph) {
    let y = graph.conv(
      x, name + ".reparam_conv", features: features, kernel: kernel, stride: stride, padding: kernel / 2,
      groups: isDepthwise ? graph.width(x) : 1, bias: true)
    return activates ? graph.activate(y, CLIP_GELU) : y
  }
  var y = normed(
    graph, x, name + ".conv_kxk.0", features, kernel: kernel, stride: stride, isDepthwise: isDepthwise)
  if kernel > 1 && scales {
    y = graph.add(
      y, normed(graph, x, name + ".conv_scale", features, kernel: 1, stride: stride, isDepthwise: isDepthwise))
  }
  if stride == 1 && graph.width(x) == features { y = graph.add(y, graph.batchNorm(x, name + ".identity", epsilon)) }
  return activates ? graph.activate(y, CLIP_GELU) : y
}

/// The sum of a large and a small convolution of stride 2, then a 1 x 1 convolution.
private func downsample(_ graph: Graph, _ x: clip_value, _ features: UInt32, squeezes: Bool) -> clip_value {
  graph.push("downsample.proj")
  defer { graph.pop() }
  var y =
    isFused(graph)
    ? graph.conv(
      x, "0.reparam_conv", features: features, kernel: 7, stride: 2, padding: 3, groups: graph.width(x), bias: true)
    : graph.add(
      normed(graph, x, "0.large_conv", features, kernel: 7, stride: 2),
      normed(graph, x, "0.small_conv", features, kernel: 3, stride: 2))
  if squeezes { y = squeezeExcite(graph, y, "0.se", max(8, (features / 4 + 4) / 8 * 8), CLIP_RELU) }
  if graph.flag("downsample_activation") { y = graph.activate(y, CLIP_GELU) }
  return mobileOne(graph, y, "1", features, kernel: 1)
}

/// RepMixer: x + scale (mixer(x) - norm(x)), then the MLP.
private func mixerBlock(_ graph: Graph, _ x: clip_value) -> clip_value {
  let y = repMixer(graph, x)
  return graph.add(y, graph.scale(mlp(graph, y), "layer_scale.gamma"))
}

private func repMixer(_ graph: Graph, _ x: clip_value) -> clip_value {
  if isFused(graph) { return depthwise(graph, x, "token_mixer.reparam_conv", kernel: 3, bias: true) }
  graph.push("token_mixer")
  defer { graph.pop() }
  let mixed = mobileOne(
    graph, x, "mixer", graph.width(x), kernel: 3, isDepthwise: true, activates: false)
  let change = graph.subtract(mixed, graph.batchNorm(x, "norm.identity", epsilon))
  return graph.add(x, graph.scale(change, "layer_scale.gamma"))
}

/// Attention among all pixels with heads of width 32, then the MLP.
private func attentionBlock(_ graph: Graph, _ x: clip_value) -> clip_value {
  let width = graph.width(x)
  let normed =
    graph.has("norm", "layer", "batch") ? graph.layerNorm(x, "norm", epsilon) : graph.batchNorm(x, "norm", epsilon)
  graph.push("token_mixer")
  let q = graph.linear(normed, "q_proj", features: width, bias: false)
  let k = graph.linear(normed, "k_proj", features: width, bias: false)
  let v = graph.linear(normed, "v_proj", features: width, bias: false)
  let attended = graph.linear(graph.attention(q, k, v, heads: max(1, width / 32)), "proj", features: width)
  graph.pop()
  let y = graph.add(x, graph.scale(attended, "layer_scale_1.gamma"))
  return graph.add(y, graph.scale(mlp(graph, y), "layer_scale_2.gamma"))
}

private func mlp(_ graph: Graph, _ x: clip_value) -> clip_value {
  let width = graph.width(x)
  let y = normed(graph, x, "mlp.conv", width, kernel: 7)
  let hidden = graph.linear(y, "mlp.fc1", features: width &* graph.size("mlp_ratio", 4))
  return graph.linear(graph.activate(hidden, CLIP_GELU), "mlp.fc2", features: width)
}
