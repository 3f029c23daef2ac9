import CClip

/// Describes how a tower is built.
struct TowerDescription {
  /// The id of the encoder plugin.
  var encoder: Name
  /// The encoder's configuration, with clipcore's keys; every size in it is positive.
  var config: JSON
  /// The scope of the tower's parameters: "visual", or "" for none.
  var scope: Name
  /// Layers after the encoder, first to last.
  var head: [HeadLayer] = []
}

/// A layer after an encoder. Names of parameters have no scope: "visual_projection".
enum HeadLayer {
  case linear(Name, width: Int, hasBias: Bool)
  case activate(clip_activation)
  /// Scales to unit length.
  case normalize
  case layerNorm(Name, epsilon: Double)
}

extension Builder {
  func add(_ layer: HeadLayer, to value: Int) throws(ClipError) -> Int {
    switch layer {
    case .linear(let name, let width, let hasBias):
      try op("linear", name, [value], [("features", Double(width)), ("bias", hasBias ? 1 : 0)])
    case .activate(let activation): try op("activate", "", [value], [("activation", Double(activation.rawValue))])
    case .normalize: try op("normalize_heads", "", [value], [("heads", 1)])
    case .layerNorm(let name, let epsilon): try op("layer_norm", name, [value], [("epsilon", epsilon)])
    }
  }
}
