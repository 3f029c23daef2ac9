import CClip

/// Hugging Face's config.json of a BERT model, as a text tower alone: a sentence encoder. What
/// sentence-transformers keeps beside it (modules.json, 1_Pooling/config.json,
/// sentence_bert_config.json) says how rows become one; without it, it is BERT's pooler.
enum BertConfig {
  static func read(
    _ config: ConfigReader, _ folder: String, _ weights: StoredTensors, text: Bool
  ) throws(ClipError) -> ModelConfig {
    guard try config.string("position_embedding_type", "absolute") == "absolute" else {
      throw config.error(CLIP_UNSUPPORTED, "position_embedding_type", "\"absolute\"")
    }
    for key: Name in ["is_decoder", "add_cross_attention"] {
      guard !(try config.bool(key, false)) else { throw config.error(CLIP_UNSUPPORTED, key, "false") }
    }
    let width = try config.int("hidden_size", 768, ConfigReader.widths)
    let heads = try config.int("num_attention_heads", 12, ConfigReader.widths)
    try config.divides(heads, "num_attention_heads", width, "hidden_size")
    let vocabulary = try config.int("vocab_size", 30522, ConfigReader.widths)
    let positions = try config.int("max_position_embeddings", 512, 1...ConfigReader.sides.upperBound)
    try checkModules(folder)
    let pooling = try pooling(folder, width)
    // A BERT under a head has them one scope down.
    let scope: Name = weights.tensors["bert.embeddings.word_embeddings.weight"] == nil ? "" : "bert"
    let start: Name = scope.isEmpty ? "" : scope + "."
    let encoder: JSON = .object([
      ("vocab_size", .int(vocabulary)), ("context_length", .int(try contextLength(folder, positions))),
      ("positions", .int(positions)), ("width", .int(width)), ("heads", .int(heads)),
      ("layers", .int(try config.int("num_hidden_layers", 12, ConfigReader.layers))),
      ("mlp_width", .int(try config.int("intermediate_size", 3072, ConfigReader.widths))),
      ("type_vocab_size", .int(try config.int("type_vocab_size", 2, ConfigReader.widths))),
      ("pad_token", .int(try config.int("pad_token_id", 0, 0...(vocabulary - 1)))),
      ("activation", .string(try HuggingFaceConfig.activation(config, "gelu"))),
      ("epsilon", .double(try HuggingFaceConfig.epsilon(config, 1e-12))), ("pooling", .string(pooling)),
    ])
    let tower = TowerDescription(encoder: "clipcore.encoder.bert", config: encoder, scope: scope)
    return ModelConfig(
      embeddingWidth: width, text: text ? ModelConfig.Text(tower: tower, tokenizer: .wordPiece) : nil,
      names: .direct(
        image: [], text: [start],
        ignored: (pooling == "pooler" ? [] : [start + "pooler."]) + (scope.isEmpty ? [] : ["cls."])))
  }

  /// What sentence-transformers does with the rows, if it is the kind that is built here.
  private static func checkModules(_ folder: String) throws(ClipError) {
    let path = join(folder, "modules.json")
    guard try FileKind(path) != .absent else { return }
    guard let modules = try JSON.load(path).array else {
      throw ClipError(CLIP_FORMAT, "\(path): expected an array of modules")
    }
    for (index, module) in modules.enumerated() {
      let type = module["type"]?.string ?? ""
      let known: [Name] = [".Transformer", ".Pooling", ".Normalize"]
      guard known.contains(where: { type.hasSuffix($0) }) else {
        throw ClipError(
          CLIP_UNSUPPORTED,
          "\(path): [\(index)].type: expected Transformer, Pooling or Normalize, found \(module["type"]?.kind ?? "nothing")"
        )
      }
    }
  }

  private static func pooling(_ folder: String, _ width: Int) throws(ClipError) -> Name {
    let path = join(folder, "1_Pooling/config.json")
    guard try FileKind(path) != .absent else { return "pooler" }
    let config = try ConfigReader(path: path)
    guard try config.int("word_embedding_dimension", width, ConfigReader.widths) == width else {
      throw config.error(CLIP_FORMAT, "word_embedding_dimension", "config.json's hidden_size, \(width)")
    }
    var found: [Name] = []
    for (key, _) in config.json.object ?? [] where key.hasPrefix("pooling_mode_") {
      if try config.bool(key, false) { found.append(key) }
    }
    switch found {
    case ["pooling_mode_mean_tokens"]: return "mean"
    case ["pooling_mode_cls_token"]: return "first"
    default:
      throw ClipError(
        CLIP_UNSUPPORTED,
        "\(path): expected pooling_mode_mean_tokens or pooling_mode_cls_token alone to be true, found "
          + (found.first?.string ?? "none"))
    }
  }

  /// sentence-transformers cuts texts shorter than the positions would allow.
  private static func contextLength(_ folder: String, _ positions: Int) throws(ClipError) -> Int {
    let path = join(folder, "sentence_bert_config.json")
    guard try FileKind(path) != .absent else { return positions }
    return min(
      positions, try ConfigReader(path: path).int("max_seq_length", positions, 1...ConfigReader.widths.upperBound))
  }
}
