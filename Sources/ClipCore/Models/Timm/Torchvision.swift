import CClip

/// torchvision's state dicts: a folder without a configuration. Its only weight file has torchvision's name, which
/// identifies the architecture.
enum Torchvision {
  /// The row of the folder's file; nil if there is none. The hash at the end of the name may be missing if the rest is
  /// unique.
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
}
