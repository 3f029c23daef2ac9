import CClip

/// M-CLIP's config.json (Carlsson et al., 2022, https://aclanthology.org/2022.lrec-1.739): a text tower alone, a model of
/// the hub by its name, the mean of its rows, and a linear layer to the width of a CLIP model.
enum MultilingualClip {
  /// nil: a model_type of another reader.
  static func read(_ config: ConfigReader, _ folder: String, text: Bool) throws(ClipError) -> ModelConfig? {
    guard try config.string("model_type", "") == "M-CLIP" else { return nil }
    let name = try config.string("modelBase", "")
    guard let base = OpenClipHuggingFaceText.models.first(where: { name == $0.name || name.hasSuffix("/" + $0.name) })
    else { throw config.error(CLIP_UNSUPPORTED, "modelBase", "the name of a model that is known here") }
    let members = try ConfigReader(.object(base.members), place: config.place, prefix: "modelBase.")
    guard let encoder = try TextEncoderConfig.read(members) else { return nil }
    guard try config.int("transformerDimensions", encoder.width, ConfigReader.widths) == encoder.width else {
      throw config.error(CLIP_FORMAT, "transformerDimensions", "modelBase's width, \(encoder.width)")
    }
    let width = try config.int("numDims", nil, ConfigReader.widths)
    let length = min(encoder.positions, try SentenceTransformers.length(folder) ?? encoder.positions)
    var tower = encoder.tower(contextLength: length, pooling: "mean", scope: "transformer")
    tower.head = [.linear("LinearTransformation", width: width, hasBias: true)]
    var names = TensorNames.direct(
      image: [], text: ["transformer.", "LinearTransformation."],
      ignored: encoder.unused.map { "transformer." + $0 } + ["transformer.pooler."])
    names.rules = encoder.rules + names.rules
    return ModelConfig(
      embeddingWidth: width,
      text: text ? ModelConfig.Text(tower: tower, tokenizer: try HuggingFaceText.tokenizer(folder)) : nil, names: names)
  }
}
