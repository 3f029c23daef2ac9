import CClip

/// The encoder of M2M100 (Fan et al., 2020) and NLLB.
enum M2M100Config {
  static func read(_ config: ConfigReader) throws(ClipError) -> TextEncoderConfig {
    let width = try config.int("d_model", 1024, ConfigReader.widths)
    let heads = try config.int("encoder_attention_heads", 16, ConfigReader.widths)
    try config.divides(heads, "encoder_attention_heads", width, "d_model")
    guard width % 2 == 0, width > 2 else { throw config.error(CLIP_UNSUPPORTED, "d_model", "an even number above 2") }
    let vocabulary = try config.int("vocab_size", 128112, ConfigReader.widths)
    let padToken = try config.int("pad_token_id", 1, 0...(vocabulary - 1))
    let scale = try config.bool("scale_embedding", true) ? Double(width).squareRoot() : 1
    let members = try config.members(
      """
      layers         layers     encoder_layers      12
      mlp_width      width      encoder_ffn_dim     4096
      activation     activation activation_function "relu"
      gated_mlp      =          0
      norm           =          "layer"
      epsilon        =          1e-5
      attention_bias =          1
      mlp_bias       =          1
      positions      =          "sinusoids"
      """)
    return TextEncoderConfig(
      encoder: "clipcore.encoder.text-transformer",
      members: members + [
        ("vocab_size", .int(vocabulary)), ("width", .int(width)), ("heads", .int(heads)),
        ("first_position", .int(padToken + 1)), ("embedding_scale", .double(scale)), ("pad_token", .int(padToken)),
      ], width: width,
      positions: try config.int("max_position_embeddings", 1024, 1...ConfigReader.sides.upperBound), rules: rules,
      scopes: ["model.encoder", "encoder"])
  }

  private static var rules: [ParameterRule] {
    ParameterRule.rules(
      """
      self_attn.o_proj.{}          self_attn.out_proj.{}
      input_layernorm.{}           self_attn_layer_norm.{}
      pre_feedforward_layernorm.{} final_layer_norm.{}
      mlp.up_proj.{}               fc1.{}
      mlp.down_proj.{}             fc2.{}
      """, under: "layers.{}.", "layers.{}.", isSuffix: true)
      + [ParameterRule(suffix: "norm.{}", "layer_norm.{}")]
      + ParameterRule.rules(
        """
        encoder.embed_tokens.weight       shared.weight
        model.encoder.embed_tokens.weight model.shared.weight
        """)
  }
}
