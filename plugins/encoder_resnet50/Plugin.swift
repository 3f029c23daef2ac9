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

/// A residual network (He et al., 2016, https://arxiv.org/abs/1512.03385) with torchvision's names
/// and its stride in the 3 x 3 convolution. "layers" are the blocks of its four stages, "block" is
/// "bottleneck" or, for ResNet-18 and -34, "basic", "widths" what the stages make. Publishes layer1 to layer4.
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
  let isEarly = graph.flag("early_stride")

  var x = graph.pixels(height: graph.size("image_height"), width: graph.size("image_width"))
  x = graph.batchNorm(
    graph.conv(x, "conv1", features: graph.size("stem_width", 64), kernel: 7, stride: 2, padding: 3), "bn1", epsilon)
  x = graph.maxPool(graph.activate(x, CLIP_RELU), kernel: 3, stride: 2, padding: 1)

  for (stage, count) in blocks.enumerated() {
    graph.push("layer\(stage + 1)")
    for block in 0..<count {
      graph.push("\(block)")
      let stride: UInt32 = block > 0 ? 1 : stage > 0 ? 2 : firstStride
      let width = UInt32(clamping: widths[stage])
      x = isBasic ? basic(graph, x, width, stride) : bottleneck(graph, x, width, stride, isEarly: isEarly)
      graph.pop()
    }
    graph.pop()
    graph.setOutput("layer\(stage + 1)", x)
  }
  return graph.meanRows(x)
}

/// `isEarly`: the stride is in the first convolution.
private func bottleneck(
  _ graph: Graph, _ x: clip_value, _ width: UInt32, _ stride: UInt32, isEarly: Bool
) -> clip_value {
  var y = graph.conv(x, "conv1", features: width / 4, stride: isEarly ? stride : 1)
  y = graph.activate(graph.batchNorm(y, "bn1", epsilon), CLIP_RELU)
  y = graph.conv(y, "conv2", features: width / 4, kernel: 3, stride: isEarly ? 1 : stride, padding: 1)
  y = graph.activate(graph.batchNorm(y, "bn2", epsilon), CLIP_RELU)
  y = graph.batchNorm(graph.conv(y, "conv3", features: width), "bn3", epsilon)
  return graph.activate(graph.add(shortcut(graph, x, width, stride), y), CLIP_RELU)
}

private func basic(_ graph: Graph, _ x: clip_value, _ planes: UInt32, _ stride: UInt32) -> clip_value {
  var y = graph.conv(x, "conv1", features: planes, kernel: 3, stride: stride, padding: 1)
  y = graph.activate(graph.batchNorm(y, "bn1", epsilon), CLIP_RELU)
  y = graph.batchNorm(graph.conv(y, "conv2", features: planes, kernel: 3, padding: 1), "bn2", epsilon)
  return graph.activate(graph.add(shortcut(graph, x, planes, stride), y), CLIP_RELU)
}

/// The input itself or, where the shape changes, a projection of it.
private func shortcut(_ graph: Graph, _ x: clip_value, _ features: UInt32, _ stride: UInt32) -> clip_value {
  if stride == 1 && graph.width(x) == features { return x }
  return graph.batchNorm(graph.conv(x, "downsample.0", features: features, stride: stride), "downsample.1", epsilon)
}
