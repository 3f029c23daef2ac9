import CClip

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
    // In older files only the positions of full layers are scaled.
    let near = try RotaryConfig(
      parts ?? config, parts == nil ? "" : "sliding_attention", theta: 10000, older: "rope_local_base_freq",
      isScaled: parts != nil)
    let window = try config.int("sliding_window", 4096, 2...(1 << 20))
    var decoder = try DecoderConfig(config, width: width, heads: 8, keyHeads: 4, headWidth: 256, vocabulary: 262208)
    decoder.members += try config.members(
      """
      mlp_width   width      intermediate_size 9216
      activation  activation hidden_activation "gelu_pytorch_tanh"
      qk_norm     =          1
      post_norms  =          1
      norm_offset =          1
      """)
    decoder.members += global.members(local: near)
    decoder.members += [
      ("layers", .int(layers)), ("causal", .int(seesAll ? 0 : 1)),
      ("scale", .double(1 / (try config.number("query_pre_attn_scalar", 256, 1e-6...1e9)).squareRoot())),
      ("embedding_scale", .double(Double(width).squareRoot())),
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
