import ClipPluginKit

/// Each library's names for the parts of a block: convolutions, each with its batch norm.
struct BlockNames {
  enum Style { case torchvision, timm, transformers }

  let expand, depthwise, project: (conv: String, norm: String)
  let squeeze, excite: String

  init(_ style: Style, isExpanded: Bool, isFused: Bool) {
    switch style {
    case .torchvision:
      // Numbered in order.
      let first = isExpanded ? 1 : 0
      let last = isFused ? first : first + 2
      expand = ("0.0", "0.1")
      depthwise = ("\(first).0", "\(first).1")
      (squeeze, excite) = ("\(first + 1).fc1", "\(first + 1).fc2")
      project = ("\(last).0", "\(last).1")
    case .timm:
      expand = (isFused ? "conv_exp" : "conv_pw", "bn1")
      depthwise = ("conv_dw", isExpanded ? "bn2" : "bn1")
      (squeeze, excite) = ("se.conv_reduce", "se.conv_expand")
      project =
        isFused
        ? (isExpanded ? ("conv_pwl", "bn2") : ("conv", "bn1")) : isExpanded ? ("conv_pwl", "bn3") : ("conv_pw", "bn2")
    case .transformers:
      expand = ("expansion.expand_conv", "expansion.expand_bn")
      depthwise = ("depthwise_conv.depthwise_conv", "depthwise_conv.depthwise_norm")
      (squeeze, excite) = ("squeeze_excite.reduce", "squeeze_excite.expand")
      project = ("projection.project_conv", "projection.project_bn")
    }
  }
}

extension BlockNames.Style {
  init(_ graph: Graph) {
    self =
      graph.has("names", "timm", "torchvision")
      ? .timm : graph.has("names", "transformers", "torchvision") ? .transformers : .torchvision
  }

  var stem: (conv: String, norm: String) {
    switch self {
    case .torchvision: ("features.0.0", "features.0.1")
    case .timm: ("conv_stem", "bn1")
    case .transformers: ("embeddings.convolution", "embeddings.batchnorm")
    }
  }

  /// The convolution after all `stages`.
  func top(_ stages: Int) -> (conv: String, norm: String) {
    switch self {
    case .torchvision: ("features.\(stages + 1).0", "features.\(stages + 1).1")
    case .timm: ("conv_head", "bn2")
    case .transformers: ("encoder.top_conv", "encoder.top_bn")
    }
  }

  /// The scope of a block: number `index` in its stage, and `total` in all stages.
  func block(_ stage: Int, _ index: Int, _ total: Int) -> String {
    switch self {
    case .torchvision: "features.\(stage + 1).\(index).block"
    case .timm: "blocks.\(stage).\(index)"
    case .transformers: "encoder.blocks.\(total)"
    }
  }
}
