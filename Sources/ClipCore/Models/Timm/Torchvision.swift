import CClip

/// torchvision's state dicts: a folder with no configuration whose one file of weights has the name that torchvision
/// downloads it under, which says what it is.
enum Torchvision {
  /// The row of the folder's file; nil where there is none. A name without the hash at its end counts where one row has
  /// it.
  static func row(_ folder: String) throws(ClipError) -> [Name]? {
    var stems: [[UInt8]] = []
    for ending in [".pth", ".pt", ".bin", ".safetensors"] as [Name] {
      for name in try names(in: folder, endingIn: ending) {
        stems.append(Array(name.utf8.dropLast(ending.utf8.count)))
      }
    }
    guard stems.count == 1, let stem = stems.first else { return nil }
    var found: [[Name]] = []
    for line in TorchvisionTable.rows.withUTF8Buffer({ Array($0) }).split(separator: UInt8(ascii: "\n")) {
      let fields = line.split(separator: UInt8(ascii: " "))
      guard let name = fields.first else { continue }
      let isWhole = name.elementsEqual(stem)
      guard isWhole || name.dropLast(9).elementsEqual(stem) else { continue }
      let rest = fields.dropFirst().map { Name(utf8: Array($0)) }
      if isWhole { return rest }
      found.append(rest)
    }
    guard found.count < 2 else {
      throw ClipError(
        CLIP_UNSUPPORTED,
        "\(folder): expected the file under the name that torchvision gives it, with the hash: several have the name "
          + Name(utf8: stem).string)
    }
    return found.first
  }

  static func read(_ row: [Name], _ folder: String, image: Bool) throws(ClipError) -> ModelConfig {
    let numbers = row.compactMap { TimmTable.number($0.utf8) }
    guard row.count > 2, numbers.count == 2,
      var found = try TimmFamilies.read(TimmRequest(architecture: row[0], image: Sides(numbers[1])))
    else { throw ClipError(CLIP_UNSUPPORTED, folder + ": expected an architecture that is known here") }
    if found.tower.encoder == "clipcore.encoder.efficientnet" {
      let members = (found.tower.config.object ?? []).filter { $0.key != "names" }
      let epsilon: [(key: Name, value: JSON)] = row.contains("coarse") ? [("epsilon", .double(1e-3))] : []
      found.tower.config = .object(members + epsilon)
    }
    var rules: [ParameterRule] = []
    for family in families where row[0].hasPrefix(family.start) { rules = family.rules }
    var result = ModelConfig(
      embeddingWidth: found.width,
      names: TensorNames(
        rules: rules, isDirect: true, imagePrefixes: [""],
        ignoredPrefixes: ["fc.", "classifier.", "head.", "heads."]))
    guard image else { return result }
    var preprocess = PreprocessConfig(width: numbers[1], height: numbers[1], resizeTo: numbers[0])
    preprocess.resample = row.contains("bicubic") ? .bicubic : .bilinear
    let isHalf = row.contains("half")
    preprocess.mean = isHalf ? [0.5, 0.5, 0.5] : [0.485, 0.456, 0.406]
    preprocess.std = isHalf ? [0.5, 0.5, 0.5] : [0.229, 0.224, 0.225]
    result.image = ModelConfig.Image(tower: found.tower, preprocess: preprocess)
    return result
  }

  private static var families: [(start: Name, rules: [ParameterRule])] {
    [("convnext", stages(convNeXt)), ("swin", stages(swin)), ("vit", vit)]
  }

  /// Names of the four stages: "#" is a stage, "@" the place of its blocks and "~" of what is before them.
  private static func stages(_ rules: [ParameterRule]) -> [ParameterRule] {
    (0..<4).flatMap { stage in
      func placed(_ name: Name) -> Name {
        var bytes: [UInt8] = []
        for byte in name.utf8 {
          switch byte {
          case UInt8(ascii: "#"): bytes += Array("\(stage)".utf8)
          case UInt8(ascii: "@"): bytes += Array("\(2 * stage + 1)".utf8)
          case UInt8(ascii: "~"): bytes += Array("\(2 * stage)".utf8)
          default: bytes.append(byte)
          }
        }
        return Name(utf8: bytes)
      }
      return rules.map { ParameterRule(placed($0.parameter), placed($0.tensor), $0.arrangement) }
    }
  }

  private static var convNeXt: [ParameterRule] {
    ParameterRule.rules(
      """
      stages.#.blocks.{}.           features.@.{}.
      stem.{}.{}                    features.0.{}.{}
      stages.#.downsample.{}.{}     features.~.{}.{}
      stages.#.blocks.{}.conv_dw.{} features.@.{}.block.0.{}
      stages.#.blocks.{}.norm.{}    features.@.{}.block.2.{}
      stages.#.blocks.{}.mlp.fc1.{} features.@.{}.block.3.{}
      stages.#.blocks.{}.mlp.fc2.{} features.@.{}.block.5.{}
      stages.#.blocks.{}.gamma      features.@.{}.layer_scale
      head.norm.{}                  classifier.0.{}
      """)
  }

  private static var swin: [ParameterRule] {
    ParameterRule.rules(
      """
      layers.#.blocks.{}.attn.q_proj.{} features.@.{}.attn.qkv.{} 0/3
      layers.#.blocks.{}.attn.k_proj.{} features.@.{}.attn.qkv.{} 1/3
      layers.#.blocks.{}.attn.v_proj.{} features.@.{}.attn.qkv.{} 2/3
      layers.#.blocks.{}.               features.@.{}.
      patch_embed.proj.{}               features.0.0.{}
      patch_embed.norm.{}               features.0.2.{}
      layers.#.downsample.{}.{}         features.~.{}.{}
      layers.#.blocks.{}.mlp.fc1.{}     features.@.{}.mlp.0.{}
      layers.#.blocks.{}.mlp.fc2.{}     features.@.{}.mlp.3.{}
      layers.#.blocks.{}.{}.{}          features.@.{}.{}.{}
      layers.#.blocks.{}.{}.{}.{}       features.@.{}.{}.{}.{}
      layers.#.blocks.{}.{}.{}.{}.{}    features.@.{}.{}.{}.{}.{}
      """)
  }

  private static var vit: [ParameterRule] {
    ParameterRule.rules(
      """
      transformer.resblocks.{}. encoder.layers.encoder_layer_{}.
      conv1.{}                  conv_proj.{}
      class_embedding           class_token
      positional_embedding      encoder.pos_embedding
      ln_post.{}                encoder.ln.{}
      """)
      + ParameterRule.rules(
        """
        ln_1.{}          ln_1.{}
        ln_2.{}          ln_2.{}
        attn.out_proj.{} self_attention.out_proj.{}
        mlp.c_fc.{}      mlp.0.{}
        mlp.c_fc.{}      mlp.linear_1.{}
        mlp.c_proj.{}    mlp.3.{}
        mlp.c_proj.{}    mlp.linear_2.{}
        attn.q_proj.{}   self_attention.in_proj_{} 0/3
        attn.k_proj.{}   self_attention.in_proj_{} 1/3
        attn.v_proj.{}   self_attention.in_proj_{} 2/3
        """, under: "transformer.resblocks.{}.", "encoder.layers.encoder_layer_{}.")
  }
}
