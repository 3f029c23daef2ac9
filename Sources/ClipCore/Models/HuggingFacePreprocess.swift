import CClip

/// Hugging Face's preprocessor_config.json as CLIPImageProcessor, SiglipImageProcessor or ViTImageProcessor
/// takes it, or the "image_processor" of a processor_config.json, where transformers 5 writes it.
enum HuggingFacePreprocess {
  enum Family {
    case clip, siglip, vit

    /// What its processors' names start with.
    var name: Name {
      switch self {
      case .clip: "CLIP"
      case .siglip: "Siglip"
      case .vit: "ViT"
      }
    }
  }

  /// `size` is the tower's, of the config at `configPlace`. Without a file, the family's defaults.
  static func read(
    _ folder: String, _ size: Sides, _ configPlace: String, _ family: Family = .clip
  ) throws(ClipError) -> PreprocessConfig {
    guard let config = try find(folder) else { return defaults(size, family) }
    try checkProcessor(config, family)
    var result = family == .clip ? try readGeometry(config) : defaults(try sides(config, "size", Sides(224)), family)
    let resizes = try config.bool("do_resize", true)
    guard family == .clip || resizes else {
      throw config.error(CLIP_UNSUPPORTED, "do_resize", "true")
    }
    guard Sides(height: result.height, width: result.width) == size else {
      throw ClipError(
        CLIP_FORMAT,
        "\(config.place): images become \(Sides(height: result.height, width: result.width).text) pixels, "
          + "but image_size of \(configPlace) is \(size.text)")
    }
    result.resample = try resample(config, family)
    result.rescale =
      try config.bool("do_rescale", true) ? Float(try config.number("rescale_factor", 1.0 / 255.0, 1e-9...1e9)) : 1
    if try config.bool("do_normalize", true) {
      result.mean = try config.channels("image_mean", result.mean, zeroAllowed: true)
      result.std = try config.channels("image_std", result.std, zeroAllowed: false)
    } else {
      result.mean = [0, 0, 0]
      result.std = [1, 1, 1]
    }
    return result
  }

  /// SigLIP and ViT squash images, and map their values to [-1, 1].
  private static func defaults(_ size: Sides, _ family: Family) -> PreprocessConfig {
    var result = PreprocessConfig(width: size.width, height: size.height, resizeTo: min(size.width, size.height))
    guard family != .clip else { return result }
    result.mode = .squash
    if family == .vit { result.resample = .bilinear }
    result.mean = [0.5, 0.5, 0.5]
    result.std = [0.5, 0.5, 0.5]
    return result
  }

  private static func find(_ folder: String) throws(ClipError) -> ConfigReader? {
    let path = join(folder, "preprocessor_config.json")
    if try FileKind(path) != .absent { return try ConfigReader(path: path) }
    let shared = join(folder, "processor_config.json")
    if try FileKind(shared) == .absent { return nil }
    return try ConfigReader(path: shared).object("image_processor")
  }

  /// Other processors have other defaults, and steps of their own.
  private static func checkProcessor(_ config: ConfigReader, _ family: Family) throws(ClipError) {
    let keys: [Name] = ["image_processor_type", "feature_extractor_type"]
    for key in keys where config.has(key) {
      guard try config.string(key, "").hasPrefix(family.name) else {
        throw config.error(CLIP_UNSUPPORTED, key, family.name.string + "'s")
      }
    }
    guard !(try config.bool("do_pad", false)) else { throw config.error(CLIP_UNSUPPORTED, "do_pad", "false") }
  }

  /// The size of the result, and how an image gets there.
  private static func readGeometry(_ config: ConfigReader) throws(ClipError) -> PreprocessConfig {
    let crop: Sides? = try config.bool("do_center_crop", true) ? try sides(config, "crop_size", Sides(224)) : nil
    guard try config.bool("do_resize", true) else {
      guard let crop else {
        throw config.error(CLIP_UNSUPPORTED, "do_center_crop", "true where do_resize is false")
      }
      return PreprocessConfig(
        width: crop.width, height: crop.height, resizeTo: min(crop.width, crop.height), mode: .none)
    }
    if let edge = try shortestEdge(config) {
      guard let crop else {
        throw config.error(CLIP_UNSUPPORTED, "do_center_crop", "true where size is a shortest edge")
      }
      return PreprocessConfig(width: crop.width, height: crop.height, resizeTo: edge)
    }
    let size = try sides(config, "size", Sides(224))
    guard crop == nil || crop == size else {
      throw ClipError(
        CLIP_UNSUPPORTED,
        "\(config.place): expected size to be a shortest edge or the same as crop_size, "
          + "found \(size.text) and \(crop?.text ?? "")")
    }
    return PreprocessConfig(
      width: size.width, height: size.height, resizeTo: min(size.width, size.height), mode: .squash)
  }

  /// size as an integer or {"shortest_edge"}; nil if it is height and width.
  private static func shortestEdge(_ config: ConfigReader) throws(ClipError) -> Int? {
    guard let size = config.json["size"], size.array == nil else { return config.has("size") ? nil : 224 }
    if size.int != nil { return try config.int("size", nil, ConfigReader.sides) }
    guard let object = try config.object("size") else { return nil }
    guard !object.has("longest_edge"), !object.has("max_height"), !object.has("max_width") else {
      throw config.error(CLIP_UNSUPPORTED, "size", "shortest_edge, or height and width, alone")
    }
    return object.has("shortest_edge") ? try object.int("shortest_edge", nil, ConfigReader.sides) : nil
  }

  /// An integer, [height, width] or {"height", "width"}.
  private static func sides(_ config: ConfigReader, _ key: Name, _ fallback: Sides) throws(ClipError) -> Sides {
    guard config.json[key]?.object != nil, let object = try config.object(key) else {
      return try config.sides(key, fallback)
    }
    return Sides(
      height: try object.int("height", nil, ConfigReader.sides), width: try object.int("width", nil, ConfigReader.sides)
    )
  }

  /// Pillow's numbers for its filters.
  private static func resample(_ config: ConfigReader, _ family: Family) throws(ClipError) -> PreprocessConfig.Resample
  {
    switch try config.int("resample", family == .vit ? 2 : 3, 0...5) {
    case 0: return .nearest
    case 1: return .lanczos
    case 2: return .bilinear
    case 3: return .bicubic
    default:
      throw config.error(CLIP_UNSUPPORTED, "resample", "0 (nearest), 1 (Lanczos), 2 (bilinear) or 3 (bicubic)")
    }
  }
}
