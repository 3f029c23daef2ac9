import CClip

/// The encoders of T5 (Raffel et al., 2020) and mT5.
enum T5Config {
  static func read(_ config: ConfigReader, isShared: Bool) throws(ClipError) -> TextEncoderConfig {
    guard isShared else { throw config.error(CLIP_UNSUPPORTED, "model_type", "\"t5\" or \"mt5\"") }
    let width = try config.int("d_model", 512, ConfigReader.widths)
    let buckets = try config.int("relative_attention_num_buckets", 32, 4...65536)
    let distance = try config.int("relative_attention_max_distance", 128, 1...65536)
    guard buckets % 2 == 0, distance > buckets / 4 else {
      throw config.error(
        CLIP_FORMAT, "relative_attention_num_buckets", "an even number below 4 relative_attention_max_distance")
    }
    let isT5 = try config.string("model_type", "") == "t5"
    let form = try config.string("feed_forward_proj", isT5 ? "relu" : "gated-gelu")
    let isGated = form.hasPrefix("gated-")
    guard let activation = activation(form) else {
      throw config.error(CLIP_UNSUPPORTED, "feed_forward_proj", "relu, gelu or silu, or gated- and one of these")
    }
    let vocabulary = try config.int("vocab_size", isT5 ? 32128 : 250112, ConfigReader.widths)
    // The defaults of MT5Config differ from those of T5Config.
    let sizes =
      isT5
      ? try config.members(
        """
        heads     width  num_heads  8
        layers    layers num_layers 6
        mlp_width width  d_ff       2048
        """)
      : try config.members(
        """
        heads     width  num_heads  6
        layers    layers num_layers 8
        mlp_width width  d_ff       1024
        """)
    let members = try config.members(
      """
      head_width width   d_kv               64
      epsilon    epsilon layer_norm_epsilon 1e-6
      scale      =       1
      positions  =       "buckets"
      """)
    return TextEncoderConfig(
      encoder: "clipcore.encoder.text-transformer",
      members: sizes + members + [
        ("vocab_size", .int(vocabulary)), ("width", .int(width)), ("activation", .string(activation)),
        ("gated_mlp", .int(isGated ? 1 : 0)), ("buckets", .int(buckets)), ("bucket_distance", .int(distance)),
        ("pad_token", .int(try config.int("pad_token_id", 0, 0...(vocabulary - 1)))),
      ], width: width, positions: 512, rules: rules, scopes: ["encoder"])
  }

  /// transformers computes gated-gelu by tanh, gelu exactly.
  private static func activation(_ form: Name) -> Name? {
    switch form {
    case "relu", "gated-relu": "relu"
    case "silu", "gated-silu": "silu"
    case "gelu": "gelu"
    case "gated-gelu": "gelu_tanh"
    default: nil
    }
  }

  private static var rules: [ParameterRule] {
    ParameterRule.rules(
      """
      self_attn.q_proj.{}          0.SelfAttention.q.{}
      self_attn.k_proj.{}          0.SelfAttention.k.{}
      self_attn.v_proj.{}          0.SelfAttention.v.{}
      self_attn.o_proj.{}          0.SelfAttention.o.{}
      input_layernorm.{}           0.layer_norm.{}
      pre_feedforward_layernorm.{} 1.layer_norm.{}
      mlp.up_proj.{}               1.DenseReluDense.wi_1.{}
      mlp.up_proj.{}               1.DenseReluDense.wi.{}
      mlp.gate_proj.{}             1.DenseReluDense.wi_0.{}
      mlp.down_proj.{}             1.DenseReluDense.wo.{}
      """, under: "layers.{}.", "block.{}.layer.", isSuffix: true)
      + ParameterRule.rules(
        """
        relative_attention_bias.weight block.0.layer.0.SelfAttention.relative_attention_bias.weight
        norm.weight                    final_layer_norm.weight
        """, isSuffix: true) + [ParameterRule("encoder.embed_tokens.weight", "shared.weight")]
  }
}
