import CClip

extension HuggingFaceHierarchical {
  /// Swin and Swin V2.
  static func swin(_ config: ConfigReader, _ type: Name) throws(ClipError) -> Family {
    let depths = try counts(config, "depths", [2, 2, 6, 2], 1...8)
    let width = try config.int("embed_dim", 96, ConfigReader.widths)
    let ratio = Int((try config.number("mlp_ratio", 4, 1...64)).rounded(.down))
    guard try config.number("mlp_ratio", 4, 1...64) == Double(ratio) else {
      throw config.error(CLIP_UNSUPPORTED, "mlp_ratio", "an integer")
    }
    guard try HuggingFaceConfig.epsilon(config, 1e-5) == 1e-5 else {
      throw config.error(CLIP_UNSUPPORTED, "layer_norm_eps", "1e-05")
    }
    var members: Members = [
      ("v2", .int(type == "swinv2" ? 1 : 0)), ("width", .int(width)), ("depths", array(depths)),
      ("heads", array(try counts(config, "num_heads", [3, 6, 12, 24], depths.count...depths.count))),
      ("window", .int(try config.int("window_size", 7, 1...4096))),
      ("patch_size", .int(try config.int("patch_size", 4, ConfigReader.sides))),
      ("mlp_ratio", .int(ratio)),
      ("qkv_bias", .int(try config.bool("qkv_bias", true) ? 1 : 0)), ("shifts_first", .int(0)),
      ("positions", .int(try config.bool("use_absolute_embeddings", false) ? 1 : 0)),
      ("activation", .string(try HuggingFaceConfig.activation(config, "gelu"))),
    ]
    if type == "swinv2", let trained = config.json["pretrained_window_sizes"] {
      members.append(("trained_windows", trained))
    }
    return Family(
      encoder: "swin", processor: "ViT", width: width << (depths.count - 1), names: swinNames, members: members)
  }

  /// A parameter with several rows differs between versions of transformers.
  private static var swinNames: [ParameterRule] {
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
}
