import CClip

/// Qwen3 (Yang et al., 2025, https://arxiv.org/abs/2505.09388) and its like.
enum QwenConfig {
  static func read(_ config: ConfigReader, _ type: Name) throws(ClipError) -> TextEncoderConfig {
    let layers = try config.int("num_hidden_layers", 32, ConfigReader.layers)
    let width = try config.int("hidden_size", 4096, ConfigReader.widths)
    let heads = try config.int("num_attention_heads", 32, ConfigReader.widths)
    let rope = try RotaryConfig(config, "rope_parameters", theta: 10000)
    var decoder = try DecoderConfig(
      config, width: width, heads: heads, keyHeads: heads, headWidth: type == "qwen3" ? 128 : max(1, width / heads),
      vocabulary: type == "llama" || type == "mistral" ? 32000 : 151936)
    let slides = type == "mistral" ? config.has("sliding_window") : try config.bool("use_sliding_window", false)
    let firstLocal = type == "mistral" ? 0 : try config.int("max_window_layers", 28, 0...1024)
    let hasBias = try config.bool("attention_bias", type == "qwen2")
    decoder.members += try config.members(
      """
      mlp_width  width      intermediate_size 22016
      activation activation hidden_act        "silu"
      causal     =          1
      """)
    decoder.members += rope.members(local: rope)
    decoder.members += [
      ("layers", .int(layers)), ("qk_norm", .int(type == "qwen3" ? 1 : 0)), ("attention_bias", .int(hasBias ? 1 : 0)),
      ("output_bias", .int(hasBias && type != "qwen2" ? 1 : 0)),
      ("local", .array(try LayerTypes.local(config, layers) { slides && $0 >= firstLocal })),
      ("window", .int(try config.int("sliding_window", 4096, 2...(1 << 20)) - 1)),
    ]
    // Qwen3's tokenizer ends a text with the token that pads it.
    let end = try QwenConfig.end(config, decoder.vocabulary)
    let padding = try config.int("pad_token_id", end, 0...(decoder.vocabulary - 1))
    decoder.members += [("ends_at_token", .int(padding == end ? 1 : 0)), ("pad_token", .int(padding))]
    return TextEncoderConfig(
      encoder: "clipcore.encoder.text-transformer", members: decoder.members, width: width,
      positions: min(65536, try config.int("max_position_embeddings", 32768, 1...(1 << 24))),
      rules: [
        ParameterRule(suffix: "layers.{}.pre_feedforward_layernorm.{}", "layers.{}.post_attention_layernorm.{}")
      ], scopes: ["model"], isCausal: true)
  }

  private static func end(_ config: ConfigReader, _ vocabulary: Int) throws(ClipError) -> Int {
    if let first = config.json["eos_token_id"]?.array?.first?.int, (0..<vocabulary).contains(first) { return first }
    return try config.int("eos_token_id", 0, 0...(vocabulary - 1))
  }
}
