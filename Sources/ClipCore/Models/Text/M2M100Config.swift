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
    let members: [(key: Name, value: JSON)] = [
      ("vocab_size", .int(vocabulary)), ("width", .int(width)), ("heads", .int(heads)),
      ("layers", .int(try config.int("encoder_layers", 12, ConfigReader.layers))),
      ("mlp_width", .int(try config.int("encoder_ffn_dim", 4096, ConfigReader.widths))),
      ("activation", .string(try HuggingFaceConfig.activation(config, "relu", key: "activation_function"))),
      ("gated_mlp", .int(0)), ("norm", .string("layer")), ("epsilon", .double(1e-5)), ("attention_bias", .int(1)),
      ("mlp_bias", .int(1)), ("positions", .string("sinusoids")), ("first_position", .int(padToken + 1)),
      ("embedding_scale", .double(try config.bool("scale_embedding", true) ? Double(width).squareRoot() : 1)),
      ("pad_token", .int(padToken)),
    ]
    let layer: Name = "layers.{}."
    return TextEncoderConfig(
      encoder: "clipcore.encoder.text-transformer", members: members, width: width,
      positions: try config.int("max_position_embeddings", 1024, 1...ConfigReader.sides.upperBound),
      rules: [
        ParameterRule(suffix: layer + "self_attn.o_proj.{}", layer + "self_attn.out_proj.{}"),
        ParameterRule(suffix: layer + "input_layernorm.{}", layer + "self_attn_layer_norm.{}"),
        ParameterRule(suffix: layer + "pre_feedforward_layernorm.{}", layer + "final_layer_norm.{}"),
        ParameterRule(suffix: layer + "mlp.up_proj.{}", layer + "fc1.{}"),
        ParameterRule(suffix: layer + "mlp.down_proj.{}", layer + "fc2.{}"),
        ParameterRule(suffix: "norm.{}", "layer_norm.{}"),
        ParameterRule("encoder.embed_tokens.weight", "shared.weight"),
        ParameterRule("model.encoder.embed_tokens.weight", "model.shared.weight"),
      ], scopes: ["model.encoder", "encoder"])
  }
}
