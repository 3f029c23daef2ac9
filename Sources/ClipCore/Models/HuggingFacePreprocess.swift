import CClip

/// Hugging Face's preprocessor_config.json, or the "image_processor" of a processor_config.json, where transformers 5
/// writes it: the processor that it names, with its options.
enum HuggingFacePreprocess {
  /// `size` is the size of the tower, from the config at `configPlace`; nil for any. `family` is the processor if the
  /// file names none.
  static func read(
    _ folder: String, _ size: Sides?, _ configPlace: String, _ family: Name = "CLIP"
  ) throws(ClipError) -> PreprocessConfig {
    let place = join(folder, "preprocessor_config.json")
    var config = try ConfigReader(.object([]), place: place)
    if let found = try find(folder) { config = found }
    let processor = try processor(config, family)
    guard !(try config.bool("do_pad", false)) else { throw config.error(CLIP_UNSUPPORTED, "do_pad", "false") }
    // Without a file the size of images is that of the tower.
    var result = try readGeometry(config, processor, config.json.object?.isEmpty == true ? size : nil)
    if let size, Sides(height: result.height, width: result.width) != size {
      throw ClipError(
        CLIP_FORMAT,
        "\(config.place): images become \(Sides(height: result.height, width: result.width).text) pixels, "
          + "but image_size of \(configPlace) is \(size.text)")
    }
    result.cropsAsTransformers = true
    result.resizesFloats = processor.name == "DINOv3ViT"
    result.resample = try resample(config, processor)
    result.rescale =
      try config.bool("do_rescale", true) ? Float(try config.number("rescale_factor", 1.0 / 255.0, 1e-9...1e9)) : 1
    // MobileViT's images are blue, green and red, and not normalised.
    let isMobile = processor.name == "MobileViT"
    result.swapsChannels = isMobile ? try config.bool("do_flip_channel_order", true) : false
    let isNormalised = try config.bool("do_normalize", !isMobile)
    guard !isMobile || !isNormalised else { throw config.error(CLIP_UNSUPPORTED, "do_normalize", "false") }
    if isNormalised {
      result.mean = try config.channels("image_mean", processor.mean, zeroAllowed: true)
      result.std = try config.channels("image_std", processor.std, zeroAllowed: false)
    } else {
      result.mean = [0, 0, 0]
      result.std = [1, 1, 1]
    }
    if processor.name == "EfficientNet" { try adjust(&result, config, processor) }
    return result
  }

  /// EfficientNetImageProcessor's: 1 is taken off, and the result divided by the deviation once more.
  private static func adjust(
    _ result: inout PreprocessConfig, _ config: ConfigReader, _ processor: HuggingFaceProcessor
  ) throws(ClipError) {
    if try config.bool("rescale_offset", false), try config.bool("do_rescale", true) {
      result.mean = result.mean.map { $0 + 1 }
    }
    if try config.bool("include_top", true) {
      let std = try config.channels("image_std", processor.std, zeroAllowed: false)
      for channel in 0..<3 { result.std[channel] *= std[channel] }
    }
  }

  private static func find(_ folder: String) throws(ClipError) -> ConfigReader? {
    let path = join(folder, "preprocessor_config.json")
    if try FileKind(path) != .absent { return try ConfigReader(path: path) }
    let shared = join(folder, "processor_config.json")
    if try FileKind(shared) == .absent { return nil }
    return try ConfigReader(path: shared).object("image_processor")
  }

  /// Other processors have other defaults, and steps of their own.
  private static func processor(_ config: ConfigReader, _ family: Name) throws(ClipError) -> HuggingFaceProcessor {
    var found = HuggingFaceProcessor.named(family + "ImageProcessor")
    let keys: [StaticString] = ["feature_extractor_type", "image_processor_type"]
    for key in keys where config.has(key) {
      found = HuggingFaceProcessor.named(try config.string(key, ""))
      if found == nil {
        var names = ""
        for known in HuggingFaceProcessor.all { names += (names.isEmpty ? "" : ", ") + known.name.string }
        throw config.error(CLIP_UNSUPPORTED, key, "the processor of one of " + names)
      }
    }
    guard let found else { throw config.error(CLIP_UNSUPPORTED, "image_processor_type", "an image processor") }
    return found
  }

  /// The size of the result, and how an image gets there.
  private static func readGeometry(
    _ config: ConfigReader, _ processor: HuggingFaceProcessor, _ fallback: Sides?
  ) throws(ClipError) -> PreprocessConfig {
    let hasCrop = try config.bool("do_center_crop", processor.crop != nil)
    guard !hasCrop || processor.crop != nil || config.has("crop_size") else {
      throw config.error(CLIP_UNSUPPORTED, "crop_size", "the size of the crop")
    }
    var crop = hasCrop ? try sides(config, "crop_size", fallback ?? Sides(processor.crop ?? 224)) : nil
    guard try config.bool("do_resize", true) else {
      guard let crop else {
        throw config.error(CLIP_UNSUPPORTED, "do_center_crop", "true where do_resize is false")
      }
      return PreprocessConfig(
        width: crop.width, height: crop.height, resizeTo: min(crop.width, crop.height), mode: .none)
    }
    if let edge = try shortestEdge(config, processor, fallback) {
      if processor.name == "ConvNext" { return try convNeXtGeometry(config, edge) }
      guard let crop else {
        throw config.error(CLIP_UNSUPPORTED, "do_center_crop", "true where size is a shortest edge")
      }
      return PreprocessConfig(width: crop.width, height: crop.height, resizeTo: edge)
    }
    var own = fallback ?? Sides(224)
    if case .square(let side) = processor.size, fallback == nil { own = Sides(side) }
    let size = try sides(config, "size", own)
    if crop == nil { crop = size }
    let result = crop ?? size
    var geometry = PreprocessConfig(
      width: result.width, height: result.height, resizeTo: min(result.width, result.height), mode: .squash)
    if result != size { geometry.squashTo = size }
    return geometry
  }

  /// ConvNextImageProcessor: images smaller than 384 pixels are cropped from larger ones.
  private static func convNeXtGeometry(_ config: ConfigReader, _ edge: Int) throws(ClipError) -> PreprocessConfig {
    let share = try config.number("crop_pct", 224.0 / 256, 0.01...1)
    guard edge < 384 else { return PreprocessConfig(width: edge, height: edge, resizeTo: edge, mode: .squash) }
    return PreprocessConfig(width: edge, height: edge, resizeTo: Int(Double(edge) / share))
  }

  /// The size as {"shortest_edge"}, or as an integer if the processor takes one so; nil if it has height and width.
  private static func shortestEdge(
    _ config: ConfigReader, _ processor: HuggingFaceProcessor, _ fallback: Sides?
  ) throws(ClipError) -> Int? {
    var edge: Int?
    if case .edge(let side) = processor.size { edge = side }
    guard let size = config.json["size"] else {
      return edge.map { own in fallback.map { min($0.height, $0.width) } ?? own }
    }
    if size.array != nil { return nil }
    if size.int != nil { return edge == nil ? nil : try config.int("size", nil, ConfigReader.sides) }
    guard let object = try config.object("size") else { return nil }
    guard !object.has("longest_edge"), !object.has("max_height"), !object.has("max_width") else {
      throw config.error(CLIP_UNSUPPORTED, "size", "shortest_edge, or height and width, alone")
    }
    return object.has("shortest_edge") ? try object.int("shortest_edge", nil, ConfigReader.sides) : nil
  }

  /// An integer, [height, width] or {"height", "width"}.
  private static func sides(_ config: ConfigReader, _ key: StaticString, _ fallback: Sides) throws(ClipError) -> Sides {
    guard config.json[key]?.object != nil, let object = try config.object(key) else {
      return try config.sides(key, fallback)
    }
    return Sides(
      height: try object.int("height", nil, ConfigReader.sides), width: try object.int("width", nil, ConfigReader.sides)
    )
  }

  /// The filter by Pillow's number.
  private static func resample(
    _ config: ConfigReader, _ processor: HuggingFaceProcessor
  ) throws(ClipError) -> PreprocessConfig.Resample {
    guard config.has("resample") else { return processor.resample }
    switch try config.int("resample", nil, 0...5) {
    case 0: return .nearest
    case 1: return .lanczos
    case 2: return .bilinear
    case 3: return .bicubic
    default:
      throw config.error(CLIP_UNSUPPORTED, "resample", "0 (nearest), 1 (Lanczos), 2 (bilinear) or 3 (bicubic)")
    }
  }
}
