extension Torchvision {
  /// The names of parameters, by the start of the architecture's name.
  static var families: [(start: Name, rules: [ParameterRule])] {
    [("convnext", stages(convNeXt)), ("swin", stages(swin)), ("vit", vit)]
  }

  /// Names of the four stages: "#" is a stage, "@" the place of its blocks and "~" of what is before them.
  private static func stages(_ rules: [ParameterRule]) -> [ParameterRule] {
    (0..<4).flatMap { stage in
      func placed(_ name: Name) -> Name {
        var bytes: [UInt8] = []
        for byte in name.utf8 {
          switch byte {
          case UInt8(ascii: "#"): bytes += Array("\(stage)".utf8)
          case UInt8(ascii: "@"): bytes += Array("\(2 * stage + 1)".utf8)
          case UInt8(ascii: "~"): bytes += Array("\(2 * stage)".utf8)
          default: bytes.append(byte)
          }
        }
        return Name(utf8: bytes)
      }
      return rules.map { ParameterRule(placed($0.parameter), placed($0.tensor), $0.arrangement) }
    }
  }

  private static var convNeXt: [ParameterRule] {
    ParameterRule.rules(
      """
      stages.#.blocks.{}.           features.@.{}.
      stem.{}.{}                    features.0.{}.{}
      stages.#.downsample.{}.{}     features.~.{}.{}
      stages.#.blocks.{}.conv_dw.{} features.@.{}.block.0.{}
      stages.#.blocks.{}.norm.{}    features.@.{}.block.2.{}
      stages.#.blocks.{}.mlp.fc1.{} features.@.{}.block.3.{}
      stages.#.blocks.{}.mlp.fc2.{} features.@.{}.block.5.{}
      stages.#.blocks.{}.gamma      features.@.{}.layer_scale
      head.norm.{}                  classifier.0.{}
      """)
  }

  private static var swin: [ParameterRule] {
    ParameterRule.rules(
      """
      layers.#.blocks.{}.attn.q_proj.{} features.@.{}.attn.qkv.{} 0/3
      layers.#.blocks.{}.attn.k_proj.{} features.@.{}.attn.qkv.{} 1/3
      layers.#.blocks.{}.attn.v_proj.{} features.@.{}.attn.qkv.{} 2/3
      layers.#.blocks.{}.               features.@.{}.
      patch_embed.proj.{}               features.0.0.{}
      patch_embed.norm.{}               features.0.2.{}
      layers.#.downsample.{}.{}         features.~.{}.{}
      layers.#.blocks.{}.mlp.fc1.{}     features.@.{}.mlp.0.{}
      layers.#.blocks.{}.mlp.fc2.{}     features.@.{}.mlp.3.{}
      layers.#.blocks.{}.{}.{}          features.@.{}.{}.{}
      layers.#.blocks.{}.{}.{}.{}       features.@.{}.{}.{}.{}
      layers.#.blocks.{}.{}.{}.{}.{}    features.@.{}.{}.{}.{}.{}
      """)
  }

  private static var vit: [ParameterRule] {
    ParameterRule.rules(
      """
      transformer.resblocks.{}. encoder.layers.encoder_layer_{}.
      conv1.{}                  conv_proj.{}
      class_embedding           class_token
      positional_embedding      encoder.pos_embedding
      ln_post.{}                encoder.ln.{}
      """)
      + ParameterRule.rules(
        """
        ln_1.{}          ln_1.{}
        ln_2.{}          ln_2.{}
        attn.out_proj.{} self_attention.out_proj.{}
        mlp.c_fc.{}      mlp.0.{}
        mlp.c_fc.{}      mlp.linear_1.{}
        mlp.c_proj.{}    mlp.3.{}
        mlp.c_proj.{}    mlp.linear_2.{}
        attn.q_proj.{}   self_attention.in_proj_{} 0/3
        attn.k_proj.{}   self_attention.in_proj_{} 1/3
        attn.v_proj.{}   self_attention.in_proj_{} 2/3
        """, under: "transformer.resblocks.{}.", "encoder.layers.encoder_layer_{}.")
  }
}
