import CClip

/// Hugging Face's config.json of image towers whose stages halve the grid, without a text tower. The output is pooled
/// features. Defaults are those of transformers' configuration classes.
enum HuggingFaceHierarchical {
  typealias Members = [(key: Name, value: JSON)]

  /// The configuration of a family. `names` maps the encoder's parameters to transformers' tensors, both under a scope.
  struct Family {
    let encoder: Name
    /// The image processor if the folder names none.
    let processor: Name
    /// Elements of the features.
    let width: Int
    let names: [ParameterRule]
    /// The encoder's configuration without the size of images.
    let members: Members
  }

  private static func family(_ config: ConfigReader, _ type: Name) throws(ClipError) -> Family? {
    switch type {
    case "convnext", "convnextv2", "dinov3_convnext": try convNeXt(config, type)
    case "swin", "swinv2": try swin(config, type)
    case "resnet": try resNet(config)
    case "efficientnet", "align_vision_model": try EfficientNetConfig.read(config, hasTop: type == "efficientnet")
    case "mobilevit": try mobileViT(config)
    default: nil
    }
  }

  /// nil if another reader reads this model_type.
  static func read(
    _ config: ConfigReader, _ folder: String, _ weights: StoredTensors, image: Bool
  ) throws(ClipError) -> ModelConfig? {
    let type = try config.string("model_type", "")
    guard let family = try family(config, type) else { return nil }
    guard try config.int("num_channels", 3, ConfigReader.widths) == 3 else {
      throw config.error(CLIP_UNSUPPORTED, "num_channels", "3")
    }
    // A model with a head has its tensors one scope deeper.
    let isScoped = weights.tensors.contains(prefix: type + ".")
    let start: Name = isScoped ? type + "." : ""
    let rules = family.names.map { ParameterRule(start + $0.parameter, start + $0.tensor) }
    var result = ModelConfig(
      embeddingWidth: family.width,
      names: TensorNames(
        rules: rules, isDirect: true, imagePrefixes: [""],
        ignoredPrefixes: ["classifier.", start + "embeddings.mask_token", "decoder."]))
    guard image else { return result }
    let preprocess = try HuggingFacePreprocess.read(folder, nil, config.place, family.processor)
    let patch = family.encoder == "swin" ? try config.int("patch_size", 4, ConfigReader.sides) : 1
    guard preprocess.height % patch == 0, preprocess.width % patch == 0 else {
      throw config.error(
        CLIP_UNSUPPORTED, "patch_size", "one that divides \(preprocess.height) x \(preprocess.width) pixels")
    }
    let members = family.members + [("image_height", .int(preprocess.height)), ("image_width", .int(preprocess.width))]
    result.image = ModelConfig.Image(
      tower: TowerDescription(
        encoder: "clipcore.encoder." + family.encoder, config: .object(members), scope: isScoped ? type : ""),
      preprocess: preprocess)
    return result
  }

  static func array(_ counts: [Int]) -> JSON { .array(counts.map { .int($0) }) }

  /// One integer for each stage.
  static func counts(
    _ config: ConfigReader, _ key: StaticString, _ fallback: [Int], _ stages: ClosedRange<Int> = 4...4
  ) throws(ClipError) -> [Int] {
    guard config.has(key) else { return fallback }
    let found = (config.json[key]?.array ?? []).compactMap { $0.int }
    guard stages.contains(found.count), found.allSatisfy({ (1...(1 << 16)).contains($0) }),
      found.count == config.json[key]?.array?.count
    else { throw config.error(CLIP_UNSUPPORTED, key, "\(stages.upperBound) integers from 1 to \(1 << 16)") }
    return found
  }
}
