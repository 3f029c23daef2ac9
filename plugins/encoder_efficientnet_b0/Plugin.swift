import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.encoder-efficientnet-b0", version: "0.1.0", license: "Apache-2.0") { table in
    table.addEncoder(
      CLIP_TOWER_IMAGE, id: "clipcore.encoder.efficientnet-b0",
      description: "EfficientNet-B0 as torchvision has it: 1280 pooled features",
      strengths: "local-detail:2,texture:2,small-data:3",
      example: #"{"image_height": 224, "image_width": 224}"#
    ) { Graph.build($0, buildEfficientNet) }
  }
}

private let epsilon: Double = 1e-5

/// One stage of inverted residual blocks.
private struct Stage {
  let expansion: UInt32
  let kernel: UInt32
  let stride: UInt32
  let features: UInt32
  let blocks: Int
}

/// EfficientNet-B0 (Tan and Le, 2019, https://arxiv.org/abs/1905.11946, table 1).
private func buildEfficientNet(_ graph: Graph) -> clip_value {
  let stages = [
    Stage(expansion: 1, kernel: 3, stride: 1, features: 16, blocks: 1),
    Stage(expansion: 6, kernel: 3, stride: 2, features: 24, blocks: 2),
    Stage(expansion: 6, kernel: 5, stride: 2, features: 40, blocks: 2),
    Stage(expansion: 6, kernel: 3, stride: 2, features: 80, blocks: 3),
    Stage(expansion: 6, kernel: 5, stride: 1, features: 112, blocks: 3),
    Stage(expansion: 6, kernel: 5, stride: 2, features: 192, blocks: 4),
    Stage(expansion: 6, kernel: 3, stride: 1, features: 320, blocks: 1),
  ]
  graph.push("features")
  defer { graph.pop() }
  var x = graph.pixels(height: graph.size("image_height"), width: graph.size("image_width"))
  x = convolved(graph, x, "0", features: 32, kernel: 3, stride: 2)
  for (index, stage) in stages.enumerated() {
    for block in 0..<stage.blocks {
      graph.push("\(index + 1).\(block).block")
      x = invertedResidual(graph, x, stage, stride: block == 0 ? stage.stride : 1)
      graph.pop()
    }
    graph.setOutput("\(index + 1)", x)
  }
  return graph.meanRows(convolved(graph, x, "8", features: 1280, kernel: 1))
}

/// Convolution "<name>.0", batch norm "<name>.1" and SiLU.
private func convolved(
  _ graph: Graph, _ x: clip_value, _ name: String, features: UInt32, kernel: UInt32, stride: UInt32 = 1,
  groups: UInt32 = 1
) -> clip_value {
  let product = graph.conv(
    x, name + ".0", features: features, kernel: kernel, stride: stride, padding: kernel / 2, groups: groups)
  return graph.activate(graph.batchNorm(product, name + ".1", epsilon), CLIP_SILU)
}

/// Expand, convolve each channel, squeeze and excite, project (Sandler et al., 2018).
private func invertedResidual(_ graph: Graph, _ x: clip_value, _ stage: Stage, stride: UInt32) -> clip_value {
  let width = graph.width(x)
  let expanded = width * stage.expansion
  var part = 0
  var y = x
  if stage.expansion > 1 {
    y = convolved(graph, y, "\(part)", features: expanded, kernel: 1)
    part += 1
  }
  y = convolved(graph, y, "\(part)", features: expanded, kernel: stage.kernel, stride: stride, groups: expanded)
  y = squeezeExcite(graph, y, "\(part + 1)", squeezed: max(1, width / 4))
  y = graph.batchNorm(graph.conv(y, "\(part + 2).0", features: stage.features), "\(part + 2).1", epsilon)
  return stride == 1 && width == stage.features ? graph.add(x, y) : y
}

/// Channels weighed by what all pixels say (Hu et al., 2018, https://arxiv.org/abs/1709.01507).
private func squeezeExcite(_ graph: Graph, _ x: clip_value, _ name: String, squeezed: UInt32) -> clip_value {
  let hidden = graph.activate(graph.conv(graph.meanRows(x), name + ".fc1", features: squeezed, bias: true), CLIP_SILU)
  let weights = graph.activate(graph.conv(hidden, name + ".fc2", features: graph.width(x), bias: true), CLIP_SIGMOID)
  return graph.multiply(x, weights)
}
