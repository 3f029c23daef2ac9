import CClip

/// The content of a model folder: towers, preprocessing and weights. Sizes are from the configuration, and are checked
/// against the tensors later.
struct ModelDescription {
  /// The folder of configuration, weights and tokenizer: the model's folder, or one in it.
  var folder: String
  var layout: Layout
  var names: TensorNames
  /// nil if the tower was not asked for, or the model has none.
  var image: TowerDescription?
  var text: TowerDescription?
  var embeddingWidth: Int
  /// Has size 0 without the image tower.
  var preprocess: PreprocessConfig
  var tokenizer: TokenizerKind
  var tokenizerOptions: TokenizerOptions
  var prompts: Prompts
  /// Parameters of one element. The scale is stored as its logarithm. nil: scale 1, no bias.
  var logitScale: Name?
  var logitBias: Name?
  /// The divisor of cosines, in place of the scale.
  var temperature: Name?
  var weights: StoredTensors
  /// The name of a file of all weights in the folder.
  var weightFile: Name

  /// Reads the folder `root` as downloaded. The configuration of a tower that is not requested is ignored: this library
  /// may not know it. With `hasWeights` false there are no weights. `formats` read weights that are not safetensors.
  static func open(
    folder root: String, formats: [WeightFormat], image: Bool = true, text: Bool = true, hasWeights: Bool = true
  ) throws(ClipError) -> ModelDescription {
    let folder = try SentenceTransformers.modelFolder(root)
    let layout = try findLayout(folder)
    let config: ModelConfig
    var weights =
      try hasWeights && layout != .clipcore
      ? StoredTensors(folder: folder, candidates: layout.weightFiles, formats: formats) : StoredTensors(zeros: [])
    switch layout {
    case .huggingFace:
      config = try HuggingFaceConfig.read(folder, root: root, weights, image: image, text: text)
      for part in hasWeights ? config.weightFolders : [] {
        let found = try StoredTensors(folder: join(root, part), candidates: layout.weightFiles, formats: formats)
        weights = weights.adding(found, under: part)
      }
    case .openClip:
      config = try OpenClipConfig.read(folder, weights, image: image, text: text)
    case .clipcore:
      config = try ClipcoreConfig.read(folder, image: image, text: text)
      if hasWeights {
        weights = try StoredTensors(
          folder: folder, candidates: config.weightFiles ?? layout.weightFiles, formats: formats)
      }
    }
    var scale = config.logitScale
    var bias = config.logitBias
    if config.names == nil || layout == .openClip {
      scale = "logit_scale"
      bias = weights.tensors["logit_bias"] == nil ? nil : "logit_bias"
    }
    var description = ModelDescription(
      folder: folder, layout: layout, names: config.names ?? layout.clipNames, image: config.image?.tower,
      text: config.text?.tower,
      embeddingWidth: config.embeddingWidth,
      preprocess: config.image?.preprocess ?? PreprocessConfig(width: 0, height: 0, resizeTo: 0),
      tokenizer: config.text?.tokenizer ?? .none,
      tokenizerOptions: config.text?.tokenizerOptions ?? TokenizerOptions(), prompts: config.text?.prompts ?? Prompts(),
      logitScale: scale, logitBias: bias, temperature: config.temperature, weights: weights,
      weightFile: config.weightFiles?.first ?? layout.weightFiles.first ?? "model.safetensors")
    if layout == .openClip { description.fitPositions() }
    return description
  }

  /// clipcore.json comes first. A folder may serve both other layouts: open_clip's configuration is used if there are
  /// weights in its layout, or no other configuration.
  private static func findLayout(_ folder: String) throws(ClipError) -> Layout {
    switch try FileKind(folder) {
    case .folder: break
    case .absent: throw ClipError(CLIP_NOT_FOUND, folder + ": expected a model's folder, found nothing")
    case .file, .other: throw ClipError(CLIP_IO, folder + ": expected a model's folder, found a file")
    }
    if try FileKind(join(folder, ClipcoreConfig.file)) != .absent { return .clipcore }
    let hasOpenClip = try FileKind(join(folder, OpenClipConfig.file)) != .absent
    let hasHuggingFace = try FileKind(join(folder, HuggingFaceConfig.file)) != .absent
    if !hasOpenClip && !hasHuggingFace, try Torchvision.row(folder) != nil { return .huggingFace }
    guard hasOpenClip || hasHuggingFace else {
      throw ClipError(
        CLIP_NOT_FOUND,
        "\(folder): expected \(HuggingFaceConfig.file.string), \(OpenClipConfig.file.string) or "
          + "\(ClipcoreConfig.file.string), found none of them")
    }
    guard hasOpenClip else { return .huggingFace }
    if !hasHuggingFace { return .openClip }
    for weights in Layout.openClip.ownWeightFiles {
      if try FileKind(join(folder, weights)) != .absent { return .openClip }
    }
    return .huggingFace
  }
}

/// The form into which all configurations are read.
struct ModelConfig {
  struct Image {
    var tower: TowerDescription
    var preprocess: PreprocessConfig
    /// The rules for tensor names, if not the layout's.
    var rules: [ParameterRule] = []
  }

  struct Text {
    var tower: TowerDescription
    var tokenizer = TokenizerKind.bytePairs
    var tokenizerOptions = TokenizerOptions()
    var prompts = Prompts()
    var rules: [ParameterRule] = []
  }

  var embeddingWidth: Int
  var image: Image?
  var text: Text?
  /// nil for CLIP's own towers, whose names, with the logit scale and bias, are the layout's.
  var names: TensorNames?
  var logitScale: Name?
  var logitBias: Name?
  var temperature: Name?
  /// nil: the layout's.
  var weightFiles: [Name]?
  /// Folders inside the model's with their own weights; their tensors have the folder's name as a scope.
  var weightFolders: [Name] = []
}
