import CClip

/// Hugging Face's config.json of a ViT model without a text tower: the class token after the final norm. Defaults are
/// those of transformers' ViTConfig.
enum ViTConfig {
  static func read(
    _ config: ConfigReader, _ folder: String, _ weights: StoredTensors, image: Bool
  ) throws(ClipError) -> ModelConfig {
    guard try config.int("num_channels", 3, ConfigReader.widths) == 3 else {
      throw config.error(CLIP_UNSUPPORTED, "num_channels", "3")
    }
    guard try config.bool("qkv_bias", true) else { throw config.error(CLIP_UNSUPPORTED, "qkv_bias", "true") }
    let size = try config.sides("image_size", Sides(224))
    let patch = try config.int("patch_size", 16, ConfigReader.sides)
    try config.divides(patch, "patch_size", size.height, "image_size")
    try config.divides(patch, "patch_size", size.width, "image_size")
    let width = try config.int("hidden_size", 768, ConfigReader.widths)
    let heads = try config.int("num_attention_heads", 12, ConfigReader.widths)
    try config.divides(heads, "num_attention_heads", width, "hidden_size")
    // A ViT under a head has them one scope down.
    let scope: Name = weights.tensors["vit.embeddings.cls_token"] == nil ? "" : "vit"
    let start: Name = scope.isEmpty ? "" : scope + "."
    let encoder: JSON = .object([
      ("image_height", .int(size.height)), ("image_width", .int(size.width)), ("patch_size", .int(patch)),
      ("width", .int(width)), ("heads", .int(heads)),
      ("layers", .int(try config.int("num_hidden_layers", 12, ConfigReader.layers))),
      ("mlp_width", .int(try config.int("intermediate_size", 3072, ConfigReader.widths))),
      ("activation", .string(try HuggingFaceConfig.activation(config, "gelu"))),
      ("epsilon", .double(try HuggingFaceConfig.epsilon(config, 1e-12))),
    ])
    let tower = TowerDescription(encoder: "clipcore.encoder.vit", config: encoder, scope: scope)
    return ModelConfig(
      embeddingWidth: width,
      image: image
        ? ModelConfig.Image(
          tower: tower, preprocess: try HuggingFacePreprocess.read(folder, size, config.place, "ViT")) : nil,
      names: .direct(
        image: [start], text: [],
        ignored: [start + "pooler.", start + "embeddings.mask_token"] + (scope.isEmpty ? [] : ["classifier."])))
  }
}
