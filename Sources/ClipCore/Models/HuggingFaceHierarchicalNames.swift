extension HuggingFaceHierarchical {
  /// Maps the encoders' parameters to transformers' tensors, both under a scope. A parameter with several rows differs
  /// between versions of transformers.
  static var convNeXt: [ParameterRule] {
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

  static var dinoConvNeXt: [ParameterRule] {
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

  static var swin: [ParameterRule] {
    var rules = ParameterRule.rules(
      """
      layers.{}.blocks.{}. encoder.layers.{}.blocks.{}.
      patch_embed.proj.{}  embeddings.patch_embeddings.projection.{}
      patch_embed.norm.{}  embeddings.norm.{}
      absolute_pos_embed   embeddings.position_embeddings
      norm.{}              layernorm.{}
      """)
    // Patch merging ends a stage in our encoder, and begins the next one in transformers.
    for stage in 1..<8 {
      rules.append(
        ParameterRule(Name("layers.\(stage).downsample.{}.{}"), Name("encoder.layers.\(stage - 1).downsample.{}.{}")))
    }
    return rules
      + ParameterRule.rules(
        """
        norm1.{}                          layernorm_before.{}
        norm2.{}                          layernorm_after.{}
        attn.q_proj.{}                    attention.self.query.{}
        attn.q_proj.{}                    attention.q_proj.{}
        attn.k_proj.{}                    attention.self.key.{}
        attn.k_proj.{}                    attention.k_proj.{}
        attn.v_proj.{}                    attention.self.value.{}
        attn.v_proj.{}                    attention.v_proj.{}
        attn.proj.{}                      attention.output.dense.{}
        attn.proj.{}                      attention.o_proj.{}
        attn.relative_position_bias_table attention.self.relative_position_bias_table
        attn.relative_position_bias_table attention.relative_position_bias.relative_position_bias_table
        attn.logit_scale                  attention.self.logit_scale
        attn.cpb_mlp.{}.{}                attention.self.continuous_position_bias_mlp.{}.{}
        mlp.fc1.{}                        intermediate.dense.{}
        mlp.fc1.{}                        mlp.fc1.{}
        mlp.fc2.{}                        output.dense.{}
        mlp.fc2.{}                        mlp.fc2.{}
        """, under: "layers.{}.blocks.{}.", "encoder.layers.{}.blocks.{}.")
  }

  static var resNet: [ParameterRule] {
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
