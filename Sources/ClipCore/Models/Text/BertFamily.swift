import CClip

/// BERT-like post-norm encoders of transformers, as configurations of the encoder bert. Defaults are those of
/// transformers' classes, which files leave out.
struct BertFamily {
  let type: Name
  /// The scope of the tower in files of other classes.
  let scope: Name
  var width = 768
  var layers = 12
  var heads = 12
  var mlpWidth = 3072
  var vocabulary = 30522
  var positions = 512
  var epsilon = 1e-12
  var activation: Name = "gelu"
  var types = 2
  var padToken = 0
  /// Whether positions begin after the padding token's, as in fairseq.
  var skipsPadding = false
  var hasPooler = true
  var embeddingWidth: Int?
  var keys: Keys = .bert
  var rules: [ParameterRule] = []

  /// The names of the keys of sizes.
  enum Keys { case bert, distilBert }

  static var all: [BertFamily] {
    [
      BertFamily(type: "bert", scope: "bert"),
      BertFamily(type: "roberta", scope: "roberta", vocabulary: 50265, padToken: 1, skipsPadding: true),
      BertFamily(type: "xlm-roberta", scope: "roberta", padToken: 1, skipsPadding: true),
      BertFamily(type: "camembert", scope: "roberta", padToken: 1, skipsPadding: true),
      BertFamily(
        type: "mpnet", scope: "mpnet", vocabulary: 30527, types: 0, padToken: 1, skipsPadding: true, rules: mpnet),
      BertFamily(
        type: "distilbert", scope: "distilbert", layers: 6, types: 0, hasPooler: false, keys: .distilBert,
        rules: distilBert),
      BertFamily(
        type: "albert", scope: "albert", width: 4096, heads: 64, mlpWidth: 16384, vocabulary: 30000,
        activation: "gelu_new", embeddingWidth: 128, rules: albert),
      BertFamily(
        type: "electra", scope: "electra", width: 256, heads: 4, mlpWidth: 1024, hasPooler: false, embeddingWidth: 128),
      BertFamily(
        type: "deberta-v2", scope: "deberta", width: 1536, layers: 24, heads: 24, mlpWidth: 6144, vocabulary: 128100,
        epsilon: 1e-7, types: 0, hasPooler: false, rules: deberta),
      BertFamily(
        type: "nomic_bert", scope: "nomic_bert", vocabulary: 30528, positions: 2048, activation: "silu",
        hasPooler: false, rules: nomic),
    ]
  }

  func read(_ config: ConfigReader) throws(ClipError) -> TextEncoderConfig {
    guard try config.string("position_embedding_type", "absolute") == "absolute" else {
      throw config.error(CLIP_UNSUPPORTED, "position_embedding_type", "\"absolute\"")
    }
    try TextEncoderConfig.require(config, [("is_decoder", false), ("add_cross_attention", false)])
    let (dim, depth, headKey, hidden, act): (StaticString, StaticString, StaticString, StaticString, StaticString) =
      keys == .bert
      ? ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act")
      : ("dim", "n_layers", "n_heads", "hidden_dim", "activation")
    let width = try config.int(dim, width, ConfigReader.widths)
    let heads = try config.int(headKey, heads, ConfigReader.widths)
    try config.divides(heads, headKey, width, dim)
    let vocabulary = try config.int("vocab_size", vocabulary, ConfigReader.widths)
    let padToken = try config.int("pad_token_id", padToken, 0...(vocabulary - 1))
    // MPNet counts from the usual padding's token, whatever its own is.
    let first = type == "mpnet" ? 2 : skipsPadding ? padToken + 1 : 0
    let positions = try config.int("max_position_embeddings", positions, (first + 1)...ConfigReader.sides.upperBound)
    let types = try config.int("type_vocab_size", types, 0...ConfigReader.widths.upperBound)
    let layers = try config.int(depth, layers, ConfigReader.layers)
    let members: [(key: Name, value: JSON)] = [
      ("vocab_size", .int(vocabulary)), ("positions", .int(positions)), ("first_position", .int(first)),
      ("width", .int(width)), ("heads", .int(heads)), ("layers", .int(layers)),
      ("mlp_width", .int(try config.int(hidden, mlpWidth, ConfigReader.widths))),
      ("has_types", .int(types > 0 ? 1 : 0)), ("type_vocab_size", .int(max(1, types))), ("pad_token", .int(padToken)),
      ("activation", .string(try HuggingFaceConfig.activation(config, activation, key: act))),
      ("epsilon", .double(keys == .distilBert ? epsilon : try HuggingFaceConfig.epsilon(config, epsilon))),
      ("embedding_width", .int(try config.int("embedding_size", embeddingWidth ?? width, ConfigReader.widths))),
    ]
    let options = try options(config, width: width, heads: heads, layers: layers, positions: positions)
    return TextEncoderConfig(
      encoder: "clipcore.encoder.bert", members: members + options, width: width, positions: positions - first,
      rules: rules, scopes: [scope], unused: ["embeddings.position_ids", "embeddings.token_type_ids"],
      hasPooler: hasPooler)
  }

  /// The options of a family.
  private func options(
    _ config: ConfigReader, width: Int, heads: Int, layers: Int, positions: Int
  ) throws(ClipError) -> [(key: Name, value: JSON)] {
    switch type {
    case "mpnet":
      let buckets = try config.int("relative_attention_num_buckets", 32, 4...65536)
      guard buckets == 32 else { throw config.error(CLIP_UNSUPPORTED, "relative_attention_num_buckets", "32") }
      return [("position_type", .string("buckets")), ("buckets", .int(buckets))]
    case "albert":
      guard try config.int("inner_group_num", 1, ConfigReader.layers) == 1 else {
        throw config.error(CLIP_UNSUPPORTED, "inner_group_num", "1")
      }
      let groups = try config.int("num_hidden_groups", 1, 1...layers)
      try config.divides(groups, "num_hidden_groups", layers, "num_hidden_layers")
      return [("layer_groups", .int(groups))]
    case "nomic_bert":
      let rope = try RotaryConfig(config, "rope_parameters", theta: 1000)
      return [
        ("has_positions", .int(0)), ("position_type", .string("rotary")), ("rotary_theta", .double(rope.theta)),
        ("bias", .int(0)), ("gated_mlp", .int(1)),
      ]
    case "deberta-v2": return try BertFamily.disentangled(config, width / heads, positions)
    default: return []
    }
  }
}
