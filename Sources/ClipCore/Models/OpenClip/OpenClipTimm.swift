import CClip

/// open_clip's TimmModel: a vision_cfg with timm_model_name. The trunk is timm's, at the size of its name.
enum OpenClipTimm {
  static func read(
    _ vision: ConfigReader, _ size: Sides, _ context: OpenClipConfig.Context, _ preprocess: PreprocessConfig
  ) throws(ClipError) -> ModelConfig.Image {
    try OpenClipKeys.check(vision, OpenClipKeys.timm)
    let name = try vision.string("timm_model_name", "")
    let pool = try vision.string("timm_pool", "avg")
    // null and absent differ.
    let projection = try vision.string("timm_proj", vision.isNull("timm_proj") ? "" : "linear")
    let scope: Name = "visual.trunk"
    let request = TimmRequest(
      architecture: withoutTag(name), image: size, pool: pool.isEmpty ? nil : pool,
      setsPoolLater: projection == "linear" || projection == "mlp",
      isFused: context.hasFusedConvolutions, scope: scope)
    guard var found = try TimmFamilies.read(request) else {
      throw vision.error(CLIP_UNSUPPORTED, "timm_model_name", "an architecture of docs/models.md")
    }
    switch projection {
    case "none":
      guard found.width == context.embedding else {
        throw vision.error(
          CLIP_FORMAT, "timm_proj", "a projection from \(found.width) to embed_dim, \(context.embedding)")
      }
    case "":
      found.tower.head = [.linear(scope + "." + found.head, width: context.embedding, hasBias: true)]
    case "linear", "mlp":
      let bias = try vision.bool("timm_proj_bias", false)
      found.tower.head =
        projection == "linear"
        ? [.linear("visual.head.proj", width: context.embedding, hasBias: bias)]
        : [
          .linear("visual.head.mlp.fc1", width: 2 * context.embedding, hasBias: true), .activate(CLIP_GELU),
          .linear("visual.head.mlp.fc2", width: context.embedding, hasBias: bias),
        ]
    default: throw vision.error(CLIP_UNSUPPORTED, "timm_proj", "\"linear\", \"mlp\", \"none\" or null")
    }
    return ModelConfig.Image(tower: found.tower, preprocess: preprocess, rules: found.rules)
  }

  /// timm's names may end in the tag of the weights: "vit_base_patch16_224.augreg_in21k".
  static func withoutTag(_ name: Name) -> Name {
    Name(utf8: Array(name.utf8.prefix { $0 != UInt8(ascii: ".") }))
  }
}
