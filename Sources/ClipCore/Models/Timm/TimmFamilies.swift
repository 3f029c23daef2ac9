import CClip

/// An image tower of timm, asked for by the name of its architecture.
struct TimmRequest {
  /// "vit_base_patch16_siglip_256": without the tag of the weights, which follows a dot.
  let architecture: Name
  /// The size of images.
  let image: Sides
  /// timm's global_pool; nil: the architecture's own.
  var pool: Name?
  /// Whether the pool is set after the model was built with its own, which leaves the norms unchanged.
  var setsPoolLater = false
  /// Whether the weights are timm's after reparameterize_model: sums of convolutions that became one.
  var isFused = false
  /// The prefix of the tower's tensors: "visual.trunk", or "".
  var scope: Name = ""

  /// `name` under the scope.
  func scoped(_ name: Name) -> Name { scope.isEmpty ? name : scope + "." + name }
}

/// The tower, up to timm's forward_head(pre_logits=True).
struct TimmTower {
  /// The scope is the request's.
  var tower: TowerDescription
  /// Features that come out.
  var width: Int
  /// The classifier's name under the scope: a linear layer with a bias.
  var head: Name = "head"
  /// Maps the encoder's parameters to timm's tensors.
  var rules: [ParameterRule]
}

/// timm's architectures, by their names.
enum TimmFamilies {
  /// nil: an architecture that is not built here. A family's reader answers nil for one of another family.
  static func read(_ request: TimmRequest) throws(ClipError) -> TimmTower? {
    if let found = try TimmTransformers.read(request) { return found }
    if let found = try TimmHierarchical.read(request) { return found }
    return nil
  }
}

/// Tables of architectures: a line for each.
enum TimmTable {
  /// A positive integer.
  static func number(_ digits: some Sequence<UInt8>) -> Int? {
    var value = 0
    for byte in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte), value < 1 << 20 else { return nil }
      value = value * 10 + Int(byte - UInt8(ascii: "0"))
    }
    return value
  }

  /// The row of an architecture in a table such as TimmTransformerTable's, without its name.
  static func find(_ architecture: Name, _ rows: StaticString) -> [Name]? {
    let bytes = rows.withUTF8Buffer { Array($0) }
    let name = architecture.utf8
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let fields = line.split(separator: UInt8(ascii: " "))
      guard let first = fields.first else { continue }
      let parts = first.split(separator: UInt8(ascii: "["), omittingEmptySubsequences: false)
      guard name.starts(with: parts[0]) else { continue }
      let rest = name.dropFirst(parts[0].count)
      let isFound =
        parts.count == 1
        ? rest.isEmpty
        : parts[1].dropLast().split(separator: UInt8(ascii: ",")).contains { $0.elementsEqual(rest) }
      if isFound { return fields.dropFirst().map { Name(utf8: Array($0)) } }
    }
    return nil
  }
}
