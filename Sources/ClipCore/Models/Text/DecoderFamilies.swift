import CClip

/// Embedding models made of decoders, in the terms of the encoder text-transformer.

/// Gemma 3's text model (Gemma Team, 2025, https://arxiv.org/abs/2503.19786), as EmbeddingGemma has it.
enum GemmaConfig {
  static func read(_ config: ConfigReader) throws(ClipError) -> TextEncoderConfig {
    guard !config.has("attn_logit_softcapping") else {
      throw config.error(CLIP_UNSUPPORTED, "attn_logit_softcapping", "null")
    }
    let layers = try config.int("num_hidden_layers", 26, ConfigReader.layers)
    let width = try config.int("hidden_size", 2304, ConfigReader.widths)
    let seesAll = try config.bool("use_bidirectional_attention", false)
    let period = try config.int(
      "sliding_window_pattern", try config.int("_sliding_window_pattern", 6, 1...1024), 1...1024)
    let parts = try config.object("rope_parameters")
    let global = try RotaryConfig(parts ?? config, parts == nil ? "" : "full_attention", theta: 1_000_000)
    // Older files scale the positions of the full layers alone.
    var near = (theta: try config.number("rope_local_base_freq", 10000, 1...1e12), factor: 1.0)
    if let parts {
      let rope = try RotaryConfig(parts, "sliding_attention", theta: 10000)
      near = (rope.theta, rope.factor)
    }
    let window = try config.int("sliding_window", 4096, 2...(1 << 20))
    var decoder = try DecoderConfig(config, width: width, heads: 8, keyHeads: 4, headWidth: 256, vocabulary: 262208)
    decoder.members += [
      ("layers", .int(layers)), ("mlp_width", .int(try config.int("intermediate_size", 9216, ConfigReader.widths))),
      ("activation", .string(try HuggingFaceConfig.activation(config, "gelu_pytorch_tanh", key: "hidden_activation"))),
      ("qk_norm", .int(1)), ("post_norms", .int(1)), ("norm_offset", .int(1)), ("causal", .int(seesAll ? 0 : 1)),
      ("scale", .double(1 / (try config.number("query_pre_attn_scalar", 256, 1e-6...1e9)).squareRoot())),
      ("embedding_scale", .double(Double(width).squareRoot())), ("theta", .double(global.theta)),
      ("rotary_factor", .double(global.factor)), ("local_theta", .double(near.theta)),
      ("local_factor", .double(near.factor)),
      ("local", .array(try LayerTypes.local(config, layers) { ($0 + 1) % period != 0 })),
      ("window", .int(seesAll ? max(1, window / 2) : window - 1)),
      ("pad_token", .int(try config.int("pad_token_id", 0, 0...(decoder.vocabulary - 1)))),
    ]
    return TextEncoderConfig(
      encoder: "clipcore.encoder.text-transformer", members: decoder.members, width: width,
      positions: min(65536, try config.int("max_position_embeddings", 131072, 1...(1 << 24))), rules: [],
      scopes: ["model"], isCausal: !seesAll)
  }
}

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
    decoder.members += [
      ("layers", .int(layers)), ("mlp_width", .int(try config.int("intermediate_size", 22016, ConfigReader.widths))),
      ("activation", .string(try HuggingFaceConfig.activation(config, "silu"))),
      ("qk_norm", .int(type == "qwen3" ? 1 : 0)), ("causal", .int(1)), ("theta", .double(rope.theta)),
      ("rotary_factor", .double(rope.factor)), ("local_theta", .double(rope.theta)),
      ("local_factor", .double(rope.factor)), ("attention_bias", .int(hasBias ? 1 : 0)),
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

/// What both read alike.
struct DecoderConfig {
  let vocabulary: Int
  var members: [(key: Name, value: JSON)]

  init(
    _ config: ConfigReader, width: Int, heads: Int, keyHeads: Int, headWidth: Int, vocabulary: Int
  ) throws(ClipError) {
    self.vocabulary = try config.int("vocab_size", vocabulary, ConfigReader.widths)
    let heads = try config.int("num_attention_heads", heads, ConfigReader.widths)
    let keyHeads = try config.int("num_key_value_heads", keyHeads, ConfigReader.widths)
    try config.divides(keyHeads, "num_key_value_heads", heads, "num_attention_heads")
    let headWidth = try config.int("head_dim", headWidth, ConfigReader.widths)
    guard headWidth % 2 == 0 else { throw config.error(CLIP_UNSUPPORTED, "head_dim", "an even number") }
    members = [
      ("vocab_size", .int(self.vocabulary)), ("width", .int(width)), ("heads", .int(heads)),
      ("kv_heads", .int(keyHeads)), ("head_width", .int(headWidth)),
      ("epsilon", .double(try config.number("rms_norm_eps", 1e-6, 1e-12...1))),
    ]
  }
}
