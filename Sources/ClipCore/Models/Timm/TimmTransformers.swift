import CClip

/// timm's VisionTransformer, Eva, Beit and VisionTransformerDistilled.
enum TimmTransformers {
  static func read(_ request: TimmRequest) throws(ClipError) -> TimmTower? {
    guard let row = TimmTable.find(request.architecture, TimmTransformerTable.rows) else { return nil }
    let numbers = row.prefix(5).compactMap { TimmTable.number($0.utf8) }
    guard numbers.count == 5 else { return nil }
    let width = numbers[1]
    var members: [(key: Name, value: JSON)] = [
      ("image_height", .int(request.image.height)), ("image_width", .int(request.image.width)),
      ("patch_size", .int(numbers[0])), ("width", .int(width)), ("layers", .int(numbers[2])),
      ("heads", .int(numbers[3])), ("mlp_width", .int(numbers[4])),
    ]
    let options = Array(row.dropFirst(5))
    members += [("patch_bias", .int(options.contains("nobias") ? 0 : 1))]
    members += [("pre_norm", .int(options.contains("prenorm") ? 1 : 0))]
    var epsilon = 1e-6
    for option in options {
      if option == "epsilon=1e-05" { epsilon = 1e-5 }
      for (word, key, value) in words where word == option { members.append((key, value)) }
      let sides = option.utf8.split(separator: UInt8(ascii: "="), maxSplits: 1)
      guard sides.count == 2, let value = TimmTable.number(sides[1]) else { continue }
      for (word, key) in counts where word.utf8.elementsEqual(sides[0]) { members.append((key, .int(value))) }
    }
    members.append(("epsilon", .double(epsilon)))
    members += try pooling(request, options)
    return TimmTower(
      tower: TowerDescription(
        encoder: "clipcore.encoder.vision-transformer", config: .object(members), scope: request.scope),
      width: width, rules: rules(request, options))
  }

  /// The pool, and the norm before or after it. timm builds an architecture with the requested pool, or sets another
  /// pool later, which leaves the norms unchanged.
  private static func pooling(
    _ request: TimmRequest, _ options: [Name]
  ) throws(ClipError) -> [(key: Name, value: JSON)] {
    let own: Name = options.contains("map") ? "map" : options.contains("avg") ? "avg" : "token"
    let pool = request.pool ?? own
    let hasClass = !options.contains("noclass")
    guard pool == own && own == "map" || pool == "avg" || pool == "token" && hasClass else {
      throw ClipError(
        CLIP_UNSUPPORTED,
        "\(request.architecture.string): expected a pool among avg\(hasClass ? ", token" : "") and its own, "
          + "\(own.string), found "
          + pool.string)
    }
    let builtWith = request.setsPoolLater ? own : pool
    var before = builtWith != "avg"
    var after = !before
    for (word, norms) in normWords where options.contains(word) { (before, after) = norms }
    let isDistilled = options.contains("distilled") && pool == "token"
    let name: Name =
      isDistilled
      ? "distilled" : pool == "avg" ? (options.contains("poolall") ? "average_all" : "average") : pool
    return [("pool", .string(name)), ("norm", .int(before ? 1 : 0)), ("pool_norm", .int(after ? 1 : 0))]
  }

  /// Before the pool, and after it.
  private static let normWords: [(Name, (Bool, Bool))] = [
    ("norm", (true, false)), ("fcnorm", (false, true)), ("twonorms", (true, true)), ("nonorm", (false, false)),
  ]

  private static let words: [(Name, Name, JSON)] = [
    ("convolutions", "stem", .string("convolutions")), ("noclass", "class_token", .int(0)),
    ("distilled", "registers", .int(1)),
    ("patchpositions", "positions", .string("patches")), ("nopositions", "positions", .string("none")),
    ("postnorm", "post_norm", .int(1)), ("scale", "layer_scale", .int(1)), ("qknorm", "qk_norm", .int(1)),
    ("attnorm", "attention_norm", .int(1)), ("mlpnorm", "mlp_norm", .int(1)), ("rms", "norm_type", .string("rms")),
    ("nokeybias", "qkv_bias", .string("no_key")), ("noqkvbias", "qkv_bias", .string("none")),
    ("gatefirst", "gated_mlp", .int(1)), ("gateapart", "gated_mlp", .int(1)),
    ("tanh", "activation", .string("gelu_tanh")), ("quick", "activation", .string("quick_gelu")),
    ("silu", "activation", .string("silu")), ("rotary", "rotary", .string("grid")),
    ("dinov3", "rotary", .string("dinov3")), ("xy", "rotary_order", .string("xy")),
    ("halves", "rotary_halves", .int(1)),
    ("beitbias", "relative_bias", .string("block")), ("mlpbias", "relative_bias", .string("mlp")),
    ("sharedmlpbias", "relative_bias", .string("shared_mlp")),
  ]

  private static let counts: [(Name, Name)] = [
    ("registers", "registers"), ("poolheads", "pool_heads"), ("poolmlp", "pool_mlp_width"),
    ("biaswidth", "relative_width"),
    ("base", "rotary_base"),
    ("reference", "rotary_reference"), ("offset", "rotary_offset"),
  ]
}
