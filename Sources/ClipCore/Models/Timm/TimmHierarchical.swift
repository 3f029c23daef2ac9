import CClip

/// timm's towers of the encoders of the plugin encoder_hierarchical, whose parameters have timm's names.
enum TimmHierarchical {
  static func read(_ request: TimmRequest) throws(ClipError) -> TimmTower? {
    // TensorFlow's EfficientNets are the same with its padding.
    let isTensorFlow = request.architecture.hasPrefix("tf_efficientnet")
    let architecture = isTensorFlow ? Name(utf8: Array(request.architecture.utf8.dropFirst(3))) : request.architecture
    guard let row = TimmTable.find(architecture, TimmHierarchicalTable.rows), row.count > 2,
      let width = TimmTable.number(row[1].utf8)
    else { return nil }
    guard request.pool == nil || request.pool == "avg" else {
      throw ClipError(
        CLIP_UNSUPPORTED,
        "\(request.architecture.string): expected the pool avg, found " + (request.pool?.string ?? ""))
    }
    var members: [(key: Name, value: JSON)] = [
      ("image_height", .int(request.image.height)), ("image_width", .int(request.image.width)),
    ]
    if isTensorFlow { members += [("padding", .string("same")), ("epsilon", .double(1e-3))] }
    if request.isFused { members.append(("fused", .int(1))) }
    for field in row.dropFirst(3) {
      let sides = field.utf8.split(separator: UInt8(ascii: "="), maxSplits: 1)
      guard sides.count == 2 else { continue }
      let key = Name(utf8: Array(sides[0]))
      members.append(key == "fine" ? ("epsilon", .double(1e-5)) : (key, value(sides[1])))
    }
    return TimmTower(
      tower: TowerDescription(
        encoder: "clipcore.encoder." + row[0], config: .object(members), scope: request.scope),
      width: width, head: row[2], rules: rules)
  }

  /// An integer, a list of integers, or a name.
  private static func value(_ text: ArraySlice<UInt8>) -> JSON {
    let parts = text.split(separator: UInt8(ascii: ","))
    let numbers = parts.compactMap { TimmTable.number($0) }
    guard numbers.count == parts.count else { return .string(Name(utf8: Array(text))) }
    return numbers.count == 1 ? .int(numbers[0]) : .array(numbers.map { .int($0) })
  }

  /// The joint projections of timm's attention, and what Swin V2 has beside them.
  private static var rules: [ParameterRule] {
    ParameterRule.rules(
      """
      attn.q_proj.bias attn.q_bias
      attn.v_proj.bias attn.v_bias
      q_proj.{}        qkv.{} 0/3
      k_proj.{}        qkv.{} 1/3
      v_proj.{}        qkv.{} 2/3
      """, isSuffix: true)
  }
}
