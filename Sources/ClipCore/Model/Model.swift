import CClip
import CSystem

/// An open model. Immutable, so every call may come from any thread.
final class Model {
  let runtime: Runtime
  /// What it was opened from.
  let folder: String
  let layout: StaticString
  let image: Tower?
  let text: Tower?
  let tokenizer: Tokenizer?
  let preprocess: PreprocessConfig
  let embeddingWidth: Int
  /// Tokens of one text; 0 without the text tower.
  let contextLength: Int
  let vocabularySize: Int
  /// What cosines are multiplied with.
  let logitScale: Float
  let logitBias: Float?
  let storage: clip_storage
  let imageScratch = IdlePool<ImageScratch>()
  let textScratch = IdlePool<TextScratch>()
  /// Plugin ids for C callers, as long as this lives.
  private let strings: [Memory]

  convenience init(runtime: Runtime, folder: String, _ options: clip_model_options) throws(ClipError) {
    let known = UInt32(CLIP_TOWER_IMAGE) | UInt32(CLIP_TOWER_TEXT)
    guard options.towers & ~known == 0 else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "towers: expected CLIP_TOWER_* bits, found \(options.towers)")
    }
    guard options.flags & ~UInt32(CLIP_OPEN_ALLOW_EXTRA_TENSORS | CLIP_OPEN_WITHOUT_WEIGHTS) == 0 else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "flags: expected CLIP_OPEN_* bits, found \(options.flags)")
    }
    guard options.storage.rawValue <= CLIP_STORAGE_BF16.rawValue else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "storage: expected a clip_storage, found \(options.storage.rawValue)")
    }
    guard runtime.kernels.supports(options.storage) else {
      throw ClipError(CLIP_UNSUPPORTED, "storage: the kernels in use cannot read it")
    }
    let wanted = options.towers == 0 ? known : options.towers
    let wantsImage = wanted & UInt32(CLIP_TOWER_IMAGE) != 0
    let wantsText = wanted & UInt32(CLIP_TOWER_TEXT) != 0
    let description = try ModelDescription.open(folder: folder, image: wantsImage, text: wantsText)
    if options.towers != 0, wantsImage && description.image == nil || wantsText && description.text == nil {
      throw ClipError(
        CLIP_UNSUPPORTED, folder + ": towers: the model has no \(description.image == nil && wantsImage ? "image" : "text") tower")
    }
    let source = ParameterSource(description.checkpoint, description.names)

    let imagePlan = try description.image.map { tower throws(ClipError) in
      try TowerPlan(tower, tower: CLIP_TOWER_IMAGE, plugins: runtime.plugins)
    }
    let textPlan = try description.text.map { tower throws(ClipError) in
      try TowerPlan(tower, tower: CLIP_TOWER_TEXT, plugins: runtime.plugins)
    }

    let preprocess = description.preprocess
    if let pixels = imagePlan?.pixels, pixels.height != preprocess.height || pixels.width != preprocess.width {
      throw ClipError(
        CLIP_FORMAT,
        "\(folder): pictures become \(preprocess.height) x \(preprocess.width) pixels, "
          + "but the encoder takes \(pixels.height) x \(pixels.width)")
    }

    let parameters = (imagePlan?.parameters ?? []) + (textPlan?.parameters ?? [])
    try Model.check(parameters, source, folder, image: imagePlan != nil, text: textPlan != nil, options, runtime.log)

    for width in [imagePlan?.width, textPlan?.width] {
      if let width, width != description.embeddingWidth {
        throw ClipError(CLIP_FORMAT, folder + ": expected embeddings of \(description.embeddingWidth), the encoder makes \(width)")
      }
    }
    let loader =
      options.flags & UInt32(CLIP_OPEN_WITHOUT_WEIGHTS) != 0
      ? nil : ParameterLoader(source: source, kernels: runtime.kernels, storage: options.storage)
    let image = try imagePlan.map { plan throws(ClipError) in
      try Tower(plan, loader: loader, kernels: runtime.kernels)
    }
    let text = try textPlan.map { plan throws(ClipError) in
      try Tower(plan, loader: loader, kernels: runtime.kernels)
    }
    let tokenizer = try textPlan?.tokens.flatMap { tokens throws(ClipError) in
      try Model.tokenizer(folder, description, tokens)
    }
    self.init(
      runtime, folder, description, image, text, tokenizer, options.storage,
      logitScale: try description.logitScale.map { name throws(ClipError) in expf(try source.number(name)) } ?? 1,
      logitBias: try description.logitBias.map { name throws(ClipError) in try source.number(name) },
      tokens: textPlan?.tokens,
      strings: try [image, text].map { tower throws(ClipError) in try Model.cString(tower?.encoderID ?? "") })
  }

  private init(
    _ runtime: Runtime, _ folder: String, _ description: ModelDescription, _ image: Tower?, _ text: Tower?, _ tokenizer: Tokenizer?,
    _ storage: clip_storage, logitScale: Float, logitBias: Float?, tokens: TokenInput?, strings: [Memory]
  ) {
    self.runtime = runtime
    self.folder = folder
    self.image = image
    self.text = text
    self.tokenizer = tokenizer
    self.storage = storage
    self.logitScale = logitScale
    self.logitBias = logitBias
    self.strings = strings
    layout = description.layout.name
    preprocess = description.preprocess
    embeddingWidth = description.embeddingWidth
    contextLength = tokens?.contextLength ?? 0
    vocabularySize = tokens?.vocabulary ?? 0
  }

  /// nil where the caller brings tokens.
  private static func tokenizer(
    _ folder: String, _ description: ModelDescription, _ tokens: TokenInput
  ) throws(ClipError) -> Tokenizer? {
    switch description.tokenizer {
    case .none: return nil
    case .bytePairs:
      return try Tokenizer.load(
        folder: folder, isHuggingFace: description.layout != .openClip, contextLength: tokens.contextLength,
        vocabularySize: tokens.vocabulary)
    case .wordPiece, .sentencePiece:
      throw ClipError(
        CLIP_UNSUPPORTED,
        "\(folder): expected a tokenizer of byte pairs, the model's is "
          + (description.tokenizer == .wordPiece ? "WordPiece" : "SentencePiece"))
    }
  }

  /// Every tensor has the shape that the encoders expect, and none is left over.
  private static func check(
    _ parameters: [Parameter], _ source: ParameterSource, _ folder: String, image: Bool, text: Bool,
    _ options: clip_model_options, _ log: Log
  ) throws(ClipError) {
    var problems = TensorProblems()
    for parameter in parameters { problems.check(parameter, in: source) }
    let extra = source.unused(after: parameters.map { $0.name }, image: image, text: text)
    let allowed = options.flags & UInt32(CLIP_OPEN_ALLOW_EXTRA_TENSORS) != 0
    for name in extra {
      if allowed { log.warning(folder + ": extra tensor: " + name.string) } else { problems.addExtra(name) }
    }
    if let error = problems.error(folder) { throw error }
  }

  private static func cString(_ name: Name) throws(ClipError) -> Memory {
    let memory = try Memory(byteCount: name.utf8.count + 1, for: "a name")
    for (index, byte) in name.utf8.enumerated() { memory.bytes[index] = byte }
    memory.bytes[name.utf8.count] = 0
    return memory
  }

  /// The id of the image or text encoder, NUL-terminated.
  func encoderID(_ index: Int) -> UnsafePointer<CChar> {
    UnsafeRawPointer(strings[index].base).assumingMemoryBound(to: CChar.self)
  }

  func imageTower() throws(ClipError) -> Tower {
    guard let image else { throw ClipError(CLIP_UNSUPPORTED, "model: its image tower was left out when it was opened, or it has none") }
    return image
  }

  func textTower() throws(ClipError) -> Tower {
    guard let text else { throw ClipError(CLIP_UNSUPPORTED, "model: its text tower was left out when it was opened, or it has none") }
    return text
  }
}
