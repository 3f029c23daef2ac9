import CClip

/// What builds one tower.
struct TowerDescription {
  /// The id of the encoder plugin.
  var encoder: Name
  /// What the encoder reads, under clipcore's own keys; every size in it is positive.
  var config: JSON
  /// What the tower's parameters are under: "visual", or "" for the top.
  var scope: Name
  /// A linear layer on top of the encoder's features; nil for none.
  var projection: Projection?

  struct Projection {
    /// Of its parameters, at the top: "visual_projection".
    var name: Name
    var width: Int
    var hasBias: Bool
  }
}

/// What a model's folder says: its towers, its preprocessing and its checkpoint. The sizes are the
/// config's word; the shapes of the tensors have the last one.
struct ModelDescription {
  var layout: Layout
  /// nil where the tower was not asked for.
  var image: TowerDescription?
  var text: TowerDescription?
  var embeddingWidth: Int
  /// Of size 0 without the image tower.
  var preprocess: PreprocessConfig
  /// Tokens of one text at most, both end tokens counted; 0 without the text tower.
  var contextLength: Int
  var vocabularySize: Int
  /// Parameters with one number each. The scale is stored as its logarithm.
  var logitScale: Name
  var logitBias: Name?
  var checkpoint: Checkpoint

  /// Reads `folder` as downloaded. A tower that is not asked for is not looked at: its config may
  /// be one that this library does not know.
  static func open(folder: String, image: Bool = true, text: Bool = true) throws(ClipError) -> ModelDescription {
    let layout = try findLayout(folder)
    let checkpoint = try Checkpoint(folder: folder, candidates: layout.weightFiles)
    let config: ModelConfig
    switch layout {
    case .huggingFace: config = try HuggingFaceConfig.read(folder, image: image, text: text)
    case .openClip: config = try OpenClipConfig.read(folder, image: image, text: text)
    }
    return ModelDescription(
      layout: layout, image: config.image?.tower, text: config.text?.tower, embeddingWidth: config.embeddingWidth,
      preprocess: config.image?.preprocess ?? PreprocessConfig(width: 0, height: 0, resizeTo: 0),
      contextLength: config.text?.contextLength ?? 0, vocabularySize: config.text?.vocabularySize ?? 0,
      logitScale: "logit_scale", logitBias: checkpoint.tensors["logit_bias"] == nil ? nil : "logit_bias",
      checkpoint: checkpoint)
  }

  /// Some folders serve both libraries. open_clip's config counts where weights in its layout are
  /// there, or where it is alone.
  private static func findLayout(_ folder: String) throws(ClipError) -> Layout {
    switch FileKind(folder) {
    case .folder: break
    case .absent: throw ClipError(CLIP_NOT_FOUND, folder + ": expected a model's folder, found nothing")
    case .file, .other: throw ClipError(CLIP_IO, folder + ": expected a model's folder, found a file")
    }
    let hasOpenClip = FileKind(join(folder, OpenClipConfig.file)) != .absent
    let hasHuggingFace = FileKind(join(folder, HuggingFaceConfig.file)) != .absent
    guard hasOpenClip || hasHuggingFace else {
      throw ClipError(
        CLIP_NOT_FOUND,
        "\(folder): expected \(HuggingFaceConfig.file.string) or \(OpenClipConfig.file.string), found neither")
    }
    guard hasOpenClip else { return .huggingFace }
    if !hasHuggingFace { return .openClip }
    for weights in Layout.openClip.ownWeightFiles where FileKind(join(folder, weights)) != .absent { return .openClip }
    return .huggingFace
  }
}

/// What the two kinds of config have in common.
struct ModelConfig {
  struct Image {
    var tower: TowerDescription
    var preprocess: PreprocessConfig
  }

  struct Text {
    var tower: TowerDescription
    var contextLength: Int
    var vocabularySize: Int
  }

  var embeddingWidth: Int
  var image: Image?
  var text: Text?
}
