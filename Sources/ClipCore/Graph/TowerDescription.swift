/// What builds one tower.
struct TowerDescription {
  /// The id of the encoder plugin.
  var encoder: Name
  /// What the encoder reads, under clipcore's own keys; every size in it is positive.
  var config: JSON
  /// What the tower's parameters are under: "visual", or "" for the top.
  var scope: Name
  /// A linear layer on top of the encoder's features, or two with a GELU between them; nil for none.
  var projection: Projection?

  struct Projection {
    /// Of its parameters, at the top: "visual_projection".
    var name: Name
    var width: Int
    var hasBias: Bool
    var hidden: Hidden?
  }

  /// The first of a projection's two layers.
  struct Hidden {
    var name: Name
    var width: Int
    var hasBias: Bool
  }
}
