import CClip
import CSystem

/// A model at one moment. Immutable, so any thread may use it; OpenModel replaces it when a tower is swapped.
final class Model {
  let runtime: Runtime
  let layout: StaticString
  let image: ImageSide?
  let text: TextSide?
  let embeddingWidth: Int
  /// The factor of cosines in logits.
  let logitScale: Float
  let logitBias: Float?
  let imageScratch: IdlePool<ImageScratch>
  let textScratch: IdlePool<TextScratch>

  /// With `isPacked`, weights that would stay in their file until later calls are packed now.
  convenience init(runtime: Runtime, folder: String, _ options: clip_model_options, isPacked: Bool = false)
    throws(ClipError)
  {
    let known = UInt32(CLIP_TOWER_IMAGE) | UInt32(CLIP_TOWER_TEXT)
    guard options.towers & ~known == 0 else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "towers: expected CLIP_TOWER_* bits, found \(options.towers)")
    }
    try requireFlags(options.flags, CLIP_OPEN_ALLOW_EXTRA_TENSORS | CLIP_OPEN_WITHOUT_WEIGHTS, "CLIP_OPEN_")
    guard options.storage.rawValue <= CLIP_STORAGE_INT8_FAST.rawValue else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "storage: expected a clip_storage, found \(options.storage.rawValue)")
    }
    guard runtime.kernels.supports(options.storage) else {
      throw ClipError(CLIP_UNSUPPORTED, "storage: the kernels in use cannot read it")
    }
    let wanted = options.towers == 0 ? known : options.towers
    let wantsImage = wanted & UInt32(CLIP_TOWER_IMAGE) != 0
    let wantsText = wanted & UInt32(CLIP_TOWER_TEXT) != 0
    var description = try ModelDescription.open(
      folder: folder, formats: runtime.plugins.weightFormats, image: wantsImage, text: wantsText)
    if options.image_width != 0 || options.image_height != 0 {
      let size = Sides(height: Int(options.image_height), width: Int(options.image_width))
      try description.setImageSize(size, folder)
    }
    if options.towers != 0, wantsImage && description.image == nil || wantsText && description.text == nil {
      throw ClipError(
        CLIP_UNSUPPORTED,
        folder + ": towers: the model has no \(description.image == nil && wantsImage ? "image" : "text") tower")
    }
    let source = ParameterSource(description.weights, description.names)

    let plugins = runtime.plugins
    let imagePlan = try description.image.map { tower throws(ClipError) in
      try TowerPlan(tower, tower: CLIP_TOWER_IMAGE, plugins: plugins)
    }
    let textPlan = try description.text.map { tower throws(ClipError) in
      try TowerPlan(tower, tower: CLIP_TOWER_TEXT, plugins: plugins)
    }

    let preprocess = description.preprocess
    if let pixels = imagePlan?.pixels, pixels.height != preprocess.height || pixels.width != preprocess.width {
      throw ClipError(
        CLIP_FORMAT,
        "\(folder): images become \(preprocess.height) x \(preprocess.width) pixels, "
          + "but the encoder takes \(pixels.height) x \(pixels.width)")
    }

    let parameters = (imagePlan?.parameters ?? []) + (textPlan?.parameters ?? [])
    try Model.check(parameters, source, folder, image: imagePlan != nil, text: textPlan != nil, options, runtime.log)

    for width in [imagePlan?.width, textPlan?.width] {
      if let width, width != description.embeddingWidth {
        throw ClipError(
          CLIP_FORMAT, folder + ": expected embeddings of \(description.embeddingWidth), the encoder makes \(width)")
      }
    }
    let weights = parameters.reduce(0) { $0 &+ $1.count }
    let progress = LoadProgress(options.progress, total: isPacked ? 2 &* weights : weights)
    let loader =
      options.flags & UInt32(CLIP_OPEN_WITHOUT_WEIGHTS) != 0
      ? nil
      : ParameterLoader(
        source: source, kernels: runtime.kernels, threads: runtime.threads, storage: options.storage, progress: progress
      )
    let origin = TowerOrigin(folder: folder, options)
    let image = try imagePlan.map { plan throws(ClipError) in
      ImageSide(
        tower: try Tower(plan, loader: loader, kernels: runtime.kernels), preprocess: preprocess, origin: origin)
    }
    let text = try textPlan.map { plan throws(ClipError) in
      TextSide(
        tower: try Tower(plan, loader: loader, kernels: runtime.kernels),
        tokenizer: try plan.tokens.flatMap { tokens throws(ClipError) in
          try Model.tokenizer(description, tokens, runtime)
        }, prompts: description.prompts, contextLength: plan.tokens?.contextLength ?? 0,
        vocabularySize: plan.tokens?.vocabulary ?? 0, origin: origin)
    }
    if isPacked {
      for tower in [image?.tower, text?.tower] { try tower?.program.makeReady(runtime.threads, progress) }
    }
    try progress.finish()
    var scale: Float = 1
    if let name = description.logitScale { scale = expf(try source.number(name)) }
    if let name = description.temperature { scale = 1 / (try source.number(name)) }
    self.init(
      runtime, description.layout.name, image, text, description.embeddingWidth, logitScale: scale,
      logitBias: try description.logitBias.map { name throws(ClipError) in try source.number(name) })
  }

  /// A copy of `old` with the towers that `other` has; scale and bias stay.
  convenience init(_ old: Model, with other: Model) {
    self.init(
      old.runtime, old.layout, other.image ?? old.image, other.text ?? old.text, old.embeddingWidth,
      logitScale: old.logitScale, logitBias: old.logitBias, imageScratch: old.imageScratch, textScratch: old.textScratch
    )
  }

  /// A copy of `old` with the weights of both towers, logit scale and bias from `source`, under the names of the plans'
  /// parameters.
  convenience init(
    _ old: Model, image: TowerPlan, text: TowerPlan, _ source: ParameterSource, logitScale: Float, logitBias: Float?
  ) throws(ClipError) {
    let (oldImage, oldText) = (try old.imageSide(), try old.textSide())
    func tower(_ plan: TowerPlan, _ origin: TowerOrigin) throws(ClipError) -> Tower {
      let runtime = old.runtime
      let loader = ParameterLoader(
        source: source, kernels: runtime.kernels, threads: runtime.threads, storage: origin.options.storage)
      return try Tower(plan, loader: loader, kernels: runtime.kernels)
    }
    self.init(
      old.runtime, old.layout,
      ImageSide(
        tower: try tower(image, oldImage.origin), preprocess: oldImage.preprocess,
        origin: oldImage.origin.withTrainerWeights),
      TextSide(
        tower: try tower(text, oldText.origin), tokenizer: oldText.tokenizer, prompts: oldText.prompts,
        contextLength: oldText.contextLength,
        vocabularySize: oldText.vocabularySize, origin: oldText.origin.withTrainerWeights),
      old.embeddingWidth, logitScale: logitScale, logitBias: logitBias, imageScratch: old.imageScratch,
      textScratch: old.textScratch)
  }

  private init(
    _ runtime: Runtime, _ layout: StaticString, _ image: ImageSide?, _ text: TextSide?, _ embeddingWidth: Int,
    logitScale: Float, logitBias: Float?, imageScratch: IdlePool<ImageScratch> = IdlePool(),
    textScratch: IdlePool<TextScratch> = IdlePool()
  ) {
    self.runtime = runtime
    self.layout = layout
    self.image = image
    self.text = text
    self.embeddingWidth = embeddingWidth
    self.logitScale = logitScale
    self.logitBias = logitBias
    self.imageScratch = imageScratch
    self.textScratch = textScratch
  }

  /// nil if the caller brings tokens.
  private static func tokenizer(
    _ description: ModelDescription, _ tokens: TokenInput, _ runtime: Runtime
  ) throws(ClipError) -> Tokenizer? {
    if description.tokenizer == .none { return nil }
    // Padding that is not computed may be on either side.
    return try Tokenizer(
      folder: description.folder, description.tokenizer, description.tokenizerOptions,
      isOpenClip: description.layout == .openClip,
      contextLength: tokens.contextLength, vocabularySize: tokens.vocabulary,
      padding: tokens.dropsPadding ? tokens.endToken : -1, padsRight: tokens.rule != CLIP_END_LAST, runtime)
  }

  /// Checks that every tensor has the shape that the encoders expect, and none is left over.
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

  /// The CLIP_TOWER_* bits of the open towers.
  var towers: UInt32 {
    (image == nil ? 0 : UInt32(CLIP_TOWER_IMAGE)) | (text == nil ? 0 : UInt32(CLIP_TOWER_TEXT))
  }

  /// Bytes of memory held for weights and for buffers that are kept between calls.
  var memoryBytes: Int {
    guard let image, let text else { return (image?.tower ?? text?.tower)?.program.memory.bytes ?? 0 }
    let (first, second) = (image.tower.program.memory, text.tower.program.memory)
    return first === second ? first.bytes : first.bytes + second.bytes
  }

  func imageSide() throws(ClipError) -> ImageSide {
    guard let image else {
      throw ClipError(CLIP_UNSUPPORTED, "model: its image tower was left out when it was opened, or it has none")
    }
    return image
  }

  func textSide() throws(ClipError) -> TextSide {
    guard let text else {
      throw ClipError(CLIP_UNSUPPORTED, "model: its text tower was left out when it was opened, or it has none")
    }
    return text
  }
}

/// The image tower and what is swapped with it.
struct ImageSide {
  let tower: Tower
  let preprocess: PreprocessConfig
  let origin: TowerOrigin
}

/// The text tower and what is swapped with it.
struct TextSide {
  let tower: Tower
  /// nil if the caller brings tokens.
  let tokenizer: Tokenizer?
  let prompts: Prompts
  /// Tokens of one text.
  let contextLength: Int
  let vocabularySize: Int
  let origin: TowerOrigin
}

/// The source of a tower, to open it again.
struct TowerOrigin {
  let folder: String
  /// Without the progress callback, which is only valid in the first call.
  let options: clip_model_options
  /// Whether the weights came from a trainer since.
  private(set) var hasTrainerWeights = false

  init(folder: String, _ options: clip_model_options) {
    var options = options
    options.progress = clip_progress()
    self.folder = folder
    self.options = options
  }

  var withTrainerWeights: TowerOrigin {
    var origin = self
    origin.hasTrainerWeights = true
    return origin
  }
}
