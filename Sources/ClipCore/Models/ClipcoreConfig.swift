import CClip

/// clipcore.json: any image encoder and any text encoder, each with a projection or without, as one model
/// (docs/models.md). An unknown key is an error.
enum ClipcoreConfig {
  static let file: Name = "clipcore.json"

  static func read(_ folder: String, image: Bool, text: Bool) throws(ClipError) -> ModelConfig {
    let config = try ConfigReader(path: join(folder, file))
    try checkKeys(
      config, ["version", "embed_dim", "image", "text", "logit_scale", "logit_bias", "weights", "ignore"])
    _ = try config.int("version", nil, 1...1)
    let embedding = try config.int("embed_dim", nil, ConfigReader.widths)
    let imagePart = try config.object("image")
    let textPart = try config.object("text")
    guard imagePart != nil || textPart != nil else {
      throw ClipError(CLIP_FORMAT, "\(config.place): expected image, text or both, found neither")
    }
    var result = ModelConfig(embeddingWidth: embedding)
    if image, let imagePart { result.image = try readImage(imagePart, embedding) }
    if text, let textPart { result.text = try readText(textPart, embedding) }
    result.logitScale = try tensor(config, "logit_scale")
    result.logitBias = try tensor(config, "logit_bias")
    if let weights = try tensor(config, "weights") {
      guard isFileName(weights) else { throw config.error(CLIP_FORMAT, "weights", "the name of a file beside it") }
      result.weightFiles = [weights]
    }
    result.names = .direct(
      image: try prefixes(imagePart), text: try prefixes(textPart), ignored: try names(config, "ignore"),
      others: [result.logitScale, result.logitBias].compactMap { $0 })
    return result
  }

  private static func readImage(_ part: ConfigReader, _ embedding: Int) throws(ClipError) -> ModelConfig.Image {
    try checkKeys(part, ["encoder", "config", "scope", "projection", "preprocess"])
    guard let preprocess = try part.object("preprocess") else {
      throw part.error(CLIP_FORMAT, "preprocess", "an object with the size of images")
    }
    let settings = try readPreprocess(preprocess)
    var tower = try readTower(part, embedding)
    // The image size is given once, unless the encoder's configuration has its own.
    var members = tower.config.object ?? []
    if tower.config["image_height"] == nil { members.append(("image_height", .int(settings.height))) }
    if tower.config["image_width"] == nil { members.append(("image_width", .int(settings.width))) }
    tower.config = .object(members)
    return ModelConfig.Image(tower: tower, preprocess: settings)
  }

  private static func readText(_ part: ConfigReader, _ embedding: Int) throws(ClipError) -> ModelConfig.Text {
    try checkKeys(part, ["encoder", "config", "scope", "projection", "tokenizer"])
    let tower = try readTower(part, embedding)
    guard let tokenizer = TokenizerKind(try part.string("tokenizer", "")) else {
      throw part.error(
        CLIP_FORMAT, "tokenizer",
        "\"folder\", \"clip\", \"wordpiece\", \"sentencepiece\", \"siglip\", \"none\" or the id of a plugin")
    }
    return ModelConfig.Text(tower: tower, tokenizer: tokenizer)
  }

  private static func readTower(_ part: ConfigReader, _ embedding: Int) throws(ClipError) -> TowerDescription {
    guard part.json["encoder"]?.string != nil else { throw part.error(CLIP_FORMAT, "encoder", "a plugin's id") }
    var tower = TowerDescription(
      encoder: try part.string("encoder", ""), config: try part.object("config")?.json ?? .object([]),
      scope: try part.string("scope", ""))
    if let projection = try part.object("projection") {
      try checkKeys(projection, ["name", "bias"])
      guard let name = try tensor(projection, "name") else { throw projection.error(CLIP_FORMAT, "name", "a string") }
      tower.head = [.linear(name, width: embedding, hasBias: try projection.bool("bias", true))]
    }
    return tower
  }

  /// The prefixes of a tower's tensors.
  private static func prefixes(_ part: ConfigReader?) throws(ClipError) -> [Name] {
    guard let part else { return [] }
    let scope = try part.string("scope", "")
    let projection = try part.object("projection")?.string("name", "") ?? ""
    return [scope.isEmpty ? "" : scope + "."] + (projection.isEmpty ? [] : [projection + "."])
  }

  /// CLIP's preprocessing, with the keys that are given.
  private static func readPreprocess(_ config: ConfigReader) throws(ClipError) -> PreprocessConfig {
    try checkKeys(config, ["size", "resize_to", "resize_mode", "interpolation", "mean", "std", "fill_color"])
    guard config.has("size") else { throw config.error(CLIP_FORMAT, "size", "an integer or [height, width]") }
    let size = try config.sides("size", Sides(1))
    let smaller = min(size.height, size.width)
    var result = PreprocessConfig(
      width: size.width, height: size.height, resizeTo: try config.int("resize_to", smaller, ConfigReader.sides))
    result.mean = try config.channels("mean", result.mean, zeroAllowed: true)
    result.std = try config.channels("std", result.std, zeroAllowed: false)
    result.fill = try OpenClipPreprocess.fill(config)
    guard let resample = PreprocessConfig.Resample(try config.string("interpolation", "bicubic")) else {
      throw config.error(CLIP_FORMAT, "interpolation", "\"nearest\", \"bilinear\", \"bicubic\" or \"lanczos\"")
    }
    result.resample = resample
    switch try config.string("resize_mode", "shortest") {
    case "shortest": result.mode = .shortest
    case "longest": result.mode = .longest
    case "squash": result.mode = .squash
    case "none": result.mode = .none
    default:
      throw config.error(CLIP_FORMAT, "resize_mode", "\"shortest\", \"longest\", \"squash\" or \"none\"")
    }
    return result
  }

  /// A name that is not empty; nil if the key is absent.
  private static func tensor(_ config: ConfigReader, _ key: StaticString) throws(ClipError) -> Name? {
    guard config.has(key) else { return nil }
    let name = try config.string(key, "")
    guard !name.isEmpty else { throw config.error(CLIP_FORMAT, key, "a name") }
    return name
  }

  private static func names(_ config: ConfigReader, _ key: StaticString) throws(ClipError) -> [Name] {
    guard config.has(key) else { return [] }
    guard let elements = config.json[key]?.array else { throw config.error(CLIP_FORMAT, key, "an array of names") }
    var names: [Name] = []
    for element in elements {
      guard let name = element.string, !name.isEmpty else { throw config.error(CLIP_FORMAT, key, "an array of names") }
      names.append(name)
    }
    return names
  }

  private static func checkKeys(_ config: ConfigReader, _ known: [Name]) throws(ClipError) {
    for (key, _) in config.json.object ?? [] where !known.contains(key) {
      var list = ""
      for name in known { list += (list.isEmpty ? "" : ", ") + name.string }
      throw ClipError(CLIP_FORMAT, "\(config.place): \(config.prefix)\(key.string): expected one of \(list)")
    }
  }
}
