import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.encoder-clip-resnet", version: "0.1.0", license: "Apache-2.0") { table in
    table.addEncoder(
      CLIP_TOWER_IMAGE, id: "clipcore.encoder.clip-resnet",
      description: "CLIP's modified ResNet: three-conv stem, anti-aliased strides, attention pooling",
      strengths: "local-detail:2,texture:3,global-context:2",
      example: #"""
        {"image_height": 224, "image_width": 224, "width": 64, "layers": [3, 4, 6, 3], "heads": 32,
        "embed_dim": 1024}
        """#
    ) { Graph.build($0, buildResNet) }
  }
}

private let epsilon: Double = 1e-5

/// The modified ResNet of Radford et al., 2021, section 2.3: ResNet-D's stem, average pooling
/// before every strided convolution (Zhang, 2019), and attention in place of global pooling.
private func buildResNet(_ graph: Graph) -> clip_value {
  let width = graph.size("width")
  var blocks: [Int64] = graph.integers("layers", most: 4)
  if blocks.count != 4 || blocks.contains(where: { $0 < 1 || $0 > 1024 }) {
    graph.fail("config: layers: expected four numbers of blocks, each 1 or more")
    blocks = [1, 1, 1, 1]
  }

  var x = graph.pixels(height: graph.size("image_height"), width: graph.size("image_width"))
  x = convolved(graph, x, "1", features: width / 2, kernel: 3, stride: 2)
  x = convolved(graph, x, "2", features: width / 2, kernel: 3)
  x = convolved(graph, x, "3", features: width, kernel: 3)
  x = graph.averagePool(x, 2)

  var planes = width
  for (stage, count) in blocks.enumerated() {
    for block in 0..<count {
      graph.push("layer\(stage + 1)")
      graph.push("\(block)")
      x = bottleneck(graph, x, planes: planes, stride: stage > 0 && block == 0 ? 2 : 1)
      graph.pop()
      graph.pop()
    }
    planes = planes &* 2
  }
  graph.push("attnpool")
  defer { graph.pop() }
  return attentionPool(graph, x)
}

/// Convolution, batch norm and ReLU, under the names "conv<i>" and "bn<i>".
private func convolved(
  _ graph: Graph, _ x: clip_value, _ index: String, features: UInt32, kernel: UInt32, stride: UInt32 = 1
) -> clip_value {
  let product = graph.conv(x, "conv" + index, features: features, kernel: kernel, stride: stride, padding: kernel / 2)
  return graph.activate(graph.batchNorm(product, "bn" + index, epsilon), CLIP_RELU)
}

private func bottleneck(_ graph: Graph, _ x: clip_value, planes: UInt32, stride: UInt32) -> clip_value {
  let features = planes &* 4
  var shortcut = x
  if stride > 1 || graph.width(x) != features {
    let pooled = stride > 1 ? graph.averagePool(x, stride) : x
    shortcut = graph.batchNorm(graph.conv(pooled, "downsample.0", features: features), "downsample.1", epsilon)
  }
  var y = convolved(graph, x, "1", features: planes, kernel: 1)
  y = convolved(graph, y, "2", features: planes, kernel: 3)
  if stride > 1 { y = graph.averagePool(y, stride) }
  y = graph.batchNorm(graph.conv(y, "conv3", features: features), "bn3", epsilon)
  return graph.activate(graph.add(shortcut, y), CLIP_RELU)
}

/// Multi-head attention whose one query is the mean of the grid.
private func attentionPool(_ graph: Graph, _ grid: clip_value) -> clip_value {
  let tokens = graph.positions(graph.prepend(grid, graph.meanRows(grid)), "positional_embedding")
  let width = graph.width(grid)
  let q = graph.linear(graph.firstRow(tokens), "q_proj", features: width)
  let k = graph.linear(tokens, "k_proj", features: width)
  let v = graph.linear(tokens, "v_proj", features: width)
  return graph.linear(graph.attention(q, k, v, heads: graph.size("heads")), "c_proj", features: graph.size("embed_dim"))
}
