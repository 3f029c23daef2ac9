import CClip

/// Hugging Face's config.json of vision transformers like ViT, without a text tower. The features are the class token
/// after the final norm or, without one, the mean of the patches.
enum HuggingFaceTransformers {
  /// nil: a model_type of another reader.
  static func read(
    _ config: ConfigReader, _ folder: String, _ weights: StoredTensors, image: Bool
  ) throws(ClipError) -> ModelConfig? {
    let type = try config.string("model_type", "")
    guard let family = families.first(where: { $0.type == type }) else { return nil }
    let width = try config.int("hidden_size", family.width, ConfigReader.widths)
    let scope = family.scopes.first { weights.hasTensors(under: $0) } ?? ""
    let names = TensorNames(
      rules: HuggingFaceTransformers.rules(scope), isDirect: true, imagePrefixes: [""],
      ignoredPrefixes: ignored(scope))
    var result = ModelConfig(embeddingWidth: width, names: names)
    guard image else { return result }
    guard try config.int("num_channels", 3, ConfigReader.widths) == 3 else {
      throw config.error(CLIP_UNSUPPORTED, "num_channels", "3")
    }
    let own = try config.sides("image_size", Sides(224))
    let patch = try config.int("patch_size", family.patch, ConfigReader.sides)
    let preprocess = try HuggingFacePreprocess.read(
      folder, family.resizes || !family.hasTable ? nil : own, config.place, family.processor)
    let size = Sides(height: preprocess.height, width: preprocess.width)
    guard patch <= min(size.height, size.width), patch <= min(own.height, own.width) else {
      throw config.error(CLIP_FORMAT, "patch_size", "at most the size of images, \(size.text)")
    }
    let heads = try config.int("num_attention_heads", family.heads, ConfigReader.widths)
    try config.divides(heads, "num_attention_heads", width, "hidden_size")
    let members: [(key: Name, value: JSON)] = [
      ("image_height", .int(size.height)), ("image_width", .int(size.width)), ("patch_size", .int(patch)),
      ("width", .int(width)), ("heads", .int(heads)),
      ("layers", .int(try config.int("num_hidden_layers", 12, ConfigReader.layers))), ("patch_bias", .int(1)),
      ("pre_norm", .int(0)), ("epsilon", .double(try HuggingFaceConfig.epsilon(config, family.epsilon))),
    ]
    let options = try family.options(config, width)
    result.image = ModelConfig.Image(
      tower: TowerDescription(
        encoder: "clipcore.encoder.vision-transformer", config: .object(members + options), scope: ""),
      preprocess: preprocess)
    if family.resizes {
      let (from, to) = (grid(own, patch), grid(size, patch))
      result.names?.resizes = [
        ("positional_embedding", PositionResize(prefix: 1, from: from, to: to, antialias: family.antialiases))
      ]
    }
    return result
  }

  private static func grid(_ size: Sides, _ patch: Int) -> Sides {
    Sides(height: size.height / patch, width: size.width / patch)
  }

  /// Tensors of heads, decoders and training, which the tower does not use.
  private static func ignored(_ scope: Name) -> [Name] {
    let start: Name = scope.isEmpty ? "" : scope + "."
    return [
      start + "pooler.dense.", start + "embeddings.mask_token", start + "embeddings.register_tokens", "classifier.",
      "cls_classifier.",
      "distillation_classifier.", "decoder.", "lm_head.", start + "rope_embeddings.",
    ]
  }
}

extension StoredTensors {
  fileprivate func hasTensors(under scope: Name) -> Bool {
    tensors.contains(prefix: scope + ".")
  }
}
