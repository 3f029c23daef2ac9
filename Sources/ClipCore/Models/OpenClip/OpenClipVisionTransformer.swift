import CClip

/// open_clip's own VisionTransformer.
enum OpenClipVisionTransformer {
  static func read(
    _ vision: ConfigReader, _ size: Sides, _ context: OpenClipConfig.Context
  ) throws(ClipError) -> TowerDescription {
    let width = try vision.int("width", 768, ConfigReader.widths)
    let head = try vision.int("head_width", 64, ConfigReader.widths)
    try vision.divides(head, "head_width", width, "width")
    let patch = try vision.sides("patch_size", Sides(16))
    guard patch.height == patch.width else { throw vision.error(CLIP_UNSUPPORTED, "patch_size", "square patches") }
    try vision.divides(patch.height, "patch_size", size.height, "image_size")
    try vision.divides(patch.width, "patch_size", size.width, "image_size")
    var tower = VisionTransformerConfig(
      image: size, patch: patch.height,
      blocks: TransformerConfig(
        width: width, layers: try vision.int("layers", 12, ConfigReader.layers), heads: width / head,
        mlpWidth: try OpenClipConfig.mlpWidth(vision, width),
        activation: try OpenClipConfig.activation(vision, context), embedding: context.embedding,
        epsilon: try OpenClipConfig.epsilon(vision))
    ).tower
    let options = try OpenClipConfig.blockOptions(vision) + pooling(vision, context)
    if !options.isEmpty {
      tower.encoder = "clipcore.encoder.vision-transformer"
      tower.config = .object((tower.config.object ?? []) + options)
    }
    return tower
  }

  /// The options outside the blocks that differ from CLIP's.
  private static func pooling(
    _ vision: ConfigReader, _ context: OpenClipConfig.Context
  ) throws(ClipError) -> [(key: Name, value: JSON)] {
    var options: [(key: Name, value: JSON)] = []
    if try vision.bool("no_ln_pre", false) { options.append(("pre_norm", .int(0))) }
    let isAverage = try vision.string("pool_type", "tok") == "avg"
    if try hasAttentionPool(vision) {
      // open_clip pools the queries' outputs again: of its first one, or of all but that.
      guard !isAverage else { throw vision.error(CLIP_UNSUPPORTED, "pool_type", "\"tok\" beside attentional_pool") }
      let heads = try vision.int("attn_pooler_heads", 8, ConfigReader.widths)
      guard context.embedding % heads == 0 else {
        throw vision.error(CLIP_FORMAT, "attn_pooler_heads", "a divisor of embed_dim, \(context.embedding)")
      }
      return options + [
        ("pool", .string("queries")), ("pool_heads", .int(heads)), ("pool_width", .int(context.embedding)),
        ("pool_queries", .int(try vision.int("attn_pooler_queries", 256, ConfigReader.widths))),
      ]
    }
    if isAverage { options.append(("pool", .string("average"))) }
    if try vision.bool("final_ln_after_pool", false) {
      // Equivalent for one row.
      if isAverage { options += [("norm", .int(0)), ("pool_norm", .int(1))] }
    }
    return options
  }

  /// "parallel" and "cascade" do not give one row in open_clip 3.3.
  private static func hasAttentionPool(_ vision: ConfigReader) throws(ClipError) -> Bool {
    guard vision.json["attentional_pool"]?.string == nil else {
      throw vision.error(CLIP_UNSUPPORTED, "attentional_pool", "true or false")
    }
    return try vision.bool("attentional_pool", false)
  }
}
