import CClip

/// The blocks of CLIP's transformers, and the width of the projection after them.
struct TransformerConfig {
  var width: Int
  var layers: Int
  var heads: Int
  var mlpWidth: Int
  var activation: Name
  var embedding: Int
  var epsilon: Double

  var members: [(key: Name, value: JSON)] {
    [
      ("width", .int(width)), ("layers", .int(layers)), ("heads", .int(heads)), ("mlp_width", .int(mlpWidth)),
      ("activation", .string(activation)), ("embed_dim", .int(embedding)), ("epsilon", .double(epsilon)),
    ]
  }
}

/// The configuration of CLIP's vision transformer, with checks of divisibility.
struct VisionTransformerConfig {
  var image: Sides
  var patch: Int
  var blocks: TransformerConfig

  var tower: TowerDescription {
    TowerDescription(
      encoder: "clipcore.encoder.clip-vit",
      config: .object(
        [("image_height", .int(image.height)), ("image_width", .int(image.width)), ("patch_size", .int(patch))]
          + blocks.members),
      scope: "visual")
  }
}

/// CLIP's ResNet with attention pooling.
struct ResNetConfig {
  var image: Sides
  var width: Int
  /// Blocks of each of the four stages.
  var layers: [Int]
  var heads: Int
  var embedding: Int

  var tower: TowerDescription {
    TowerDescription(
      encoder: "clipcore.encoder.clip-resnet",
      config: .object([
        ("image_height", .int(image.height)), ("image_width", .int(image.width)), ("width", .int(width)),
        ("layers", .array(layers.map { .int($0) })), ("heads", .int(heads)), ("embed_dim", .int(embedding)),
      ]),
      scope: "visual")
  }
}

/// CLIP's text transformer.
struct TextTransformerConfig {
  var vocabulary: Int
  var context: Int
  var blocks: TransformerConfig
  /// The token whose row is read; -1: the largest id of the text.
  var endToken: Int

  var text: ModelConfig.Text {
    let config: JSON = .object(
      [("vocab_size", .int(vocabulary)), ("context_length", .int(context))] + blocks.members
        + [("end_token", .int(endToken))])
    return ModelConfig.Text(tower: TowerDescription(encoder: "clipcore.encoder.clip-text", config: config, scope: ""))
  }
}
