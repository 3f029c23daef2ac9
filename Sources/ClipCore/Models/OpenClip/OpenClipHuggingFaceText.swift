import CClip

/// open_clip's HFTextEncoder: a text_cfg with hf_model_name, the name of a model on the hub. Its configuration is the
/// config.json of the folder, or the one of a known name, which open_clip downloads.
enum OpenClipHuggingFaceText {
  static func read(_ text: ConfigReader, _ context: OpenClipConfig.Context) throws(ClipError) -> ModelConfig.Text {
    try OpenClipKeys.check(text, OpenClipKeys.text)
    let config = try config(text, context.folder)
    guard let encoder = try TextEncoderConfig.read(config) else {
      throw config.error(CLIP_UNSUPPORTED, "model_type", "a text encoder's that is known here")
    }
    let pooling = try pooling(text, config, encoder)
    var tower = encoder.tower(
      contextLength: min(encoder.positions, try text.int("context_length", 77, 1...ConfigReader.sides.upperBound)),
      pooling: pooling, scope: "text.transformer")
    tower.head = try projection(text, encoder.width, context.embedding)
    var result = ModelConfig.Text(tower: tower, tokenizer: try HuggingFaceText.tokenizer(context.folder))
    result.rules = encoder.rules
    return result
  }

  private static func config(_ text: ConfigReader, _ folder: String) throws(ClipError) -> ConfigReader {
    let path = join(folder, HuggingFaceConfig.file)
    if try FileKind(path) != .absent {
      let config = try ConfigReader(path: path)
      if try TextEncoderConfig.read(config) != nil { return config }
    }
    let name = try text.string("hf_model_name", "")
    for model in models where name == model.name || name.hasSuffix("/" + model.name) {
      return try ConfigReader(.object(model.members), place: text.place, prefix: text.prefix + "hf_model_name.")
    }
    throw text.error(CLIP_UNSUPPORTED, "hf_model_name", "a name known here, or its config.json in the folder")
  }

  private static func pooling(
    _ text: ConfigReader, _ config: ConfigReader, _ encoder: TextEncoderConfig
  ) throws(ClipError) -> Name {
    let type = try config.string("model_type", "")
    let isFirst = type == "bert" || type == "m2m_100"
    let found: Name =
      text.isNull("hf_pooler_type")
      ? (isFirst ? "cls_last_hidden_state_pooler" : "mean_pooler") : try text.string("hf_pooler_type", "mean_pooler")
    switch found {
    case "mean_pooler": return "mean"
    case "cls_pooler": return encoder.hasPooler ? "pooler" : "first"
    case "cls_last_hidden_state_pooler": return "first"
    default:
      throw text.error(
        CLIP_UNSUPPORTED, "hf_pooler_type", "\"mean_pooler\", \"cls_pooler\" or \"cls_last_hidden_state_pooler\"")
    }
  }

  private static func projection(
    _ text: ConfigReader, _ width: Int, _ embedding: Int
  ) throws(ClipError) -> [HeadLayer] {
    if text.isNull("hf_proj_type") {
      guard width == embedding else {
        throw text.error(CLIP_FORMAT, "hf_proj_type", "a projection from \(width) to embed_dim, \(embedding)")
      }
      return []
    }
    switch try text.string("hf_proj_type", "mlp") {
    case "linear": return [.linear("text.proj", width: embedding, hasBias: false)]
    case "mlp":
      return [
        .linear("text.proj.0", width: (width + embedding) / 2, hasBias: false), .activate(CLIP_GELU),
        .linear("text.proj.2", width: embedding, hasBias: false),
      ]
    default: throw text.error(CLIP_UNSUPPORTED, "hf_proj_type", "\"linear\", \"mlp\" or null")
    }
  }
}
