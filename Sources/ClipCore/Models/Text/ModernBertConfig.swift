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
    let parts = try config.object("rope_parameters")
    let global = try RotaryConfig(
      parts ?? config, parts == nil ? "" : "full_attention", theta: 160000, older: "global_rope_theta")
    let near = try RotaryConfig(
      parts ?? config, parts == nil ? "" : "sliding_attention", theta: 10000, older: "local_rope_theta")
    let members = try config.members(
      """
      mlp_width      width      intermediate_size 1152
      activation     activation hidden_activation "gelu"
      norm_bias      flag       norm_bias         false
      epsilon        epsilon    norm_eps          1e-5
      attention_bias flag       attention_bias    false
      mlp_bias       flag       mlp_bias          false
      norm           =          "layer"
      embedding_norm =          1
      first_norm     =          0
      """)
    return TextEncoderConfig(
      encoder: "clipcore.encoder.text-transformer",
      members: members + global.members(local: near) + [
        ("vocab_size", .int(vocabulary)), ("width", .int(width)), ("heads", .int(heads)), ("layers", .int(layers)),
        ("local", .array(try LayerTypes.local(config, layers) { $0 % period != 0 })),
        ("window", .int(try config.int("local_attention", 128, 2...65536) / 2)),
        ("pad_token", .int(try config.int("pad_token_id", 50283, 0...(vocabulary - 1)))),
      ], width: width, positions: try config.int("max_position_embeddings", 8192, 1...65536), rules: rules,
      scopes: ["model"])
  }

  private static var rules: [ParameterRule] {
    ParameterRule.rules(
      """
      embed_tokens.{}   embeddings.tok_embeddings.{}
      embedding_norm.{} embeddings.norm.{}
      norm.{}           final_norm.{}
      """, isSuffix: true)
      + ParameterRule.rules(
        """
        input_layernorm.{}           attn_norm.{}
        pre_feedforward_layernorm.{} mlp_norm.{}
        self_attn.q_proj.{}          attn.Wqkv.{} 0/3
        self_attn.k_proj.{}          attn.Wqkv.{} 1/3
        self_attn.v_proj.{}          attn.Wqkv.{} 2/3
        self_attn.o_proj.{}          attn.Wo.{}
        mlp.gate_proj.{}             mlp.Wi.{} 0/2
        mlp.up_proj.{}               mlp.Wi.{} 1/2
        mlp.down_proj.{}             mlp.Wo.{}
        """, under: "layers.{}.", "layers.{}.", isSuffix: true)
  }
}
