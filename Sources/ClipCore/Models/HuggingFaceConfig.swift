import CClip

/// Hugging Face's config.json: reads that of a CLIP model, and names the readers of other model types.
enum HuggingFaceConfig {
  static let file: Name = "config.json"

  /// `folder` is `root`, or in it.
  static func read(
    _ folder: String, root: String, _ weights: StoredTensors, image: Bool, text: Bool
  ) throws(ClipError) -> ModelConfig {
    if try FileKind(join(folder, file)) == .absent, let row = try Torchvision.row(folder) {
      return try Torchvision.read(row, folder, image: image)
    }
    let config = try ConfigReader(path: join(folder, file))
    guard !config.has("quantization_config") else {
      throw config.error(CLIP_UNSUPPORTED, "quantization_config", "weights that are not quantized")
    }
    if let found = try MultilingualClip.read(config, folder, text: text) { return found }
    if let found = try HuggingFaceText.read(config, folder, root: root, weights, text: text) { return found }
    try SentenceTransformers.requireModelAlone(root)
    switch try config.string("model_type", "") {
    case "clip", "metaclip_2": return try readClip(config, folder, image: image, text: text)
    case "clip_text_model", "metaclip_2_text_model": return try readTextAlone(config, weights, text: text)
    case "siglip": return try SiglipConfig.read(config, folder, image: image, text: text)
    default:
      if let found = try HuggingFacePairs.read(config, folder, root: root, weights, image: image, text: text) {
        return found
      }
      if let found = try readImageAlone(config, folder, weights, image: image) { return found }
      throw config.error(
        config.has("model_type") ? CLIP_UNSUPPORTED : CLIP_FORMAT, "model_type",
        "\"clip\", \"siglip\", \"bert\", \"vit\" or another that docs/models.md lists")
    }
  }

  /// nil: a model_type of no image tower that stands alone.
  static func readImageAlone(
    _ config: ConfigReader, _ folder: String, _ weights: StoredTensors, image: Bool
  ) throws(ClipError) -> ModelConfig? {
    switch try config.string("model_type", "") {
    case "clip_vision_model", "metaclip_2_vision_model":
      return try readVisionAlone(config, folder, weights, image: image)
    case "siglip_vision_model": return try SiglipConfig.readAlone(config, folder, weights, image: image)
    case "vit" where try config.bool("qkv_bias", true):
      return try ViTConfig.read(config, folder, weights, image: image)
    default:
      if let found = try TimmConfig.read(config, weights, image: image) { return found }
      if let found = try HuggingFaceTransformers.read(config, folder, weights, image: image) { return found }
      return try HuggingFaceHierarchical.read(config, folder, weights, image: image)
    }
  }

  /// Defaults are those of transformers' CLIPConfig, CLIPVisionConfig and CLIPTextConfig, which files
  /// leave out.
  private static func readClip(
    _ config: ConfigReader, _ folder: String, image: Bool, text: Bool
  ) throws(ClipError) -> ModelConfig {
    let embedding = try config.int("projection_dim", 512, ConfigReader.widths)
    return ModelConfig(
      embeddingWidth: embedding,
      image: image
        ? try readImage(try part(config, "vision_config", dict: "vision_config_dict"), embedding, folder) : nil,
      text: text
        ? try readText(
          try part(config, "text_config", dict: "text_config_dict"), embedding, isMeta: try isMeta(config)) : nil)
  }

  /// CLIPVisionModelWithProjection or, if the file has no projection, CLIPVisionModel.
  private static func readVisionAlone(
    _ config: ConfigReader, _ folder: String, _ weights: StoredTensors, image: Bool
  ) throws(ClipError) -> ModelConfig {
    let hasProjection = weights.tensors["visual_projection.weight"] != nil
    let width = try config.int(
      hasProjection ? "projection_dim" : "hidden_size", hasProjection ? 512 : 768, ConfigReader.widths)
    var found = image ? try readImage(config, width, folder) : nil
    if !hasProjection, let tower = found?.tower {
      found?.tower = TowerDescription(
        encoder: "clipcore.encoder.vision-transformer",
        config: .object((tower.config.object ?? []).filter { $0.key != "embed_dim" }), scope: tower.scope)
    }
    var names = Layout.huggingFace.clipNames
    // transformers 5 omits the scope.
    let scope: Name = "vision_model."
    for rule in names.rules where rule.tensor.hasPrefix(scope) { names.rules.append(rule.withoutPrefix(scope)) }
    return ModelConfig(embeddingWidth: width, image: found, names: names)
  }

  /// CLIP's text tower alone, with or without its projection.
  private static func readTextAlone(
    _ config: ConfigReader, _ weights: StoredTensors, text: Bool
  ) throws(ClipError) -> ModelConfig {
    let width = try config.int("hidden_size", 512, ConfigReader.widths)
    let isProjected = weights.tensors["text_projection.weight"] != nil
    let embedding = isProjected ? try config.int("projection_dim", 512, ConfigReader.widths) : width
    var result = ModelConfig(
      embeddingWidth: embedding, text: text ? try readText(config, embedding, isMeta: try isMeta(config)) : nil)
    if !isProjected, let members = result.text?.tower.config.object {
      result.text?.tower.config = .object(members + [("projection", .int(0))])
    }
    // Newer files have its tensors without a scope.
    var names = Layout.huggingFace.clipNames
    if weights.tensors["embeddings.token_embedding.weight"] != nil {
      names.rules = names.rules.map { $0.withoutPrefix("text_model.") }
      names.textPrefixes = [""]
    }
    result.names = names
    return result
  }

  /// A tower's object. The older `dict` overrides it, as in transformers; if both are absent, everything has its
  /// default.
  static func part(_ config: ConfigReader, _ key: StaticString, dict: StaticString) throws(ClipError) -> ConfigReader {
    if let found = try config.object(dict) { return found }
    if let found = try config.object(key) { return found }
    return try ConfigReader(.object([]), place: config.place, prefix: "\(key).")
  }

  private static func readImage(
    _ vision: ConfigReader, _ embedding: Int, _ folder: String
  ) throws(ClipError) -> ModelConfig.Image {
    let size = try vision.sides("image_size", Sides(224))
    let patch = try vision.sides("patch_size", Sides(32))
    guard patch.height == patch.width else { throw vision.error(CLIP_UNSUPPORTED, "patch_size", "square patches") }
    guard try vision.int("num_channels", 3, ConfigReader.widths) == 3 else {
      throw vision.error(CLIP_UNSUPPORTED, "num_channels", "3")
    }
    let width = try vision.int("hidden_size", 768, ConfigReader.widths)
    let heads = try vision.int("num_attention_heads", 12, ConfigReader.widths)
    try vision.divides(heads, "num_attention_heads", width, "hidden_size")
    try vision.divides(patch.height, "patch_size", size.height, "image_size")
    try vision.divides(patch.width, "patch_size", size.width, "image_size")
    let tower = VisionTransformerConfig(
      image: size, patch: patch.height,
      blocks: TransformerConfig(
        width: width, layers: try vision.int("num_hidden_layers", 12, ConfigReader.layers), heads: heads,
        mlpWidth: try vision.int("intermediate_size", 3072, ConfigReader.widths),
        activation: try activation(vision, "quick_gelu"), embedding: embedding, epsilon: try epsilon(vision, 1e-5)))
    return ModelConfig.Image(
      tower: tower.tower, preprocess: try HuggingFacePreprocess.read(folder, size, vision.place))
  }

  /// `isMeta`: MetaCLIP 2's.
  private static func readText(
    _ text: ConfigReader, _ embedding: Int, isMeta: Bool
  ) throws(ClipError) -> ModelConfig.Text {
    let width = try text.int("hidden_size", 512, ConfigReader.widths)
    let heads = try text.int("num_attention_heads", 8, ConfigReader.widths)
    try text.divides(heads, "num_attention_heads", width, "hidden_size")
    let vocabulary = try text.int("vocab_size", 49408, ConfigReader.widths)
    var found = TextTransformerConfig(
      vocabulary: vocabulary, context: try text.int("max_position_embeddings", 77, 2...ConfigReader.sides.upperBound),
      blocks: TransformerConfig(
        width: width, layers: try text.int("num_hidden_layers", 12, ConfigReader.layers), heads: heads,
        mlpWidth: try text.int("intermediate_size", 2048, ConfigReader.widths),
        activation: try activation(text, "quick_gelu"), embedding: embedding, epsilon: try epsilon(text, 1e-5)),
      endToken: try endToken(text, vocabulary, isExact: isMeta)
    ).text
    if isMeta { found.tokenizer = .folder }
    return found
  }

  private static func isMeta(_ config: ConfigReader) throws(ClipError) -> Bool {
    try config.string("model_type", "").hasPrefix("metaclip_2")
  }

  /// Old configurations all have 2, which means the largest id of the text (transformers, pull request 24773).
  private static func endToken(_ text: ConfigReader, _ vocabulary: Int, isExact: Bool) throws(ClipError) -> Int {
    let token = try text.int("eos_token_id", 49407, 0...Int(Int32.max))
    if token == 2, !isExact { return -1 }
    guard token < vocabulary else {
      throw ClipError(
        CLIP_FORMAT,
        "\(text.place): \(text.prefix)eos_token_id \(token) is not below \(text.prefix)vocab_size \(vocabulary)")
    }
    return token
  }

  static func epsilon(_ config: ConfigReader, _ fallback: Double) throws(ClipError) -> Double {
    try config.number("layer_norm_eps", fallback, 1e-12...1)
  }

  /// Our name for transformers' name of an activation.
  static func activation(
    _ config: ConfigReader, _ fallback: Name, key: StaticString = "hidden_act"
  ) throws(ClipError) -> Name {
    try activation(try config.string(key, fallback), config, Name(stringLiteral: key))
  }

  static func activation(_ found: Name, _ config: ConfigReader, _ key: Name) throws(ClipError) -> Name {
    for (theirs, ours) in activations where theirs == found { return ours }
    var names = ""
    for (theirs, _) in activations { names += (names.isEmpty ? "\"" : ", \"") + theirs.string + "\"" }
    throw config.error(CLIP_UNSUPPORTED, key, "one of " + names)
  }

  private static var activations: [(Name, Name)] {
    [
      ("gelu", "gelu"), ("gelu_python", "gelu"), ("quick_gelu", "quick_gelu"), ("gelu_pytorch_tanh", "gelu_tanh"),
      ("gelu_new", "gelu_tanh"), ("relu", "relu"), ("silu", "silu"), ("swish", "silu"),
    ]
  }
}
