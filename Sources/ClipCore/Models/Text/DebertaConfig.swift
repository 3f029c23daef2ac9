import CClip

/// DeBERTa-v2's positions (He et al., 2021).
extension BertFamily {
  static func disentangled(
    _ config: ConfigReader, _ headWidth: Int, _ positions: Int
  ) throws(ClipError) -> [(key: Name, value: JSON)] {
    guard try config.int("conv_kernel_size", 0, 0...1024) == 0 else {
      throw config.error(CLIP_UNSUPPORTED, "conv_kernel_size", "0")
    }
    let hasPositions = try config.bool("position_biased_input", true)
    let kinds = try config.json["pos_att_type"].map { value throws(ClipError) in try names(config, value) } ?? []
    let (keys, queries) = (kinds.contains("c2p"), kinds.contains("p2c"))
    let relative = try config.bool("relative_attention", false)
    var members: [(key: Name, value: JSON)] = [("has_positions", .int(hasPositions ? 1 : 0))]
    guard relative, keys || queries else {
      guard kinds.isEmpty, !relative else {
        throw config.error(CLIP_UNSUPPORTED, "relative_attention", "true with pos_att_type, or false without it")
      }
      return members
    }
    // Below 1: none.
    let most = try config.int("max_relative_positions", -1, -1...65536)
    let distance = most < 1 ? positions : most
    let buckets = try config.int("position_buckets", -1, -1...65536)
    let span = buckets > 0 ? buckets : distance
    guard buckets <= 0 || buckets >= 4 && distance > buckets / 2 + 1 else {
      throw config.error(CLIP_FORMAT, "position_buckets", "at least 4, and less than twice max_relative_positions")
    }
    let norm = try config.string("norm_rel_ebd", "none")
    guard norm == "none" || norm == "layer_norm" else {
      throw config.error(CLIP_UNSUPPORTED, "norm_rel_ebd", "\"none\" or \"layer_norm\"")
    }
    let scale = 1 / (Double(headWidth) * Double(1 + (keys ? 1 : 0) + (queries ? 1 : 0))).squareRoot()
    members += [
      ("position_type", .string("disentangled")), ("span", .int(span)), ("distance", .int(buckets > 0 ? distance : 0)),
      ("key_positions", .int(keys ? 1 : 0)), ("query_positions", .int(queries ? 1 : 0)), ("scale", .double(scale)),
      ("position_norm", .int(norm == "layer_norm" ? 1 : 0)),
      ("shared_projections", .int(try config.bool("share_att_key", false) ? 1 : 0)),
    ]
    return members
  }

  /// An array of names, or a string with "|" between them.
  private static func names(_ config: ConfigReader, _ value: JSON) throws(ClipError) -> [Name] {
    var names: [Name] = []
    if let text = value.string {
      for part in text.utf8.split(separator: UInt8(ascii: "|")) {
        names.append(Name(utf8: part.filter { $0 != UInt8(ascii: " ") }))
      }
    }
    for item in value.array ?? [] { names.append(item.string ?? "") }
    guard names.allSatisfy({ $0 == "c2p" || $0 == "p2c" }) else {
      throw config.error(CLIP_UNSUPPORTED, "pos_att_type", "\"c2p\" and \"p2c\"")
    }
    return names
  }
}
