import CClip

/// A text encoder of Hugging Face's, as its config.json describes it: what a folder of it alone, a model of two towers
/// and open_clip's hf_model_name have in common.
struct TextEncoderConfig {
  /// The id of the encoder, and its configuration without length and pooling.
  var encoder: Name
  var members: [(key: Name, value: JSON)]
  var width: Int
  /// The most tokens of a text.
  var positions: Int
  /// Names of tensors that differ from the encoder's.
  var rules: [ParameterRule]
  /// Scopes of the tensors in files of other classes: "bert".
  var scopes: [Name] = []
  /// Tensors beside the tower's, under the scope and at the top.
  var unused: [Name] = []
  /// Whether a pooler may follow it.
  var hasPooler = false
  /// Whether each token sees only those before it, so that the last one stands for the text.
  var isCausal = false

  /// nil: a model_type of another reader.
  static func read(_ config: ConfigReader) throws(ClipError) -> TextEncoderConfig? {
    let type = try config.string("model_type", "")
    if let family = BertFamily.all.first(where: { $0.type == type }) { return try family.read(config) }
    switch type {
    case "t5", "mt5", "umt5": return try T5Config.read(config, isShared: type != "umt5")
    case "m2m_100": return try M2M100Config.read(config)
    case "modernbert": return try ModernBertConfig.read(config)
    case "gemma3_text": return try GemmaConfig.read(config)
    case "qwen3", "qwen2", "llama", "mistral": return try QwenConfig.read(config, type)
    default: return nil
    }
  }

  /// The tower with a length and a pooling.
  func tower(contextLength: Int, pooling: Name, scope: Name) -> TowerDescription {
    TowerDescription(
      encoder: encoder,
      config: .object(members + [("context_length", .int(contextLength)), ("pooling", .string(pooling))]),
      scope: scope)
  }

  /// Keys that count as absent with these values; any other value is refused by name.
  static func require(_ config: ConfigReader, _ wanted: [(key: StaticString, value: Bool)]) throws(ClipError) {
    for (key, value) in wanted {
      guard try config.bool(key, value) == value else {
        throw config.error(CLIP_UNSUPPORTED, key, value ? "true" : "false")
      }
    }
  }
}

/// A Hugging Face folder of a text encoder alone: a sentence encoder.
enum HuggingFaceText {
  /// nil: a model_type of another reader.
  static func read(
    _ config: ConfigReader, _ folder: String, root: String, _ weights: StoredTensors, text: Bool,
    pooling wanted: Name? = nil
  ) throws(ClipError) -> ModelConfig? {
    guard let encoder = try TextEncoderConfig.read(config) else { return nil }
    let modules = try SentenceTransformers(root, width: encoder.width)
    let scope = encoder.scopes.first { weights.tensors.contains(prefix: $0 + ".") } ?? ""
    let start: Name = scope.isEmpty ? "" : scope + "."
    let hasPooler = encoder.hasPooler && weights.tensors.contains(prefix: start + "pooler.")
    // The default is the pooler if there is one; otherwise that of sentence-transformers.
    let pooling = wanted ?? modules.pooling ?? (hasPooler ? "pooler" : encoder.isCausal ? "last" : "mean")
    let length = min(encoder.positions, try SentenceTransformers.length(folder) ?? encoder.positions)
    var tower = encoder.tower(contextLength: length, pooling: pooling, scope: scope)
    tower.head = modules.head
    var names = TensorNames.direct(
      image: [], text: [start] + modules.weightFolders.map { $0 + "." },
      ignored: encoder.unused.map { start + $0 } + (pooling == "pooler" ? [] : [start + "pooler."])
        + (scope.isEmpty ? [] : heads))
    names.rules = encoder.rules + names.rules
    var result = ModelConfig(embeddingWidth: modules.width, names: names, weightFolders: modules.weightFolders)
    if text {
      result.text = ModelConfig.Text(tower: tower, tokenizer: try tokenizer(folder), prompts: modules.prompts)
    }
    return result
  }

  /// Prefixes of the tensors of heads.
  private static var heads: [Name] {
    [
      "cls.", "lm_head.", "classifier.", "qa_outputs.", "vocab_", "pre_classifier.", "predictions.", "generator_",
      "discriminator_", "head.", "decoder.", "score.", "shared.", "model.decoder.", "model.shared.", "lm_predictions.",
      "mask_predictions.",
    ]
  }

  /// BERT's tokenizer if the folder has its vocabulary, else the one that the folder names.
  static func tokenizer(_ folder: String) throws(ClipError) -> TokenizerKind {
    try FileKind(join(folder, "vocab.txt")) == .absent ? .folder : .wordPiece
  }
}
