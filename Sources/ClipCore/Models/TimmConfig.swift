import CClip

/// The config.json of timm's folders on the hub, and of transformers' timm_wrapper: an architecture by its name.
enum TimmConfig {
  /// nil: the file names no architecture.
  static func read(
    _ config: ConfigReader, _ weights: StoredTensors, image: Bool
  ) throws(ClipError) -> ModelConfig? {
    guard config.has("architecture") else { return nil }
    let isWrapper = try config.string("model_type", "") == "timm_wrapper"
    let scope: Name = isWrapper ? "timm_model" : ""
    let details = try config.object("pretrained_cfg") ?? config
    let size = try inputSize(details)
    var request = TimmRequest(
      architecture: OpenClipTimm.withoutTag(try config.string("architecture", "")), image: size, scope: scope)
    request.isFused = weights.hasFusedConvolutions
    let pool = try config.string("global_pool", "")
    if !pool.isEmpty { request.pool = pool }
    guard let found = try TimmFamilies.read(request) else {
      throw config.error(CLIP_UNSUPPORTED, "architecture", "one of docs/models.md")
    }
    let names = TensorNames(
      rules: found.rules, isDirect: true, antialiasesPositions: true, imagePrefixes: [""],
      ignoredPrefixes: [request.scoped(found.head) + ".", request.scoped("head_dist.")])
    var result = ModelConfig(embeddingWidth: found.width, names: names)
    if image { result.image = ModelConfig.Image(tower: found.tower, preprocess: try preprocess(details, size)) }
    return result
  }

  /// [channels, height, width].
  private static func inputSize(_ weights: ConfigReader) throws(ClipError) -> Sides {
    guard let sides = weights.json["input_size"]?.array else {
      if weights.has("input_size") { throw weights.error(CLIP_FORMAT, "input_size", "[3, height, width]") }
      return Sides(224)
    }
    let numbers = sides.compactMap { $0.int }
    guard numbers.count == 3, numbers[0] == 3, ConfigReader.sides.contains(numbers[1]),
      ConfigReader.sides.contains(numbers[2])
    else { throw weights.error(CLIP_FORMAT, "input_size", "[3, height, width]") }
    return Sides(height: numbers[1], width: numbers[2])
  }

  /// timm's transforms_imagenet_eval.
  private static func preprocess(_ weights: ConfigReader, _ size: Sides) throws(ClipError) -> PreprocessConfig {
    let part = try weights.number("crop_pct", 0.875, 0.01...1)
    func scaled(_ side: Int) -> Int { Int((Double(side) / part).rounded(.down)) }
    let shorter = min(size.height, size.width)
    var result = PreprocessConfig(width: size.width, height: size.height, resizeTo: scaled(shorter))
    let mode = try weights.string("crop_mode", "center")
    switch mode {
    case "center":
      if size.height != size.width {
        throw weights.error(CLIP_UNSUPPORTED, "input_size", "a square")
      }
    case "squash":
      result.mode = .squash
      result.squashTo = Sides(height: scaled(size.height), width: scaled(size.width))
    default: throw weights.error(CLIP_UNSUPPORTED, "crop_mode", "\"center\" or \"squash\"")
    }
    guard let resample = PreprocessConfig.Resample(try weights.string("interpolation", "bicubic")) else {
      throw weights.error(CLIP_UNSUPPORTED, "interpolation", "\"bicubic\", \"bilinear\", \"lanczos\" or \"nearest\"")
    }
    result.resample = resample
    result.mean = try weights.channels("mean", [0.485, 0.456, 0.406], zeroAllowed: true)
    result.std = try weights.channels("std", [0.229, 0.224, 0.225], zeroAllowed: false)
    return result
  }
}
