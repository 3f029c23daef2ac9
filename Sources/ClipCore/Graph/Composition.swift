import CClip

/// Encoders composed of encoders.
extension Builder {
  private static let deepest = 8
  /// Keys that a part inherits from the encoder around it.
  private static let inherited: [Name] = ["image_height", "image_width", "vocab_size", "context_length"]

  /// Has the plugin `id` build into this graph; see clip_builder.encoder.
  func encoder(
    _ id: Name, _ scope: Name, _ key: Name?, _ table: UnsafeMutablePointer<clip_builder>?
  ) throws(ClipError) -> Int {
    let place = "encoder " + id.string
    guard depth < Builder.deepest else {
      throw ClipError(CLIP_LIMIT, place + ": expected at most \(Builder.deepest) encoders inside each other")
    }
    guard let item = plugins.find(CLIP_KIND_ENCODER, id) else {
      throw ClipError(
        CLIP_NOT_FOUND, "encoder: expected the plugin " + id.string + ", found " + plugins.ids(CLIP_KIND_ENCODER))
    }
    let encoder = item.table.assumingMemoryBound(to: clip_encoder.self)
    guard Int(encoder.pointee.tower) == tower else {
      throw ClipError(CLIP_PLUGIN, place + ": it encodes the other modality")
    }
    let inner = try partConfig(key)
    if let plugin = item.plugin { graph.plugins.append(plugin) }
    let outer = (config, scopes)
    config = inner
    if !scope.isEmpty { try push(scope) }
    depth += 1
    let value = Int(encoder.pointee.build(table))
    depth -= 1
    config = outer.0
    scopes = outer.1
    if let error { throw error }
    try checkFeatures(value, place)
    return value
  }

  /// The object at `key`, with inherited keys.
  private func partConfig(_ key: Name?) throws(ClipError) -> JSON {
    var members: [(key: Name, value: JSON)] = []
    if let key, let found = value(key) {
      guard let object = found.object else { throw wrong(key, "an object", found) }
      members = object
    }
    let own: JSON = .object(members)
    for name in Builder.inherited {
      if own[name] == nil, let value = config[name] { members.append((name, value)) }
    }
    return .object(members)
  }

  func setOutput(_ name: Name, _ value: Int) throws(ClipError) {
    _ = try shape(value)
    outputs[scoped(name)] = value
  }

  func output(_ name: Name) throws(ClipError) -> Int {
    if let value = outputs[scoped(name)] { return value }
    var names = ""
    for (known, _) in outputs { names += (names.isEmpty ? "" : ", ") + known.string }
    throw ClipError(
      CLIP_PLUGIN, "output: expected a value " + scoped(name).string + ", found " + (names.isEmpty ? "none" : names))
  }
}
