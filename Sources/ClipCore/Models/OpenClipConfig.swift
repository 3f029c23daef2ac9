import CClip

/// open_clip's open_clip_config.json. Keys and defaults are those of open_clip's CLIPVisionCfg,
/// CLIPTextCfg and PreprocessCfg, version 3.3.
enum OpenClipConfig {
  static let file: Name = "open_clip_config.json"

  static func read(_ folder: String, image: Bool, text: Bool) throws(ClipError) -> ModelConfig {
    let whole = try ConfigReader(path: join(folder, file))
    // A model config may stand alone, without what to do with images.
    let model = try whole.object("model_cfg") ?? whole
    guard whole.has("model_cfg") || model.has("vision_cfg") || model.has("text_cfg") else {
      throw whole.error(CLIP_FORMAT, "model_cfg", "an object")
    }
    try OpenClipKeys.check(model, OpenClipKeys.model)
    let embedding = try model.int("embed_dim", nil, ConfigReader.widths)
    let quick = try model.bool("quick_gelu", false)
    return ModelConfig(
      embeddingWidth: embedding,
      image: image ? try readImage(try part(model, "vision_cfg"), embedding, quick, whole) : nil,
      text: text ? try readText(try part(model, "text_cfg"), embedding, quick) : nil)
  }

  private static func part(_ model: ConfigReader, _ key: Name) throws(ClipError) -> ConfigReader {
    guard let found = try model.object(key) else { throw model.error(CLIP_FORMAT, key, "an object") }
    return found
  }

  private static func readImage(
    _ vision: ConfigReader, _ embedding: Int, _ quick: Bool, _ whole: ConfigReader
  ) throws(ClipError) -> ModelConfig.Image {
    try OpenClipKeys.check(vision, OpenClipKeys.vision)
    let size = try vision.sides("image_size", Sides(224))
    let isResNet = vision.json["layers"]?.array != nil
    let tower =
      isResNet ? try readResNet(vision, size, embedding) : try readTransformer(vision, size, embedding, quick)
    let place = "\(vision.prefix)image_size"
    return ModelConfig.Image(tower: tower, preprocess: try OpenClipPreprocess.read(whole, size, place))
  }

  private static func readTransformer(
    _ vision: ConfigReader, _ size: Sides, _ embedding: Int, _ quick: Bool
  ) throws(ClipError) -> TowerDescription {
    let width = try vision.int("width", 768, ConfigReader.widths)
    let head = try vision.int("head_width", 64, ConfigReader.widths)
    try vision.divides(head, "head_width", width, "width")
    let patch = try vision.sides("patch_size", Sides(16))
    guard patch.height == patch.width else { throw vision.error(CLIP_UNSUPPORTED, "patch_size", "square patches") }
    try vision.divides(patch.height, "patch_size", size.height, "image_size")
    try vision.divides(patch.width, "patch_size", size.width, "image_size")
    return VisionTransformerConfig(
      image: size, patch: patch.height, width: width, layers: try vision.int("layers", 12, ConfigReader.layers),
      heads: width / head, mlpWidth: try mlpWidth(vision, width), activation: try activation(vision, quick),
      embedding: embedding, epsilon: try epsilon(vision)
    ).tower
  }

  private static func readResNet(
    _ vision: ConfigReader, _ size: Sides, _ embedding: Int
  ) throws(ClipError) -> TowerDescription {
    var layers: [Int] = []
    for element in vision.json["layers"]?.array ?? [] {
      guard let count = element.int, ConfigReader.layers.contains(count) else { break }
      layers.append(count)
    }
    guard layers.count == 4, vision.json["layers"]?.array?.count == 4 else {
      throw vision.error(CLIP_FORMAT, "layers", "one integer or four, from 1 to \(ConfigReader.layers.upperBound)")
    }
    // The stem is half as wide; the last stage has 32 times the width and a 32nd of the sides.
    let width = try vision.int("width", 768, 2...(1 << 15))
    guard width % 2 == 0 else { throw vision.error(CLIP_FORMAT, "width", "an even integer") }
    let head = try vision.int("head_width", 64, ConfigReader.widths)
    guard width * 32 % head == 0 else {
      throw ClipError(
        CLIP_FORMAT,
        "\(vision.place): 32 times \(vision.prefix)width \(width) "
          + "is not a multiple of \(vision.prefix)head_width \(head)")
    }
    guard size.height % 32 == 0, size.width % 32 == 0 else {
      throw ClipError(
        CLIP_FORMAT,
        "\(vision.place): \(vision.prefix)image_size \(size.text) is not a multiple of 32, by which a ResNet shrinks it"
      )
    }
    return ResNetConfig(image: size, width: width, layers: layers, heads: width * 32 / head, embedding: embedding).tower
  }

  private static func readText(
    _ text: ConfigReader, _ embedding: Int, _ quick: Bool
  ) throws(ClipError) -> ModelConfig.Text {
    try OpenClipKeys.check(text, OpenClipKeys.text)
    let width = try text.int("width", 512, ConfigReader.widths)
    let heads = try text.int("heads", 8, ConfigReader.widths)
    try text.divides(heads, "heads", width, "width")
    return TextTransformerConfig(
      vocabulary: try text.int("vocab_size", 49408, ConfigReader.widths),
      context: try text.int("context_length", 77, 2...ConfigReader.sides.upperBound), width: width,
      layers: try text.int("layers", 12, ConfigReader.layers), heads: heads, mlpWidth: try mlpWidth(text, width),
      activation: try activation(text, quick), embedding: embedding, epsilon: try epsilon(text), endToken: -1
    ).text
  }

  /// Rounded down, as Python's int() does.
  private static func mlpWidth(_ config: ConfigReader, _ width: Int) throws(ClipError) -> Int {
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

  /// act_kwargs go to PyTorch's GELU, which knows {"approximate": "none" or "tanh"}.
  private static func activation(_ config: ConfigReader, _ quick: Bool) throws(ClipError) -> Name {
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

  private static func epsilon(_ config: ConfigReader) throws(ClipError) -> Double {
    guard let options = try config.object("norm_kwargs"), let members = options.json.object, !members.isEmpty else {
      return 1e-5
    }
    guard members.count == 1, options.has("eps") else {
      throw config.error(CLIP_UNSUPPORTED, "norm_kwargs", "\"eps\" alone")
    }
    return try options.number("eps", 1e-5, 1e-12...1)
  }
}
