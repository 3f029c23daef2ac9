import CClip

/// Rotary positions: transformers 5 has an object "rope_parameters", before it "rope_theta" and "rope_scaling".
struct RotaryConfig {
  let theta: Double
  /// Positions are divided by it.
  let factor: Double

  /// Reads `key`, or if that is absent the older keys; of these, "rope_scaling" is used if `isScaled`.
  init(
    _ config: ConfigReader, _ key: StaticString, theta fallback: Double, older: StaticString = "rope_theta",
    isScaled: Bool = true
  ) throws(ClipError) {
    let found = try config.object(key)
    var scaling = found
    if scaling == nil, isScaled { scaling = try config.object("rope_scaling") }
    theta = try (found ?? config).number(found == nil ? older : "rope_theta", fallback, 1...1e12)
    guard let scaling else {
      factor = 1
      return
    }
    let type = try scaling.string("rope_type", try scaling.string("type", "default"))
    switch type {
    case "default": factor = 1
    case "linear": factor = try scaling.number("factor", 1, 1e-6...1e6)
    default: throw scaling.error(CLIP_UNSUPPORTED, "rope_type", "\"default\" or \"linear\"")
    }
  }

  /// The members of an encoder with these rotations, and `local` in the layers that see a window.
  func members(local: RotaryConfig) -> [(key: Name, value: JSON)] {
    [
      ("theta", .double(theta)), ("rotary_factor", .double(factor)), ("local_theta", .double(local.theta)),
      ("local_factor", .double(local.factor)),
    ]
  }
}

/// Which layers see a window alone.
enum LayerTypes {
  static func local(
    _ config: ConfigReader, _ layers: Int, _ fallback: (Int) -> Bool
  ) throws(ClipError) -> [JSON] {
    guard let types = config.json["layer_types"] else { return (0..<layers).map { .int(fallback($0) ? 1 : 0) } }
    var result: [JSON] = []
    for type in types.array ?? [] {
      switch type.string ?? "" {
      case "sliding_attention": result.append(.int(1))
      case "full_attention": result.append(.int(0))
      default: break
      }
    }
    guard result.count == layers else {
      throw config.error(
        CLIP_UNSUPPORTED, "layer_types", "\"full_attention\" or \"sliding_attention\" for each of \(layers) layers")
    }
    return result
  }
}
