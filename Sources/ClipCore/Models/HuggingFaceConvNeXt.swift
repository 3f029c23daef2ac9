import CClip

extension HuggingFaceHierarchical {
  /// ConvNeXt, ConvNeXt V2 and DINOv3's ConvNeXt.
  static func convNeXt(_ config: ConfigReader, _ type: Name) throws(ClipError) -> Family {
    let widths = try counts(config, "hidden_sizes", [96, 192, 384, 768])
    let isDINO = type == "dinov3_convnext"
    let epsilon = try HuggingFaceConfig.epsilon(config, isDINO ? 1e-6 : 1e-12)
    let scale = try config.number("layer_scale_init_value", 1e-6, -1e9...1e9)
    let hasScale = type != "convnextv2" && (isDINO || scale > 0)
    return Family(
      encoder: "convnext", processor: isDINO ? "DINOv3ViT" : "ConvNext", width: widths[3],
      names: isDINO ? dinoConvNeXtNames : convNeXtNames,
      members: [
        ("widths", array(widths)), ("depths", array(try counts(config, "depths", [3, 3, 9, 3]))),
        ("patch_size", .int(isDINO ? 4 : try config.int("patch_size", 4, ConfigReader.sides))),
        ("activation", .string(try HuggingFaceConfig.activation(config, "gelu"))), ("head_epsilon", .double(epsilon)),
        ("epsilon", .double(isDINO ? epsilon : 1e-6)), ("response_norm", .int(type == "convnextv2" ? 1 : 0)),
        ("layer_scale", .int(hasScale ? 1 : 0)),
      ])
  }

  /// A parameter with several rows differs between versions of transformers.
  private static var convNeXtNames: [ParameterRule] {
    ParameterRule.rules(
      """
      stages.{}.blocks.{}.       encoder.stages.{}.layers.{}.
      stem.0.{}                  embeddings.patch_embeddings.{}
      stem.1.{}                  embeddings.layernorm.{}
      stages.{}.downsample.{}.{} encoder.stages.{}.downsampling_layer.{}.{}
      head.norm.{}               layernorm.{}
      """)
      + ParameterRule.rules(
        """
        conv_dw.{} dwconv.{}
        norm.{}    layernorm.{}
        mlp.fc1.{} pwconv1.{}
        mlp.grn.{} grn.{}
        mlp.fc2.{} pwconv2.{}
        gamma      layer_scale_parameter
        """, under: "stages.{}.blocks.{}.", "encoder.stages.{}.layers.{}.")
  }

  private static var dinoConvNeXtNames: [ParameterRule] {
    var rules = [ParameterRule("head.norm.{}", "layer_norm.{}")]
    for start in ["model.", ""] as [Name] {
      rules += ParameterRule.rules(
        """
        stages.{}.blocks.{}.       stages.{}.layers.{}.
        stem.{}.{}                 stages.0.downsample_layers.{}.{}
        stages.{}.downsample.{}.{} stages.{}.downsample_layers.{}.{}
        """, under: "", start)
      rules += ParameterRule.rules(
        """
        conv_dw.{} depthwise_conv.{}
        norm.{}    layer_norm.{}
        mlp.fc1.{} pointwise_conv1.{}
        mlp.fc2.{} pointwise_conv2.{}
        gamma      gamma
        """, under: "stages.{}.blocks.{}.", start + "stages.{}.layers.{}.")
    }
    return rules
  }
}
