import CClip

/// Hugging Face's config.json of image towers alone whose stages halve the grid; the output is pooled features.
/// Defaults are those of transformers' configuration classes.
enum HuggingFaceHierarchical {
  typealias Members = [(key: Name, value: JSON)]

  /// nil: a model_type of another reader.
  static func read(
    _ config: ConfigReader, _ folder: String, _ weights: StoredTensors, image: Bool
  ) throws(ClipError) -> ModelConfig? {
    let type = try config.string("model_type", "")
    var (encoder, names, processor): (Name, [ParameterRule], Name) = ("convnext", convNeXt, "ConvNext")
    var members: Members
    var width: Int
    switch type {
    case "convnext", "convnextv2", "dinov3_convnext":
      let widths = try counts(config, "hidden_sizes", [96, 192, 384, 768])
      let isDINO = type == "dinov3_convnext"
      if isDINO { (names, processor) = (dinoConvNeXt, "DINOv3ViT") }
      let epsilon = try HuggingFaceConfig.epsilon(config, isDINO ? 1e-6 : 1e-12)
      width = widths[3]
      members = [
        ("widths", array(widths)), ("depths", array(try counts(config, "depths", [3, 3, 9, 3]))),
        ("patch_size", .int(isDINO ? 4 : try config.int("patch_size", 4, ConfigReader.sides))),
        ("activation", .string(try HuggingFaceConfig.activation(config, "gelu"))), ("head_epsilon", .double(epsilon)),
        ("epsilon", .double(isDINO ? epsilon : 1e-6)), ("response_norm", .int(type == "convnextv2" ? 1 : 0)),
      ]
      let scale = try config.number("layer_scale_init_value", 1e-6, -1e9...1e9)
      let hasScale = type != "convnextv2" && (isDINO || scale > 0)
      members.append(("layer_scale", .int(hasScale ? 1 : 0)))
    case "swin", "swinv2":
      (encoder, names, processor) = ("swin", swin, "ViT")
      let depths = try counts(config, "depths", [2, 2, 6, 2], 1...8)
      width = try config.int("embed_dim", 96, ConfigReader.widths)
      let ratio = Int((try config.number("mlp_ratio", 4, 1...64)).rounded(.down))
      guard try config.number("mlp_ratio", 4, 1...64) == Double(ratio) else {
        throw config.error(CLIP_UNSUPPORTED, "mlp_ratio", "an integer")
      }
      guard try HuggingFaceConfig.epsilon(config, 1e-5) == 1e-5 else {
        throw config.error(CLIP_UNSUPPORTED, "layer_norm_eps", "1e-05")
      }
      members = [
        ("v2", .int(type == "swinv2" ? 1 : 0)), ("width", .int(width)), ("depths", array(depths)),
        ("heads", array(try counts(config, "num_heads", [3, 6, 12, 24], depths.count...depths.count))),
        ("window", .int(try config.int("window_size", 7, 1...4096))),
        ("patch_size", .int(try config.int("patch_size", 4, ConfigReader.sides))),
        ("mlp_ratio", .int(ratio)),
        ("qkv_bias", .int(try config.bool("qkv_bias", true) ? 1 : 0)), ("shifts_first", .int(0)),
        ("positions", .int(try config.bool("use_absolute_embeddings", false) ? 1 : 0)),
        ("activation", .string(try HuggingFaceConfig.activation(config, "gelu"))),
      ]
      if type == "swinv2", let trained = config.json["pretrained_window_sizes"] {
        members.append(("trained_windows", trained))
      }
      width <<= depths.count - 1
    case "resnet":
      (encoder, names) = ("resnet50", resNet)
      let widths = try counts(config, "hidden_sizes", [256, 512, 1024, 2048])
      width = widths[3]
      guard try config.string("hidden_act", "relu") == "relu" else {
        throw config.error(CLIP_UNSUPPORTED, "hidden_act", "\"relu\"")
      }
      members = [
        ("layers", array(try counts(config, "depths", [3, 4, 6, 3]))), ("widths", array(widths)),
        ("block", .string(try config.string("layer_type", "bottleneck"))),
        ("stem_width", .int(try config.int("embedding_size", 64, ConfigReader.widths))),
        ("first_stride", .int(try config.bool("downsample_in_first_stage", false) ? 2 : 1)),
        ("early_stride", .int(try config.bool("downsample_in_bottleneck", false) ? 1 : 0)),
      ]
    case "efficientnet", "align_vision_model":
      (encoder, names, processor) = ("efficientnet", [], "EfficientNet")
      (members, width) = try EfficientNetConfig.read(config, hasTop: type == "efficientnet")
    case "mobilevit":
      (encoder, names, processor) = ("mobilevit", [], "MobileViT")
      (members, width) = try mobileViT(config)
    default: return nil
    }
    guard try config.int("num_channels", 3, ConfigReader.widths) == 3 else {
      throw config.error(CLIP_UNSUPPORTED, "num_channels", "3")
    }
    // A model with a head has its tensors one scope deeper.
    let isScoped = weights.tensors.contains(prefix: type + ".")
    let start: Name = isScoped ? type + "." : ""
    let rules = names.map { ParameterRule(start + $0.parameter, start + $0.tensor) }
    var result = ModelConfig(
      embeddingWidth: width,
      names: TensorNames(
        rules: rules, isDirect: true, imagePrefixes: [""],
        ignoredPrefixes: ["classifier.", start + "embeddings.mask_token", "decoder."]))
    guard image else { return result }
    let preprocess = try HuggingFacePreprocess.read(folder, nil, config.place, processor)
    let patch = encoder == "swin" ? try config.int("patch_size", 4, ConfigReader.sides) : 1
    guard preprocess.height % patch == 0, preprocess.width % patch == 0 else {
      throw config.error(
        CLIP_UNSUPPORTED, "patch_size", "one that divides \(preprocess.height) x \(preprocess.width) pixels")
    }
    members += [("image_height", .int(preprocess.height)), ("image_width", .int(preprocess.width))]
    result.image = ModelConfig.Image(
      tower: TowerDescription(
        encoder: "clipcore.encoder." + encoder, config: .object(members), scope: isScoped ? type : ""),
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
