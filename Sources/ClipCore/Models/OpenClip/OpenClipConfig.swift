import CClip

/// open_clip's open_clip_config.json. Keys and defaults are those of open_clip's CLIPVisionCfg,
/// CLIPTextCfg and PreprocessCfg, version 3.3.
enum OpenClipConfig {
  static let file: Name = "open_clip_config.json"

  /// Values of the model's own keys that both towers use.
  struct Context {
    let folder: String
    /// The config's width of embeddings.
    let embedding: Int
    let usesQuickGELU: Bool
    let hasFusedConvolutions: Bool
    /// The whole file.
    let whole: ConfigReader
  }

  static func read(
    _ folder: String, _ weights: StoredTensors, image: Bool, text: Bool
  ) throws(ClipError) -> ModelConfig {
    let whole = try ConfigReader(path: join(folder, file))
    // The model config may be the whole file, without preprocessing.
    let model = try whole.object("model_cfg") ?? whole
    guard whole.has("model_cfg") || model.has("vision_cfg") || model.has("text_cfg") else {
      throw whole.error(CLIP_FORMAT, "model_cfg", "an object")
    }
    try OpenClipKeys.check(model, OpenClipKeys.model)
    let context = Context(
      folder: folder, embedding: try model.int("embed_dim", nil, ConfigReader.widths),
      usesQuickGELU: try model.bool("quick_gelu", false),
      hasFusedConvolutions: weights.hasFusedConvolutions, whole: whole)
    var result = ModelConfig(embeddingWidth: context.embedding)
    if image { result.image = try readImage(try part(model, "vision_cfg"), context) }
    if text { result.text = try readText(try part(model, "text_cfg"), context) }
    let rules = (result.image?.rules ?? []) + (result.text?.rules ?? [])
    let hasDecoder = model.has("multimodal_cfg")
    if !rules.isEmpty || hasDecoder || result.text?.tower.scope == "text.transformer" {
      var names = Layout.openClip.clipNames
      names.rules = rules + names.rules
      names.isDirect = !rules.isEmpty || result.text?.tower.scope == "text.transformer"
      if hasDecoder { names.ignoredPrefixes.append("text_decoder.") }
      names.ignoredPrefixes.append("text.transformer.embeddings.position_ids")
      result.names = names
    }
    return result
  }

  private static func part(_ model: ConfigReader, _ key: StaticString) throws(ClipError) -> ConfigReader {
    guard let found = try model.object(key) else { throw model.error(CLIP_FORMAT, key, "an object") }
    return found
  }

  private static func readImage(
    _ vision: ConfigReader, _ context: Context
  ) throws(ClipError) -> ModelConfig.Image {
    let size = try vision.sides("image_size", Sides(224))
    let place = "\(vision.prefix)image_size"
    let preprocess = try OpenClipPreprocess.read(context.whole, size, place)
    let name = try vision.string("timm_model_name", "")
    if !name.isEmpty { return try OpenClipTimm.read(vision, size, context, preprocess) }
    try OpenClipKeys.check(vision, OpenClipKeys.vision)
    let isResNet = vision.json["layers"]?.array != nil
    let tower =
      isResNet
      ? try OpenClipResNet.read(vision, size, context) : try OpenClipVisionTransformer.read(vision, size, context)
    return ModelConfig.Image(tower: tower, preprocess: preprocess)
  }

  private static func readText(_ text: ConfigReader, _ context: Context) throws(ClipError) -> ModelConfig.Text {
    let name = try text.string("hf_model_name", "")
    if !name.isEmpty { return try OpenClipHuggingFaceText.read(text, context) }
    try OpenClipKeys.check(text, OpenClipKeys.text)
    return try OpenClipTextTransformer.read(text, context)
  }

  /// A transformer's MLP, rounded down, as Python's int() does.
  static func mlpWidth(_ config: ConfigReader, _ width: Int) throws(ClipError) -> Int {
    let ratio = try config.number("mlp_ratio", 4, 0...1024)
    // Below 2^30, so it is exact.
    let result = Int((Double(width) * ratio).rounded(.down))
    guard ConfigReader.widths.contains(result) else {
      throw config.error(
        CLIP_FORMAT, "mlp_ratio",
        "one that gives a width from 1 to \(ConfigReader.widths.upperBound) with width \(width)")
    }
    return result
  }

  /// act_kwargs are the arguments of PyTorch's GELU, {"approximate": "none" or "tanh"}.
  static func activation(_ config: ConfigReader, _ context: Context) throws(ClipError) -> Name {
    let quick = context.usesQuickGELU
    guard let options = try config.object("act_kwargs"), let members = options.json.object, !members.isEmpty else {
      return quick ? "quick_gelu" : "gelu"
    }
    guard !quick, members.count == 1 else {
      throw config.error(CLIP_UNSUPPORTED, "act_kwargs", "\"approximate\" alone, and that without quick_gelu")
    }
    switch try options.string("approximate", "") {
    case "none": return "gelu"
    case "tanh": return "gelu_tanh"
    default: throw options.error(CLIP_UNSUPPORTED, "approximate", "\"none\" or \"tanh\"")
    }
  }

  static func epsilon(_ config: ConfigReader) throws(ClipError) -> Double {
    guard let options = try config.object("norm_kwargs"), let members = options.json.object, !members.isEmpty else {
      return 1e-5
    }
    guard members.count == 1, options.has("eps") else {
      throw config.error(CLIP_UNSUPPORTED, "norm_kwargs", "\"eps\" alone")
    }
    return try options.number("eps", 1e-5, 1e-12...1)
  }

  /// Options of both transformers' blocks beyond CLIP's: keys of ClipPluginKit's TransformerBlock.
  static func blockOptions(_ config: ConfigReader) throws(ClipError) -> [(key: Name, value: JSON)] {
    var options: [(key: Name, value: JSON)] = []
    // A layer scale of 0.0 counts, too.
    if config.has("ls_init_value") {
      _ = try config.number("ls_init_value", 0, -1e9...1e9)
      options.append(("layer_scale", .int(1)))
    }
    let names: [(StaticString, Name)] = [
      ("qk_norm", "qk_norm"), ("scale_attn_inner", "attention_norm"), ("scale_attn", "output_norm"),
      ("scale_fc", "mlp_norm"),
    ]
    // The block "default" ignores these keys.
    let isDefault = try config.string("block_type", "") == "default"
    for (key, name) in names {
      if try config.bool(key, false), !isDefault { options.append((name, .int(1))) }
    }
    return options
  }
}
