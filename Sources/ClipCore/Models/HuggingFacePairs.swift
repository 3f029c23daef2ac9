import CClip

/// Hugging Face's models of an image tower and a text tower that have readers of their own, each under a projection.
enum HuggingFacePairs {
  /// nil: a model_type of another reader.
  static func read(
    _ config: ConfigReader, _ folder: String, root: String, _ weights: StoredTensors, image: Bool, text: Bool
  ) throws(ClipError) -> ModelConfig? {
    let type = try config.string("model_type", "")
    guard let family = families.first(where: { $0.type == type }) else { return nil }
    let vision = try part(config, "vision_config", dict: "vision_config_dict", family.image, [], [])
    let language = try part(config, "text_config", dict: "text_config_dict", family.text, family.fixed, family.defaults)
    let imagePart = try HuggingFaceConfig.readImageAlone(
      vision, folder, weights.under(family.imageScope), image: image
    )?.under(family.imageScope)
    let textPart = try HuggingFaceText.read(
      language, folder, root: root, weights.under(family.textScope), text: text, pooling: family.pooling
    )?.under(family.textScope)
    guard let imagePart else { throw vision.error(CLIP_UNSUPPORTED, "model_type", "an image tower's") }
    guard let textPart else { throw language.error(CLIP_UNSUPPORTED, "model_type", "a text tower's") }
    var result = ModelConfig(
      embeddingWidth: try config.int(family.widthKey, family.width, ConfigReader.widths), image: imagePart.image,
      text: textPart.text, names: TensorNames(isDirect: true), logitScale: family.scale,
      temperature: family.temperature)
    if let name = family.imageProjection {
      // transformers uses the pooler's output of ViT.
      if type == "vision-text-dual-encoder", weights.tensors["vision_model.pooler.dense.weight"] != nil {
        guard try vision.string("pooler_act", "tanh") == "tanh" else {
          throw vision.error(CLIP_UNSUPPORTED, "pooler_act", "\"tanh\"")
        }
        result.image?.tower.head += [
          .linear("vision_model.pooler.dense", width: imagePart.embeddingWidth, hasBias: true), .activate(CLIP_TANH),
        ]
      }
      result.image?.tower.head.append(.linear(name, width: result.embeddingWidth, hasBias: family.hasBias))
    }
    if type == "altclip" {
      result.text?.tower.head += [
        .layerNorm("text_model.pre_LN", epsilon: try HuggingFaceConfig.epsilon(language, 1e-5)),
        .linear(
          "text_model.transformation", width: try language.int("project_dim", 768, ConfigReader.widths), hasBias: true),
      ]
    }
    result.text?.tower.head.append(
      .linear(family.textProjection, width: result.embeddingWidth, hasBias: family.hasBias))
    let parts = [imagePart.names, textPart.names].compactMap { $0 }
    result.names?.rules = parts.flatMap { $0.rules } + parts.flatMap { $0.rules.compactMap(renamed) }
    result.names?.resizes = parts.flatMap { $0.resizes }
    result.names?.imagePrefixes = [family.imageScope + "."] + (family.imageProjection.map { [$0 + "."] } ?? [])
    result.names?.textPrefixes = [family.textPrefix, family.textProjection + "."]
    result.names?.ignoredPrefixes = parts.flatMap { $0.ignoredPrefixes } + family.ignored
    result.names?.ignoredPatterns = family.ignoredPatterns
    result.names?.others = family.temperature.map { [$0] } ?? []
    return result
  }

  /// transformers 5 writes "layer" into the names of AltCLIP's image tower.
  private static func renamed(_ rule: ParameterRule) -> ParameterRule? {
    let layers: Name = "vision_model.encoder.layers."
    guard rule.tensor.hasPrefix(layers) else { return nil }
    let rest = Name(utf8: Array(rule.tensor.utf8.dropFirst(layers.utf8.count)))
    return ParameterRule(rule.parameter, "vision_model.encoder.layer." + rest, rule.arrangement)
  }

  /// A part as the reader of the model_type `type` takes it.
  private static func part(
    _ config: ConfigReader, _ key: StaticString, dict: StaticString, _ type: Name?,
    _ fixed: [(key: Name, value: JSON)], _ defaults: [(key: Name, value: JSON)]
  ) throws(ClipError) -> ConfigReader {
    let own = try HuggingFaceConfig.part(config, key, dict: dict)
    let kind: [(key: Name, value: JSON)] = type.map { [("model_type", .string($0))] } ?? []
    // The first of several counts.
    let members = kind + fixed + (own.json.object ?? []).filter { member in type == nil || member.key != "model_type" }
    return try ConfigReader(.object(members + defaults), place: own.place, prefix: own.prefix)
  }
}

extension ModelConfig {
  /// The configuration of a model whose tensors are under `scope`.
  fileprivate func under(_ scope: Name) -> ModelConfig {
    var moved = self
    func place(_ tower: TowerDescription) -> TowerDescription {
      var tower = tower
      tower.scope = tower.scope.isEmpty ? scope : scope + "." + tower.scope
      return tower
    }
    if let image { moved.image?.tower = place(image.tower) }
    if let text { moved.text?.tower = place(text.tower) }
    let start = scope + "."
    if let names {
      moved.names?.rules = names.rules.map { $0.under(start) }
      moved.names?.resizes = names.resizes.map { (start + $0.parameter, $0.resize) }
      moved.names?.ignoredPrefixes = names.ignoredPrefixes.map { start + $0 }
    }
    return moved
  }
}
