import CClip

/// The keys that embedding models made from decoders share.
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
