import CClip

/// What a model's folder says: its towers, its preprocessing and its weights. The sizes are the
/// config's word; the shapes of the tensors have the last one.
struct ModelDescription {
  /// Where the configuration, the weights and the tokenizer are: the model's folder, or one in it.
  var folder: String
  var layout: Layout
  var names: TensorNames
  /// nil if the tower was not asked for, or the model has none.
  var image: TowerDescription?
  var text: TowerDescription?
  var embeddingWidth: Int
  /// Of size 0 without the image tower.
  var preprocess: PreprocessConfig
  var tokenizer: TokenizerKind
  var tokenizerOptions: TokenizerOptions
  var prompts: Prompts
  /// Parameters with one number each. The scale is stored as its logarithm. nil: 1, and none.
  var logitScale: Name?
  var logitBias: Name?
  /// In place of the scale: what cosines are divided by.
  var temperature: Name?
  var weights: StoredTensors
  /// What a file of all weights is called in the folder.
  var weightFile: Name

  /// Reads the folder `root` as downloaded. A tower that is not asked for is not looked at: its config may
  /// be one that this library does not know. With `hasWeights` false the weights are none.
  /// `formats` read weights that are not safetensors.
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

  /// clipcore.json counts where it is. Some folders serve both libraries: open_clip's config counts where weights in its layout are
  /// there, or where it is alone.
  private static func findLayout(_ folder: String) throws(ClipError) -> Layout {
    switch try FileKind(folder) {
    case .folder: break
    case .absent: throw ClipError(CLIP_NOT_FOUND, folder + ": expected a model's folder, found nothing")
    case .file, .other: throw ClipError(CLIP_IO, folder + ": expected a model's folder, found a file")
    }
    if try FileKind(join(folder, ClipcoreConfig.file)) != .absent { return .clipcore }
    let hasOpenClip = try FileKind(join(folder, OpenClipConfig.file)) != .absent
    let hasHuggingFace = try FileKind(join(folder, HuggingFaceConfig.file)) != .absent
    if try !hasOpenClip && !hasHuggingFace, try Torchvision.row(folder) != nil { return .huggingFace }
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

/// What all kinds of config have in common.
struct ModelConfig {
  struct Image {
    var tower: TowerDescription
    var preprocess: PreprocessConfig
    /// Where the file has its tensors, where the layout's names do not say so.
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
  /// nil for CLIP's own towers, whose layout has the names, the logit scale and bias among them.
  var names: TensorNames?
  var logitScale: Name?
  var logitBias: Name?
  var temperature: Name?
  /// nil: the layout's.
  var weightFiles: [Name]?
  /// Folders in the model's with weights of their own, whose tensors are under the folders' names.
  var weightFolders: [Name] = []
}
