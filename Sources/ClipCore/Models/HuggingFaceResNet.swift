import CClip

extension HuggingFaceHierarchical {
  static func resNet(_ config: ConfigReader) throws(ClipError) -> Family {
    let widths = try counts(config, "hidden_sizes", [256, 512, 1024, 2048])
    guard try config.string("hidden_act", "relu") == "relu" else {
      throw config.error(CLIP_UNSUPPORTED, "hidden_act", "\"relu\"")
    }
    return Family(
      encoder: "resnet50", processor: "ConvNext", width: widths[3], names: resNetNames,
      members: [
        ("layers", array(try counts(config, "depths", [3, 4, 6, 3]))), ("widths", array(widths)),
        ("block", .string(try config.string("layer_type", "bottleneck"))),
        ("stem_width", .int(try config.int("embedding_size", 64, ConfigReader.widths))),
        ("first_stride", .int(try config.bool("downsample_in_first_stage", false) ? 2 : 1)),
        ("early_stride", .int(try config.bool("downsample_in_bottleneck", false) ? 1 : 0)),
      ])
  }

  private static var resNetNames: [ParameterRule] {
    var rules = ParameterRule.rules(
      """
      conv1.{}          embedder.embedder.convolution.{}
      bn1.{}            embedder.embedder.normalization.{}
      """)
    for stage in 1...4 {
      rules += ParameterRule.rules(
        """
        conv1.{}        layer.0.convolution.{}
        bn1.{}          layer.0.normalization.{}
        conv2.{}        layer.1.convolution.{}
        bn2.{}          layer.1.normalization.{}
        conv3.{}        layer.2.convolution.{}
        bn3.{}          layer.2.normalization.{}
        downsample.0.{} shortcut.convolution.{}
        downsample.1.{} shortcut.normalization.{}
        """, under: Name("layer\(stage).{}."), Name("encoder.stages.\(stage - 1).layers.{}."))
    }
    return rules
  }
}
