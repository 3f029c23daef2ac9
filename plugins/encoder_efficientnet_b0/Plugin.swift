import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.encoder-efficientnet-b0", version: "0.2.0", license: "Apache-2.0") { table in
    for (id, description) in [
      ("clipcore.encoder.efficientnet-b0", "EfficientNet-B0 as torchvision has it: 1280 pooled features"),
      ("clipcore.encoder.efficientnet", "EfficientNet and EfficientNetV2 of torchvision, timm and Hugging Face"),
    ] as [(StaticString, StaticString)] {
      table.addEncoder(
        CLIP_TOWER_IMAGE, id: id, description: description, strengths: "local-detail:2,texture:2,small-data:3",
        example: #"{"image_height": 224, "image_width": 224}"#
      ) { Graph.build($0) { EfficientNet($0).build() } }
    }
  }
}

/// EfficientNet (Tan and Le, 2019, https://arxiv.org/abs/1905.11946) and EfficientNetV2
/// (https://arxiv.org/abs/2104.00298): pooled features. Defaults are those of B0. The first "fused" stages have dense
/// convolutions. "padding" is "center" as in PyTorch, "same" as in TensorFlow, or "late" as in Hugging Face: with
/// stride 2 the padding before the image is one less than after it, except in the "centered" blocks.
private struct EfficientNet {
  let graph: Graph
  let epsilon: Double
  let activation: clip_activation
  let names: BlockNames.Style
  let centered: [Int64]

  init(_ graph: Graph) {
    self.graph = graph
    epsilon = graph.number("epsilon", 1e-5)
    activation = graph.has("activation", "silu", "silu") ? CLIP_SILU : graph.activation("activation")
    names = BlockNames.Style(graph)
    centered = graph.integers("centered", most: 1024)
  }

  func build() -> clip_value {
    let widths = sizes("widths", [16, 24, 40, 80, 112, 192, 320])
    let count = widths.count
    let (depths, kernels) = (
      sizes("depths", [1, 2, 2, 3, 3, 4, 1], count), sizes("kernels", [3, 3, 5, 3, 5, 5, 3], count)
    )
    let strides = sizes("strides", [1, 2, 2, 2, 1, 2, 1], count)
    let expansions = sizes("expansions", [1, 6, 6, 6, 6, 6, 6], count)
    let fused = Int(graph.count("fused"))
    let firstAdds = graph.flag("first_shortcut", true)

    var x = graph.pixels(height: graph.size("image_height"), width: graph.size("image_width"))
    x = convolved(x, names.stem, features: graph.size("stem_width", 32), kernel: 3, stride: 2)
    var total = 0
    for stage in 0..<count {
      for index in 0..<Int(depths[stage]) {
        graph.push(names.block(stage, index, total))
        let block = Block(
          names: BlockNames(names, isExpanded: expansions[stage] > 1, isFused: stage < fused),
          expansion: expansions[stage], kernel: kernels[stage], stride: index == 0 ? strides[stage] : 1,
          features: widths[stage], isFused: stage < fused, adds: index > 0 || firstAdds,
          isCentered: centered.contains(Int64(total)))
        x = residual(x, block)
        graph.pop()
        total += 1
      }
      graph.setOutput("features.\(stage + 1)", x)
    }
    let width = graph.integer("head_width", 1280)
    if width > 0 { x = convolved(x, names.top(count), features: UInt32(clamping: width), kernel: 1) }
    return graph.has("pool", "max", "mean") ? graph.maxRows(x) : graph.meanRows(x)
  }

  private struct Block {
    let names: BlockNames
    let expansion, kernel, stride, features: UInt32
    let isFused, adds, isCentered: Bool
  }

  /// Positive integers, one for each stage.
  private func sizes(_ key: StaticString, _ fallback: [UInt32], _ count: Int? = nil) -> [UInt32] {
    let found = graph.integers(key, most: 17)
    if found.isEmpty, count == nil || count == fallback.count { return fallback }
    if found.count == count ?? found.count, (1...16).contains(found.count),
      !found.contains(where: { $0 < 1 || $0 > 1 << 16 })
    {
      return found.map { UInt32(clamping: $0) }
    }
    graph.fail("config: " + String(cString: key.cString) + ": expected a number of 1 to \(1 << 16) for each stage")
    return [UInt32](repeating: 1, count: count ?? 1)
  }

  /// Expansion, depthwise convolution, squeeze and excitation, projection (Sandler et al., 2018); or expansion by a
  /// dense convolution, and projection.
  private func residual(_ x: clip_value, _ block: Block) -> clip_value {
    let width = graph.width(x)
    let expanded = width &* block.expansion
    let names = block.names
    var y = x
    if block.isFused {
      if block.expansion > 1 {
        y = convolved(y, names.expand, features: expanded, kernel: block.kernel, stride: block.stride)
        y = convolved(y, names.project, features: block.features, kernel: 1, activates: false)
      } else {
        y = convolved(y, names.project, features: block.features, kernel: block.kernel, stride: block.stride)
      }
    } else {
      if block.expansion > 1 { y = convolved(y, names.expand, features: expanded, kernel: 1) }
      y = convolved(
        y, names.depthwise, features: expanded, kernel: block.kernel, stride: block.stride, groups: expanded,
        isCentered: block.isCentered)
      let squeezed = max(1, UInt32(Double(width) * min(max(graph.number("squeeze_ratio", 0.25), 0), 1)))
      y = squeezeExcite(y, names, squeezed)
      y = convolved(y, names.project, features: block.features, kernel: 1, activates: false)
    }
    return block.adds && block.stride == 1 && width == block.features ? graph.add(x, y) : y
  }

  /// A convolution, its batch norm and the activation.
  private func convolved(
    _ x: clip_value, _ names: (conv: String, norm: String), features: UInt32, kernel: UInt32, stride: UInt32 = 1,
    groups: UInt32 = 1, activates: Bool = true, isCentered: Bool = false
  ) -> clip_value {
    let (grid, middle) = (graph.grid(x), kernel / 2)
    var (start, end) = (middle, middle)
    if kernel > 1, graph.has("padding", "same", "center") {
      // Grids are taken as square.
      let covered = (max(1, grid.height) - 1) / stride * stride + kernel
      let sum = covered > grid.height ? covered - grid.height : 0
      (start, end) = (sum / 2, sum - sum / 2)
    } else if kernel > 1, stride == 2, !isCentered, graph.has("padding", "late", "center") {
      (start, end) = (middle - 1, middle)
    }
    let product = graph.op(
      "conv", names.conv, [x],
      settings: [
        ("features", Double(features)), ("bias", 0), ("kernel_height", Double(kernel)),
        ("kernel_width", Double(kernel)),
        ("stride", Double(stride)), ("padding", Double(start)), ("padding_end", Double(end)),
        ("groups", Double(groups)),
      ])
    let normed = graph.batchNorm(product, names.norm, epsilon)
    return activates ? graph.activate(normed, activation) : normed
  }

  /// Multiplies channels by gates computed from their means (Hu et al., 2018, https://arxiv.org/abs/1709.01507).
  private func squeezeExcite(_ x: clip_value, _ names: BlockNames, _ squeezed: UInt32) -> clip_value {
    let hidden = graph.activate(
      graph.conv(graph.meanRows(x), names.squeeze, features: squeezed, bias: true), activation)
    let weights = graph.activate(
      graph.conv(hidden, names.excite, features: graph.width(x), bias: true), CLIP_SIGMOID)
    return graph.multiply(x, weights)
  }
}
