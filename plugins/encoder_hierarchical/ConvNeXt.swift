import CClip
import ClipPluginKit

/// ConvNeXt (Liu et al., 2022, https://arxiv.org/abs/2201.03545) and V2 (Woo et al., 2023,
/// https://arxiv.org/abs/2301.00808) with timm's names: pooled features after the last norm.
func buildConvNeXt(_ graph: Graph) -> clip_value {
  let depths = graph.stages("depths")
  let widths = graph.stages("widths")
  let kernels = graph.stages("kernel_sizes", 7)
  let epsilon = graph.number("epsilon", 1e-6)

  var x = stem(graph, widths[0], epsilon)
  for stage in 0..<depths.count {
    graph.push("stages.\(stage)")
    if stage > 0 {
      x = graph.layerNorm(x, "downsample.0", epsilon)
      x = graph.conv(x, "downsample.1", features: widths[stage], kernel: 2, stride: 2, bias: true)
    }
    for layer in 0..<depths[stage] {
      graph.push("blocks.\(layer)")
      x = graph.add(x, block(graph, x, kernel: kernels[stage], epsilon))
      graph.pop()
    }
    graph.pop()
    graph.setOutput("stages.\(stage)", x)
  }
  if graph.flag("head_norm_first") { return graph.meanRows(graph.layerNorm(x, "norm_pre", epsilon)) }
  x = graph.layerNorm(graph.meanRows(x), "head.norm", graph.number("head_epsilon", epsilon))
  let hidden = graph.integer("head_width", 0)
  if hidden == 0 { return x }
  return graph.activate(graph.linear(x, "head.pre_logits.fc", features: UInt32(clamping: hidden)), CLIP_GELU)
}

/// The stem: patches, or two overlapping convolutions. "overlap", "overlap_act" (with an activation between them), or
/// "overlap_tiered" (the first is half as wide).
private func stem(_ graph: Graph, _ width: UInt32, _ epsilon: Double) -> clip_value {
  let pixels = graph.image()
  if graph.has("stem", "patch", "patch") {
    let patch = graph.size("patch_size", 4)
    return graph.layerNorm(
      graph.conv(pixels, "stem.0", features: width, kernel: patch, stride: patch, bias: true), "stem.1", epsilon)
  }
  let isTiered = graph.has("stem", "overlap_tiered", "patch")
  let activates = graph.has("stem", "overlap_act", "patch")
  if !isTiered && !activates && !graph.has("stem", "overlap", "patch") {
    graph.fail(
      "config: stem: expected patch, overlap, overlap_act or overlap_tiered, found " + graph.text("stem", "patch"))
  }
  var x = graph.conv(
    pixels, "stem.0", features: isTiered ? rounded(width / 2) : width, kernel: 3, stride: 2, padding: 1, bias: true)
  if activates { x = graph.activate(x, graph.activation("activation")) }
  x = graph.conv(x, activates ? "stem.2" : "stem.1", features: width, kernel: 3, stride: 2, padding: 1, bias: true)
  return graph.layerNorm(x, activates ? "stem.3" : "stem.2", epsilon)
}

private func block(_ graph: Graph, _ x: clip_value, kernel: UInt32, _ epsilon: Double) -> clip_value {
  let width = graph.width(x)
  var y = graph.conv(x, "conv_dw", features: width, kernel: kernel, padding: kernel / 2, groups: width, bias: true)
  y = graph.linear(graph.layerNorm(y, "norm", epsilon), "mlp.fc1", features: width * 4)
  y = graph.activate(y, graph.activation("activation"))
  if graph.flag("response_norm") { y = graph.responseNorm(y, "mlp.grn", 1e-6) }
  y = graph.linear(y, "mlp.fc2", features: width)
  return graph.flag("layer_scale", true) ? graph.scale(y, "gamma") : y
}
