import CClip

/// Readers of pre-norm text encoders, in the terms of the encoder text-transformer. Defaults are those of
/// transformers' classes, which files leave out.

/// Rotary positions: transformers 5 has an object "rope_parameters", before it "rope_theta" and "rope_scaling".
struct RotaryConfig {
  let theta: Double
  /// Positions are divided by it.
  let factor: Double

  /// Of `key`, or of the older keys where that is absent.
  init(_ config: ConfigReader, _ key: Name, theta fallback: Double, older: Name = "rope_theta") throws(ClipError) {
    let found = try config.object(key)
    var scaling = found
    if scaling == nil { scaling = try config.object("rope_scaling") }
    theta = try (found ?? config).number(found == nil ? older : "rope_theta", fallback, 1...1e12)
    guard let scaling else {
      factor = 1
      return
    }
    let type = try scaling.string("rope_type", try scaling.string("type", "default"))
    switch type {
    case "default": factor = 1
    case "linear": factor = try scaling.number("factor", 1, 1e-6...1e6)
    default: throw scaling.error(CLIP_UNSUPPORTED, "rope_type", "\"default\" or \"linear\"")
    }
  }
}

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

/// Which layers see a window alone.
enum LayerTypes {
  static func local(
    _ config: ConfigReader, _ layers: Int, _ fallback: (Int) -> Bool
  ) throws(ClipError) -> [JSON] {
    guard let types = config.json["layer_types"] else { return (0..<layers).map { .int(fallback($0) ? 1 : 0) } }
    var result: [JSON] = []
    for type in types.array ?? [] {
      switch type.string ?? "" {
      case "sliding_attention": result.append(.int(1))
      case "full_attention": result.append(.int(0))
      default: break
      }
    }
    guard result.count == layers else {
      throw config.error(
        CLIP_UNSUPPORTED, "layer_types", "\"full_attention\" or \"sliding_attention\" for each of \(layers) layers")
    }
    return result
  }
}
