import CClip
import ClipPluginKit

/// MobileViT (Mehta and Rastegari, 2022, https://arxiv.org/abs/2110.02178) with transformers' names: inverted residual
/// blocks, then three stages with transformers. Each attends among the pixels at the same position of all patches.
/// Pooled features.
func buildMobileViT(_ graph: Graph) -> clip_value {
  let necks = graph.stages("widths", count: 7...7)
  let block = MobileViT(graph)
  var x = block.convolved(graph.image(), "conv_stem", features: necks[0], kernel: 3, stride: 2)
  for (stage, depth) in ([1, 3] as [Int]).enumerated() {
    for index in 0..<depth {
      x = block.inverted(
        x, "encoder.layer.\(stage).layer.\(index)", features: necks[stage + 1], stride: stage == 1 && index == 0 ? 2 : 1
      )
    }
  }
  let widths = graph.stages("hidden_widths", count: 3...3)
  for (stage, depth) in ([2, 4, 3] as [Int]).enumerated() {
    graph.push("encoder.layer.\(stage + 2)")
    x = block.inverted(x, "downsampling_layer", features: necks[stage + 3], stride: 2)
    x = block.transformed(x, width: widths[stage], depth: depth)
    graph.pop()
  }
  return graph.meanRows(block.convolved(x, "conv_1x1_exp", features: necks[6]))
}

private struct MobileViT {
  let graph: Graph
  let activation: clip_activation
  let kernel, patch, heads: UInt32
  let epsilon: Double

  init(_ graph: Graph) {
    self.graph = graph
    activation = graph.activation("activation")
    kernel = graph.size("kernel", 3)
    patch = graph.size("patch_size", 2)
    heads = graph.size("heads", 4)
    epsilon = graph.number("epsilon", 1e-5)
  }

  func convolved(
    _ x: clip_value, _ name: String, features: UInt32, kernel: UInt32 = 1, stride: UInt32 = 1, groups: UInt32 = 1,
    activates: Bool = true
  ) -> clip_value {
    let product = graph.conv(
      x, name + ".convolution", features: features, kernel: kernel, stride: stride, padding: (kernel - 1) / 2,
      groups: groups)
    let normed = graph.batchNorm(product, name + ".normalization", 1e-5)
    return activates ? graph.activate(normed, activation) : normed
  }

  func inverted(_ x: clip_value, _ name: String, features: UInt32, stride: UInt32) -> clip_value {
    graph.push(name)
    defer { graph.pop() }
    let width = graph.width(x)
    let wide = (Double(width) * graph.number("expand_ratio", 4)).rounded(.toNearestOrEven)
    let expanded = rounded(UInt32(min(max(wide, 1), 1_048_576)))
    var y = convolved(x, "expand_1x1", features: expanded)
    y = convolved(y, "conv_3x3", features: expanded, kernel: 3, stride: stride, groups: expanded)
    y = convolved(y, "reduce_1x1", features: features, activates: false)
    return stride == 1 && width == features ? graph.add(x, y) : y
  }

  func transformed(_ x: clip_value, width: UInt32, depth: Int) -> clip_value {
    let features = graph.width(x)
    var y = convolved(x, "conv_kxk", features: features, kernel: kernel)
    y = graph.conv(y, "conv_1x1.convolution", features: width)
    // Resizes the grid to whole patches.
    let (height, across) = graph.grid(y)
    let rows = (height + patch - 1) / patch
    let columns = (across + patch - 1) / patch
    let isResized = rows * patch != height || columns * patch != across
    if isResized { y = graph.resize(y, height: rows * patch, width: columns * patch, CLIP_RESIZE_BILINEAR) }
    let windows = clip_windows(
      height: rows * patch, width: columns * patch, window_height: rows, window_width: columns, shift_height: 0,
      shift_width: 0, shifts_first: 0, dilated: 1)
    y = graph.windowPartition(y, windows)
    for index in 0..<depth {
      graph.push("transformer.layer.\(index)")
      y = layer(y, windows)
      graph.pop()
    }
    y = graph.windowMerge(graph.layerNorm(y, "layernorm", epsilon), windows)
    if isResized { y = graph.resize(y, height: height, width: across, CLIP_RESIZE_BILINEAR) }
    y = convolved(y, "conv_projection", features: features)
    return convolved(graph.concat(x, y), "fusion", features: features, kernel: kernel)
  }

  private func layer(_ x: clip_value, _ windows: clip_windows) -> clip_value {
    let width = graph.width(x)
    let normed = graph.layerNorm(x, "layernorm_before", epsilon)
    func part(_ name: String) -> clip_value {
      graph.linear(normed, "attention.attention." + name, features: width, bias: graph.flag("qkv_bias", true))
    }
    let attended = graph.windowAttention(part("query"), part("key"), part("value"), heads: heads, windows)
    let y = graph.add(x, graph.linear(attended, "attention.output.dense", features: width))
    let hidden = UInt32(min(max(Double(width) * graph.number("mlp_ratio", 2), 1), 1_048_576))
    let inner = graph.linear(graph.layerNorm(y, "layernorm_after", epsilon), "intermediate.dense", features: hidden)
    return graph.add(y, graph.linear(graph.activate(inner, activation), "output.dense", features: width))
  }
}
