import CClip
import ClipPluginKit

/// Swin (Liu et al., 2021, https://arxiv.org/abs/2103.14030) and Swin V2 (2022, https://arxiv.org/abs/2111.09883) with
/// timm's names: the mean of all rows after the last norm. V2 has norms after attention, MLP and merging, cosine
/// attention, and a small network that makes the biases of relative positions.
func buildSwin(_ graph: Graph) -> clip_value {
  let swin = Swin(graph)
  let depths = graph.stages("depths", count: 1...8)
  let heads = graph.stages("heads", count: depths.count...depths.count)
  let patch = graph.size("patch_size", 4)
  var width = graph.size("width")

  var x = graph.conv(graph.image(), "patch_embed.proj", features: width, kernel: patch, stride: patch, bias: true)
  x = graph.layerNorm(x, "patch_embed.norm", swin.epsilon)
  if graph.flag("positions") { x = graph.positions(x, "absolute_pos_embed") }
  for stage in 0..<depths.count {
    graph.push("layers.\(stage)")
    if stage > 0 {
      width = width &* 2
      x = swin.merge(x, width)
    }
    for block in 0..<depths[stage] {
      graph.push("blocks.\(block)")
      x = swin.block(x, heads: heads[stage], isShifted: block % 2 == 1, stage: stage)
      graph.pop()
    }
    graph.pop()
    graph.setOutput("layers.\(stage)", x)
  }
  return graph.meanRows(graph.layerNorm(x, "norm", swin.epsilon))
}

private struct Swin {
  let graph: Graph
  let isV2: Bool
  let window: UInt32
  let mlpRatio: UInt32
  let epsilon: Double
  let activation: clip_activation
  let shiftsFirst: Bool
  let hasBias: Bool
  /// The window that each stage was trained with; 0 for its own.
  let trained: [Int64]

  init(_ graph: Graph) {
    self.graph = graph
    isV2 = graph.flag("v2")
    window = graph.size("window", 7)
    mlpRatio = graph.size("mlp_ratio", 4)
    epsilon = graph.number("epsilon", 1e-5)
    activation = graph.activation("activation")
    shiftsFirst = graph.flag("shifts_first", true)
    hasBias = graph.flag("qkv_bias", true)
    trained = graph.integers("trained_windows", most: 8)
  }

  /// Merges each 2 x 2 pixels to one.
  func merge(_ x: clip_value, _ features: UInt32) -> clip_value {
    let merged = graph.patchMerging(x)
    if !isV2 {
      return graph.linear(
        graph.layerNorm(merged, "downsample.norm", epsilon), "downsample.reduction", features: features, bias: false)
    }
    return graph.layerNorm(
      graph.linear(merged, "downsample.reduction", features: features, bias: false), "downsample.norm", epsilon)
  }

  func block(_ x: clip_value, heads: UInt32, isShifted: Bool, stage: Int) -> clip_value {
    let width = graph.width(x)
    let grid = graph.grid(x)
    var windows = clip_windows()
    (windows.height, windows.width) = grid
    // A grid that one window covers is not shifted.
    (windows.window_height, windows.window_width) = (max(1, min(window, grid.height)), max(1, min(window, grid.width)))
    if isShifted {
      windows.shift_height = grid.height <= window ? 0 : window / 2
      windows.shift_width = grid.width <= window ? 0 : window / 2
    }
    windows.shifts_first = shiftsFirst ? 1 : 0

    let inner = isV2 ? x : graph.layerNorm(x, "norm1", epsilon)
    graph.push("attn")
    var y = attention(graph.windowPartition(inner, windows), heads: heads, windows, stage: stage)
    y = graph.windowMerge(graph.linear(y, "proj", features: width), windows)
    graph.pop()
    y = graph.add(x, isV2 ? graph.layerNorm(y, "norm1", epsilon) : y)
    let hidden = graph.linear(
      isV2 ? y : graph.layerNorm(y, "norm2", epsilon), "mlp.fc1", features: width &* mlpRatio)
    let z = graph.linear(graph.activate(hidden, activation), "mlp.fc2", features: width)
    return graph.add(y, isV2 ? graph.layerNorm(z, "norm2", epsilon) : z)
  }

  private func attention(_ x: clip_value, heads: UInt32, _ windows: clip_windows, stage: Int) -> clip_value {
    let width = graph.width(x)
    let q = graph.linear(x, "q_proj", features: width, bias: hasBias)
    let k = graph.linear(x, "k_proj", features: width, bias: hasBias && !isV2)
    let v = graph.linear(x, "v_proj", features: width, bias: hasBias)
    if !isV2 {
      let offsets = (2 * windows.window_height - 1) * (2 * windows.window_width - 1)
      let bias = graph.table("relative_position_bias_table", rows: offsets, width: heads)
      return graph.windowAttention(q, k, v, bias: bias, heads: heads, windows)
    }
    let size = stage < trained.count && trained[stage] > 0 ? UInt32(clamping: trained[stage]) : windows.window_height
    let hidden = graph.linear(graph.windowOffsets(windows, trained: size), "cpb_mlp.0", features: 512)
    let bias = graph.linear(graph.activate(hidden, CLIP_RELU), "cpb_mlp.2", features: heads, bias: false)
    return graph.windowAttention(
      graph.normalizeHeads(q, "logit_scale", heads: heads), graph.normalizeHeads(k, heads: heads), v,
      bias: graph.activate(bias, CLIP_SIGMOID), heads: heads, windows, scale: 1, biasScale: 16)
  }
}
