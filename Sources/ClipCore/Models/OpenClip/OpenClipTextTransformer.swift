import CClip

/// open_clip's own TextTransformer.
enum OpenClipTextTransformer {
  static func read(_ text: ConfigReader, _ context: OpenClipConfig.Context) throws(ClipError) -> ModelConfig.Text {
    let width = try text.int("width", 512, ConfigReader.widths)
    let heads = try text.int("heads", 8, ConfigReader.widths)
    try text.divides(heads, "heads", width, "width")
    let vocabulary = try text.int("vocab_size", 49408, ConfigReader.widths)
    var result = TextTransformerConfig(
      vocabulary: vocabulary,
      context: try text.int("context_length", 77, 2...ConfigReader.sides.upperBound),
      blocks: TransformerConfig(
        width: width, layers: try text.int("layers", 12, ConfigReader.layers), heads: heads,
        mlpWidth: try OpenClipConfig.mlpWidth(text, width), activation: try OpenClipConfig.activation(text, context),
        embedding: context.embedding, epsilon: try OpenClipConfig.epsilon(text)),
      endToken: try text.string("pool_type", "argmax") == "eos"
        ? try text.int("eos_id", 2, 0...(vocabulary - 1)) : -1
    ).text
    let options =
      try OpenClipConfig.blockOptions(text) + reading(text) + projection(text, width, context)
    result.tower.config = .object((result.tower.config.object ?? []) + options)
    try OpenClipTokenizer.read(text, context.folder, into: &result)
    return result
  }

  /// The mask, and the row that is read.
  private static func reading(_ text: ConfigReader) throws(ClipError) -> [(key: Name, value: JSON)] {
    var options: [(key: Name, value: JSON)] = []
    if try text.bool("no_causal_mask", false) { options.append(("causal", .int(0))) }
    if try text.bool("embed_cls", false) {
      // A class token after the text overrides pool_type; it does not see padding.
      return options + [("class_token", .int(1)), ("pad_token", .int(try text.int("pad_id", 0, 0...(1 << 20))))]
    }
    let pool = try text.string("pool_type", "argmax")
    if pool == "first" || pool == "last" { options.append(("pool", .string(pool))) }
    return options
  }

  private static func projection(
    _ text: ConfigReader, _ width: Int, _ context: OpenClipConfig.Context
  ) throws(ClipError) -> [(key: Name, value: JSON)] {
    guard try text.string("proj_type", "linear") == "linear" else {
      guard width == context.embedding else {
        throw text.error(CLIP_FORMAT, "width", "embed_dim, \(context.embedding), where proj_type is \"none\"")
      }
      return [("projection", .int(0))]
    }
    return try text.bool("proj_bias", false) ? [("projection_bias", .int(1))] : []
  }
}
