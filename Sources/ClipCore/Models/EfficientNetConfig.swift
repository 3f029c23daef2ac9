import CClip

/// Hugging Face's config.json of EfficientNet, and of ALIGN's image tower, which ends before the last convolution.
/// Defaults are those of transformers' EfficientNetConfig: B7's.
enum EfficientNetConfig {
  static func read(_ config: ConfigReader, hasTop: Bool) throws(ClipError) -> HuggingFaceHierarchical.Family {
    let (wide, deep) = (
      try config.number("width_coefficient", 2, 0.01...100), try config.number("depth_coefficient", 3.1, 0.01...100)
    )
    let unit = try config.int("depth_divisor", 8, 1...1024)
    /// Rounds to a multiple of the unit, but not down by more than a tenth.
    func rounded(_ width: Int) -> Int {
      let scaled = Double(width) * wide
      let near = max(unit, Int(scaled + Double(unit) / 2) / unit * unit)
      return Double(near) < 0.9 * scaled ? near + unit : near
    }
    let outputs = try counts(config, "out_channels", [16, 24, 40, 80, 112, 192, 320], nil)
    let count = outputs.count
    let widths = outputs.map { rounded($0) }
    let inputs = try counts(config, "in_channels", [32, 16, 24, 40, 80, 112, 192], count).map { rounded($0) }
    guard inputs == [rounded(32)] + widths.prefix(count - 1) else {
      throw config.error(CLIP_UNSUPPORTED, "in_channels", "32, then out_channels without the last")
    }
    let repeats = try counts(config, "num_block_repeats", [1, 2, 2, 3, 3, 4, 1], count)
    let depths = repeats.map { Int((Double($0) * deep).rounded(.up)) }
    let last = rounded(1280)
    if hasTop {
      guard try config.int("hidden_dim", 2560, ConfigReader.widths) == last else {
        throw config.error(CLIP_FORMAT, "hidden_dim", "\(last), which is 1280 times width_coefficient")
      }
    }
    let pool = try config.string("pooling_type", "mean")
    guard pool == "mean" || pool == "max" else {
      throw config.error(CLIP_UNSUPPORTED, "pooling_type", "\"mean\" or \"max\"")
    }
    let strides = try counts(config, "strides", [1, 2, 2, 2, 1, 2, 1], count)
    guard strides.allSatisfy({ $0 < 3 }) else { throw config.error(CLIP_UNSUPPORTED, "strides", "1 or 2 each") }
    let kernels = try counts(config, "kernel_sizes", [3, 3, 5, 3, 5, 5, 3], count)
    guard kernels.allSatisfy({ $0 % 2 == 1 }) else { throw config.error(CLIP_UNSUPPORTED, "kernel_sizes", "odd") }
    let centered = config.has("depthwise_padding") ? (config.json["depthwise_padding"]?.array ?? []) : []
    guard centered.allSatisfy({ $0.int != nil }) else {
      throw config.error(CLIP_FORMAT, "depthwise_padding", "the indices of blocks")
    }
    return HuggingFaceHierarchical.Family(
      encoder: "efficientnet", processor: "EfficientNet", width: hasTop ? last : widths[count - 1], names: [],
      members: [
        ("names", .string("transformers")), ("padding", .string("late")), ("first_shortcut", .int(0)),
        ("stem_width", .int(rounded(32))), ("widths", array(widths)), ("depths", array(depths)),
        ("kernels", array(kernels)), ("strides", array(strides)),
        ("expansions", array(try counts(config, "expand_ratios", [1, 6, 6, 6, 6, 6, 6], count))),
        ("centered", .array(centered)), ("head_width", .int(hasTop ? last : 0)), ("pool", .string(pool)),
        ("epsilon", .double(try config.number("batch_norm_eps", 0.001, 1e-12...1))),
        ("squeeze_ratio", .double(try config.number("squeeze_expansion_ratio", 0.25, 1e-6...1))),
        ("activation", .string(try HuggingFaceConfig.activation(config, "swish"))),
      ])
  }

  private static func array(_ counts: [Int]) -> JSON { .array(counts.map { .int($0) }) }

  /// An integer for each of `count` stages.
  private static func counts(
    _ config: ConfigReader, _ key: StaticString, _ fallback: [Int], _ count: Int?
  ) throws(ClipError) -> [Int] {
    let found = config.has(key) ? (config.json[key]?.array ?? []).compactMap { $0.int } : fallback
    guard count == nil || found.count == count, (1...16).contains(found.count),
      found.allSatisfy({ (1...4096).contains($0) }),
      !config.has(key) || found.count == config.json[key]?.array?.count
    else { throw config.error(CLIP_UNSUPPORTED, key, "an integer from 1 to 4096 for each stage") }
    return found
  }
}
