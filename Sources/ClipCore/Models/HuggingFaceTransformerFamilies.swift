import CClip

extension HuggingFaceTransformers {
  /// The differences of one model_type. Defaults are those of transformers' configuration class.
  struct Family {
    let type: Name
    /// Possible scopes of the tensors in a model with a head.
    let scopes: [Name]
    let processor: Name
    var width = 768
    var heads = 12
    var patch = 16
    var epsilon = 1e-12
    /// Whether positions are resized to the images' size.
    var resizes = false
    var antialiases = false
    var hasTable = true
    let options: (ConfigReader, Int) throws(ClipError) -> [(key: Name, value: JSON)]
  }

  static var families: [Family] {
    [
      Family(type: "vit", scopes: ["vit"], processor: "ViT") { config, _ throws(ClipError) in
        try mlp(config) + noBias(config)
      },
      Family(type: "vit_msn", scopes: ["vit"], processor: "ViT", epsilon: 1e-6) { config, _ throws(ClipError) in
        try mlp(config) + noBias(config)
      },
      Family(type: "vit_mae", scopes: ["vit"], processor: "ViT") { config, _ throws(ClipError) in
        try mlp(config) + noBias(config)
      },
      Family(type: "deit", scopes: ["deit"], processor: "DeiT") { config, _ throws(ClipError) in
        // The distillation token is at the place of a register.
        try mlp(config) + noBias(config) + [("registers", .int(1))]
      },
      Family(type: "ijepa", scopes: ["ijepa"], processor: "ViT") { config, _ throws(ClipError) in
        try mlp(config) + noBias(config) + [("class_token", .int(0)), ("pool", .string("average"))]
      },
      Family(
        type: "dinov2", scopes: ["dinov2"], processor: "Bit", patch: 14, epsilon: 1e-6, resizes: true, options: dino),
      Family(
        type: "dinov2_with_registers", scopes: ["dinov2_with_registers"], processor: "Bit", epsilon: 1e-6,
        resizes: true, antialiases: true
      ) { config, width throws(ClipError) in
        try dino(config, width) + [
          ("registers", .int(try config.int("num_register_tokens", 4, 0...64))), ("positions", .string("class")),
        ]
      },
      Family(
        type: "dinov3_vit", scopes: ["dinov3_vit"], processor: "DINOv3ViT", width: 384, heads: 6, epsilon: 1e-5,
        hasTable: false, options: dino3),
      Family(type: "blip_vision_model", scopes: [], processor: "Blip", epsilon: 1e-5) { config, _ throws(ClipError) in
        try mlp(config)
      },
      Family(type: "beit", scopes: ["beit"], processor: "Beit", options: beit),
    ]
  }

  private static func mlp(
    _ config: ConfigReader, _ fallback: Int = 3072
  ) throws(ClipError) -> [(key: Name, value: JSON)] {
    [
      ("mlp_width", .int(try config.int("intermediate_size", fallback, ConfigReader.widths))),
      ("activation", .string(try HuggingFaceConfig.activation(config, "gelu"))),
    ]
  }

  private static func noBias(_ config: ConfigReader) throws(ClipError) -> [(key: Name, value: JSON)] {
    try config.bool("qkv_bias", true) ? [] : [("qkv_bias", .string("none"))]
  }

  /// Oquab et al., 2023 (https://arxiv.org/abs/2304.07193).
  private static func dino(_ config: ConfigReader, _ width: Int) throws(ClipError) -> [(key: Name, value: JSON)] {
    let hidden = try OpenClipConfig.mlpWidth(config, width)
    let isGated = try config.bool("use_swiglu_ffn", false)
    // Two thirds, rounded up to a multiple of 8.
    let gated = (Int((Double(hidden) * 2 / 3).rounded(.down)) + 7) / 8 * 8
    let activation: Name = isGated ? "silu" : try HuggingFaceConfig.activation(config, "gelu")
    return try noBias(config) + [
      ("layer_scale", .int(1)), ("mlp_width", .int(isGated ? gated : hidden)), ("gated_mlp", .int(isGated ? 1 : 0)),
      ("activation", .string(activation)),
    ]
  }

  /// Siméoni et al., 2025 (https://arxiv.org/abs/2508.10104).
  private static func dino3(_ config: ConfigReader, _ width: Int) throws(ClipError) -> [(key: Name, value: JSON)] {
    let isQuery = try config.bool("query_bias", true)
    let isKey = try config.bool("key_bias", false)
    guard try isQuery == config.bool("value_bias", true), isQuery || !isKey else {
      throw config.error(CLIP_UNSUPPORTED, "value_bias", "query_bias, and true where key_bias is")
    }
    for key: StaticString in ["proj_bias", "mlp_bias"] {
      guard try config.bool(key, true) else { throw config.error(CLIP_UNSUPPORTED, key, "true") }
    }
    return try mlp(config, 1536) + [
      ("layer_scale", .int(1)), ("gated_mlp", .int(try config.bool("use_gated_mlp", false) ? 1 : 0)),
      ("registers", .int(try config.int("num_register_tokens", 0, 0...64))), ("positions", .string("none")),
      ("rotary", .string("dinov3")), ("rotary_base", .double(try config.number("rope_theta", 100, 1...1e9))),
      ("qkv_bias", .string(isKey ? "all" : isQuery ? "no_key" : "none")),
    ]
  }

  /// Bao et al., 2021 (https://arxiv.org/abs/2106.08254).
  private static func beit(_ config: ConfigReader, _ width: Int) throws(ClipError) -> [(key: Name, value: JSON)] {
    var options = try mlp(config) + [("qkv_bias", .string("no_key"))]
    if try !config.bool("use_absolute_position_embeddings", false) { options.append(("positions", .string("none"))) }
    if try config.number("layer_scale_init_value", 0.1, 0...1e6) > 0 { options.append(("layer_scale", .int(1))) }
    for (key, name) in [("use_relative_position_bias", "block"), ("use_shared_relative_position_bias", "shared")]
      as [(StaticString, Name)]
    {
      if try config.bool(key, false) { options.append(("relative_bias", .string(name))) }
    }
    // The mean of the patches under a norm of its own, or the class token under the final norm.
    if try config.bool("use_mean_pooling", true) {
      options += [("pool", .string("average")), ("norm", .int(0)), ("pool_norm", .int(1))]
    }
    return options
  }
}
