import CClip

/// ModernBERT (Warner et al., 2024, https://arxiv.org/abs/2412.13663).
enum ModernBertConfig {
  static func read(_ config: ConfigReader) throws(ClipError) -> TextEncoderConfig {
    let width = try config.int("hidden_size", 768, ConfigReader.widths)
    let heads = try config.int("num_attention_heads", 12, ConfigReader.widths)
    try config.divides(heads, "num_attention_heads", width, "hidden_size")
    let vocabulary = try config.int("vocab_size", 50368, ConfigReader.widths)
    let layers = try config.int("num_hidden_layers", 22, ConfigReader.layers)
    let period = try config.int("global_attn_every_n_layers", 3, ConfigReader.layers)
    let local = try LayerTypes.local(config, layers) { $0 % period != 0 }
    let parts = try config.object("rope_parameters")
    let global = try RotaryConfig(
      parts ?? config, parts == nil ? "" : "full_attention", theta: 160000, older: "global_rope_theta")
    let near = try RotaryConfig(
      parts ?? config, parts == nil ? "" : "sliding_attention", theta: 10000, older: "local_rope_theta")
    let window = try config.int("local_attention", 128, 2...65536) / 2
    let members: [(key: Name, value: JSON)] = [
      ("vocab_size", .int(vocabulary)), ("width", .int(width)), ("heads", .int(heads)), ("layers", .int(layers)),
      ("mlp_width", .int(try config.int("intermediate_size", 1152, ConfigReader.widths))),
      ("activation", .string(try HuggingFaceConfig.activation(config, "gelu", key: "hidden_activation"))),
      ("norm", .string("layer")), ("norm_bias", .int(try config.bool("norm_bias", false) ? 1 : 0)),
      ("epsilon", .double(try config.number("norm_eps", 1e-5, 1e-12...1))), ("embedding_norm", .int(1)),
      ("first_norm", .int(0)), ("attention_bias", .int(try config.bool("attention_bias", false) ? 1 : 0)),
      ("mlp_bias", .int(try config.bool("mlp_bias", false) ? 1 : 0)), ("theta", .double(global.theta)),
      ("rotary_factor", .double(global.factor)), ("local_theta", .double(near.theta)),
      ("local_factor", .double(near.factor)), ("local", .array(local)), ("window", .int(window)),
      ("pad_token", .int(try config.int("pad_token_id", 50283, 0...(vocabulary - 1)))),
    ]
    let layer: Name = "layers.{}."
    var rules = [
      ParameterRule(suffix: "embed_tokens.{}", "embeddings.tok_embeddings.{}"),
      ParameterRule(suffix: "embedding_norm.{}", "embeddings.norm.{}"),
      ParameterRule(suffix: "norm.{}", "final_norm.{}"),
      ParameterRule(suffix: layer + "input_layernorm.{}", layer + "attn_norm.{}"),
      ParameterRule(suffix: layer + "pre_feedforward_layernorm.{}", layer + "mlp_norm.{}"),
      ParameterRule(suffix: layer + "self_attn.o_proj.{}", layer + "attn.Wo.{}"),
      ParameterRule(suffix: layer + "mlp.gate_proj.{}", layer + "mlp.Wi.{}", .part(0, of: 2)),
      ParameterRule(suffix: layer + "mlp.up_proj.{}", layer + "mlp.Wi.{}", .part(1, of: 2)),
      ParameterRule(suffix: layer + "mlp.down_proj.{}", layer + "mlp.Wo.{}"),
    ]
    for (part, name) in (["q", "k", "v"] as [Name]).enumerated() {
      rules.append(
        ParameterRule(suffix: layer + "self_attn." + name + "_proj.{}", layer + "attn.Wqkv.{}", .part(part, of: 3)))
    }
    return TextEncoderConfig(
      encoder: "clipcore.encoder.text-transformer", members: members, width: width,
      positions: try config.int("max_position_embeddings", 8192, 1...65536), rules: rules, scopes: ["model"])
  }
}
