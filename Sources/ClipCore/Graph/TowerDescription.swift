import CClip

/// What builds one tower.
struct TowerDescription {
  /// The id of the encoder plugin.
  var encoder: Name
  /// What the encoder reads, under clipcore's own keys; every size in it is positive.
  var config: JSON
  /// What the tower's parameters are under: "visual", or "" for the top.
  var scope: Name
  /// Layers on top of the encoder's features, first to last.
  var head: [HeadLayer] = []
}

/// A layer on top of an encoder's features. Names of parameters are whole: "visual_projection".
enum HeadLayer {
  case linear(Name, width: Int, hasBias: Bool)
  case activate(clip_activation)
  /// To unit length.
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
