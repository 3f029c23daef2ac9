import CClip

/// open_clip's preprocess_cfg, with PreprocessCfg's defaults.
enum OpenClipPreprocess {
  /// `size` is the tower's, from the key `sizeKey` of the same file. open_clip means by "shortest"
  /// that the image covers the size; for squares that is torchvision's Resize(int).
  static func read(_ whole: ConfigReader, _ size: Sides, _ sizeKey: String) throws(ClipError) -> PreprocessConfig {
    var result = PreprocessConfig(width: size.width, height: size.height, resizeTo: min(size.width, size.height))
    guard let config = try whole.object("preprocess_cfg") else {
      if size.height != size.width { result.mode = .cover }
      return result
    }
    let own = try config.sides("size", size)
    guard own == size else {
      throw ClipError(
        CLIP_FORMAT, "\(config.place): \(config.prefix)size is \(own.text), but \(sizeKey) is \(size.text)")
    }
    guard try config.string("mode", "RGB") == "RGB" else { throw config.error(CLIP_UNSUPPORTED, "mode", "\"RGB\"") }
    result.mean = try config.channels("mean", result.mean, zeroAllowed: true)
    result.std = try config.channels("std", result.std, zeroAllowed: false)
    result.fill = try fill(config)
    switch try config.string("interpolation", "bicubic") {
    // "random" is for training; open_clip's inference is bicubic then.
    case "bicubic", "random": result.resample = .bicubic
    case "bilinear": result.resample = .bilinear
    default: throw config.error(CLIP_UNSUPPORTED, "interpolation", "\"bicubic\" or \"bilinear\"")
    }
    switch try config.string("resize_mode", "shortest") {
    case "shortest":
      result.mode = size.height == size.width ? .shortest : .cover
    case "longest": result.mode = .longest
    case "squash": result.mode = .squash
    default: throw config.error(CLIP_UNSUPPORTED, "resize_mode", "\"shortest\", \"longest\" or \"squash\"")
    }
    return result
  }

  /// One 0 to 255 for all channels, or three.
  static func fill(_ config: ConfigReader) throws(ClipError) -> [UInt8] {
    guard let value = config.json["fill_color"] else { return [0, 0, 0] }
    let elements = value.array ?? [value, value, value]
    var fill: [UInt8] = []
    for element in elements {
      if let channel = element.int.flatMap({ UInt8(exactly: $0) }) { fill.append(channel) }
    }
    guard elements.count == 3, fill.count == 3 else {
      throw config.error(CLIP_FORMAT, "fill_color", "an integer from 0 to 255, or three")
    }
    return fill
  }
}
