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
    let forms: [(Name, Name, Bool)] = [
      ("relu", "relu", false), ("gelu", "gelu", false), ("silu", "silu", false), ("gated-gelu", "gelu_tanh", true),
      ("gated-silu", "silu", true), ("gated-relu", "relu", true),
    ]
    guard let found = forms.first(where: { $0.0 == form }) else {
      throw config.error(CLIP_UNSUPPORTED, "feed_forward_proj", "relu, gelu or silu, or gated- and one of these")
    }
    let vocabulary = try config.int("vocab_size", isT5 ? 32128 : 250112, ConfigReader.widths)
    let heads = try config.int("num_heads", isT5 ? 8 : 6, ConfigReader.widths)
    let members: [(key: Name, value: JSON)] = [
      ("vocab_size", .int(vocabulary)), ("width", .int(width)),
      ("layers", .int(try config.int("num_layers", isT5 ? 6 : 8, ConfigReader.layers))), ("heads", .int(heads)),
      ("head_width", .int(try config.int("d_kv", 64, ConfigReader.widths))),
      ("mlp_width", .int(try config.int("d_ff", isT5 ? 2048 : 1024, ConfigReader.widths))),
      ("activation", .string(found.1)), ("gated_mlp", .int(found.2 ? 1 : 0)),
      ("epsilon", .double(try config.number("layer_norm_epsilon", 1e-6, 1e-12...1))), ("scale", .int(1)),
      ("positions", .string("buckets")), ("buckets", .int(buckets)), ("bucket_distance", .int(distance)),
      ("pad_token", .int(try config.int("pad_token_id", 0, 0...(vocabulary - 1)))),
    ]
    let (layer, block): (Name, Name) = ("layers.{}.", "block.{}.layer.")
    var rules: [ParameterRule] = []
    for name: Name in ["q", "k", "v", "o"] {
      rules.append(
        ParameterRule(suffix: layer + "self_attn." + name + "_proj.{}", block + "0.SelfAttention." + name + ".{}"))
    }
    rules += [
      ParameterRule(suffix: layer + "input_layernorm.{}", block + "0.layer_norm.{}"),
      ParameterRule(suffix: layer + "pre_feedforward_layernorm.{}", block + "1.layer_norm.{}"),
      ParameterRule(
        suffix: layer + "mlp.up_proj.{}", block + (found.2 ? "1.DenseReluDense.wi_1.{}" : "1.DenseReluDense.wi.{}")),
      ParameterRule(suffix: layer + "mlp.gate_proj.{}", block + "1.DenseReluDense.wi_0.{}"),
      ParameterRule(suffix: layer + "mlp.down_proj.{}", block + "1.DenseReluDense.wo.{}"),
      ParameterRule(
        suffix: "relative_attention_bias.weight", "block.0.layer.0.SelfAttention.relative_attention_bias.weight"),
      ParameterRule("encoder.embed_tokens.weight", "shared.weight"),
      ParameterRule(suffix: "norm.weight", "final_layer_norm.weight"),
    ]
    return TextEncoderConfig(
      encoder: "clipcore.encoder.text-transformer", members: members, width: width, positions: 512, rules: rules,
      scopes: ["encoder"])
  }
}
