import CClip

/// Hugging Face's config.json of a SigLIP model. Defaults are those of transformers' SiglipConfig,
/// SiglipVisionConfig and SiglipTextConfig.
enum SiglipConfig {
  static func read(_ config: ConfigReader, _ folder: String, image: Bool, text: Bool) throws(ClipError) -> ModelConfig {
    let vision = try HuggingFaceConfig.part(config, "vision_config", dict: "vision_config_dict")
    let language = try HuggingFaceConfig.part(config, "text_config", dict: "text_config_dict")
    // The embedding has the image tower's width: there is no projection.
    let embedding = try vision.int("hidden_size", 768, ConfigReader.widths)
    return ModelConfig(
      embeddingWidth: embedding, image: image ? try readImage(vision, embedding, folder) : nil,
      text: text ? try readText(language, embedding) : nil,
      names: .direct(image: ["vision_model."], text: ["text_model."]),
      logitScale: "logit_scale", logitBias: "logit_bias")
  }

  /// SiglipVisionModel's config.json, which is the tower's own. transformers 5 omits the scope of its tensors.
  static func readAlone(
    _ config: ConfigReader, _ folder: String, _ weights: StoredTensors, image: Bool
  ) throws(ClipError) -> ModelConfig {
    let width = try config.int("hidden_size", 768, ConfigReader.widths)
    var found = image ? try readImage(config, width, folder) : nil
    if weights.tensors["post_layernorm.weight"] != nil { found?.tower.scope = "" }
    return ModelConfig(embeddingWidth: width, image: found, names: .direct(image: [""], text: []))
  }

  private static func readImage(
    _ vision: ConfigReader, _ width: Int, _ folder: String
  ) throws(ClipError) -> ModelConfig.Image {
    guard try vision.int("num_channels", 3, ConfigReader.widths) == 3 else {
      throw vision.error(CLIP_UNSUPPORTED, "num_channels", "3")
    }
    guard try vision.bool("vision_use_head", true) else {
      throw vision.error(CLIP_UNSUPPORTED, "vision_use_head", "true")
    }
    let size = try vision.sides("image_size", Sides(224))
    let patch = try vision.int("patch_size", 16, ConfigReader.sides)
    guard patch <= min(size.height, size.width) else {
      throw vision.error(CLIP_FORMAT, "patch_size", "at most image_size, \(size.text)")
    }
    let members: [(key: Name, value: JSON)] = [
      ("image_height", .int(size.height)), ("image_width", .int(size.width)), ("patch_size", .int(patch)),
    ]
    let tower = TowerDescription(
      encoder: "clipcore.encoder.siglip-vit", config: .object(members + (try block(vision, width))),
      scope: "vision_model")
    return ModelConfig.Image(
      tower: tower, preprocess: try HuggingFacePreprocess.read(folder, size, vision.place, "Siglip"))
  }

  private static func readText(_ text: ConfigReader, _ embedding: Int) throws(ClipError) -> ModelConfig.Text {
    let width = try text.int("hidden_size", 768, ConfigReader.widths)
    let projection = try text.int("projection_size", width, ConfigReader.widths)
    guard projection == embedding else {
      throw text.error(CLIP_FORMAT, "projection_size", "vision_config.hidden_size, \(embedding)")
    }
    let members: [(key: Name, value: JSON)] = [
      ("vocab_size", .int(try text.int("vocab_size", 32000, ConfigReader.widths))),
      ("context_length", .int(try text.int("max_position_embeddings", 64, 1...ConfigReader.sides.upperBound))),
      ("embed_dim", .int(projection)),
    ]
    let tower = TowerDescription(
      encoder: "clipcore.encoder.siglip-text", config: .object(members + (try block(text, width))), scope: "text_model")
    return ModelConfig.Text(tower: tower, tokenizer: .siglip)
  }

  /// The configuration of both towers' blocks.
  private static func block(_ config: ConfigReader, _ width: Int) throws(ClipError) -> [(key: Name, value: JSON)] {
    let heads = try config.int("num_attention_heads", 12, ConfigReader.widths)
    try config.divides(heads, "num_attention_heads", width, "hidden_size")
    return [
      ("width", .int(width)), ("heads", .int(heads)),
      ("layers", .int(try config.int("num_hidden_layers", 12, ConfigReader.layers))),
      ("mlp_width", .int(try config.int("intermediate_size", 3072, ConfigReader.widths))),
      ("activation", .string(try HuggingFaceConfig.activation(config, "gelu_pytorch_tanh"))),
      ("epsilon", .double(try HuggingFaceConfig.epsilon(config, 1e-6))),
    ]
  }
}
