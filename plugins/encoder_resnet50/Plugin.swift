import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.encoder-resnet50", version: "0.1.0", license: "Apache-2.0") { table in
    table.addEncoder(
      CLIP_TOWER_IMAGE, id: "clipcore.encoder.resnet50",
      description: "ResNet of bottlenecks as torchvision has it: pooled features, 2048 for ResNet-50",
      strengths: "local-detail:2,texture:3,small-data:2",
      example: #"{"image_height": 224, "image_width": 224}"#
    ) { Graph.build($0, buildResNet) }
  }
}

private let epsilon: Double = 1e-5

/// A residual network (He et al., 2016, https://arxiv.org/abs/1512.03385) with torchvision's names and its stride in
/// the 3 x 3 convolution. "layers" are the numbers of blocks in the four stages, and "widths" the stages' output
/// widths. "block" is "bottleneck" or, for ResNet-18 and -34, "basic". The inner width of a bottleneck is a quarter of
/// the output width times "inner", and its convolution has "groups" (ResNeXt, https://arxiv.org/abs/1611.05431).
/// "deep_stem" and "pooled_shortcut" are timm's ResNet-D (https://arxiv.org/abs/1812.01187). Outputs: layer1 to layer4.
private func buildResNet(_ graph: Graph) -> clip_value {
  var blocks = graph.integers("layers", most: 5)
  if blocks.isEmpty { blocks = [3, 4, 6, 3] }
  if blocks.count != 4 || blocks.contains(where: { $0 < 1 || $0 > 1024 }) {
    graph.fail("config: layers: expected four numbers of blocks, each from 1 to 1024")
    blocks = [1, 1, 1, 1]
  }
  let isBasic = graph.has("block", "basic", "bottleneck")
  if !isBasic && !graph.has("block", "bottleneck", "bottleneck") {
    graph.fail("config: block: expected bottleneck or basic, found " + graph.text("block", ""))
  }

  var widths = graph.integers("widths", most: 5)
  if widths.isEmpty { widths = isBasic ? [64, 128, 256, 512] : [256, 512, 1024, 2048] }
  if widths.count != 4 || widths.contains(where: { $0 < 4 || $0 > 1 << 16 }) {
    graph.fail("config: widths: expected four numbers, each from 4 to \(1 << 16)")
    widths = [4, 4, 4, 4]
  }
  let firstStride = graph.size("first_stride", 1)

  var x = stem(graph)
  x = graph.maxPool(x, kernel: 3, stride: 2, padding: 1)
  for (stage, count) in blocks.enumerated() {
    graph.push("layer\(stage + 1)")
    for block in 0..<count {
      graph.push("\(block)")
      let stride: UInt32 = block > 0 ? 1 : stage > 0 ? 2 : firstStride
      let width = UInt32(clamping: widths[stage])
      x = isBasic ? basic(graph, x, width, stride) : bottleneck(graph, x, width, stride)
      graph.pop()
    }
    graph.pop()
    graph.setOutput("layer\(stage + 1)", x)
  }
  return graph.meanRows(x)
}

private func normed(
  _ graph: Graph, _ x: clip_value, _ conv: String, _ norm: String, features: UInt32, kernel: UInt32 = 1,
  stride: UInt32 = 1, groups: UInt32 = 1, activates: Bool = true
) -> clip_value {
  let product = graph.conv(
    x, conv, features: features, kernel: kernel, stride: stride, padding: kernel / 2, groups: groups)
  let y = graph.batchNorm(product, norm, epsilon)
  return activates ? graph.activate(y, CLIP_RELU) : y
}

private func stem(_ graph: Graph) -> clip_value {
  let pixels = graph.pixels(height: graph.size("image_height"), width: graph.size("image_width"))
  let width = graph.size("stem_width", 64)
  guard graph.flag("deep_stem") else {
    return normed(graph, pixels, "conv1", "bn1", features: width, kernel: 7, stride: 2)
  }
  var x = normed(graph, pixels, "conv1.0", "conv1.1", features: width / 2, kernel: 3, stride: 2)
  x = normed(graph, x, "conv1.3", "conv1.4", features: width / 2, kernel: 3)
  return normed(graph, x, "conv1.6", "bn1", features: width, kernel: 3)
}

/// With "early_stride" the stride is in the first convolution.
private func bottleneck(_ graph: Graph, _ x: clip_value, _ width: UInt32, _ stride: UInt32) -> clip_value {
  let isEarly = graph.flag("early_stride")
  let inner = width / 4 &* graph.size("inner", 1)
  var y = normed(graph, x, "conv1", "bn1", features: inner, stride: isEarly ? stride : 1)
  y = normed(
    graph, y, "conv2", "bn2", features: inner, kernel: 3, stride: isEarly ? 1 : stride, groups: graph.size("groups", 1))
  y = normed(graph, y, "conv3", "bn3", features: width, activates: false)
  return graph.activate(graph.add(shortcut(graph, x, width, stride), y), CLIP_RELU)
}

private func basic(_ graph: Graph, _ x: clip_value, _ planes: UInt32, _ stride: UInt32) -> clip_value {
  var y = normed(graph, x, "conv1", "bn1", features: planes, kernel: 3, stride: stride)
  y = normed(graph, y, "conv2", "bn2", features: planes, kernel: 3, activates: false)
  return graph.activate(graph.add(shortcut(graph, x, planes, stride), y), CLIP_RELU)
}

/// The input, projected if the shape changes.
private func shortcut(_ graph: Graph, _ x: clip_value, _ features: UInt32, _ stride: UInt32) -> clip_value {
  if stride == 1 && graph.width(x) == features { return x }
  guard graph.flag("pooled_shortcut") else {
    return normed(graph, x, "downsample.0", "downsample.1", features: features, stride: stride, activates: false)
  }
  let pooled = stride > 1 ? graph.averagePool(x, stride) : x
  return normed(graph, pooled, "downsample.1", "downsample.2", features: features, activates: false)
}
