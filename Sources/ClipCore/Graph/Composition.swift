import CClip

/// Encoders made of encoders.
extension Builder {
  private static let deepest = 8
  /// What a part takes from the encoder around it when its own configuration lacks it.
  private static let inherited: [Name] = ["image_height", "image_width", "vocab_size", "context_length"]

  /// Lets the plugin `id` build into this graph; see clip_builder's encoder.
  func encoder(_ id: Name, _ scope: Name, _ key: Name?, _ table: UnsafeMutablePointer<clip_builder>?) -> clip_value {
    guard error == nil else { return -1 }
    guard depth < Builder.deepest else {
      fail(CLIP_LIMIT, "encoder " + id.string + ": expected at most \(Builder.deepest) encoders inside each other")
      return -1
    }
    guard let item = plugins.find(CLIP_KIND_ENCODER, id) else {
      fail(
        CLIP_NOT_FOUND, "encoder: expected the plugin " + id.string + ", found " + plugins.ids(CLIP_KIND_ENCODER))
      return -1
    }
    let encoder = item.table.assumingMemoryBound(to: clip_encoder.self)
    guard Int(encoder.pointee.tower) == tower else {
      fail(CLIP_PLUGIN, "encoder " + id.string + ": it encodes the other modality")
      return -1
    }
    guard let build = encoder.pointee.build, let inner = partConfig(key) else { return -1 }
    if let plugin = item.plugin { graph.plugins.append(plugin) }
    let outer = (config, scopes)
    config = inner
    if !scope.isEmpty { push(scope) }
    depth += 1
    let value = build(table)
    depth -= 1
    config = outer.0
    scopes = outer.1
    guard let shape = shape(value, "encoder") else { return -1 }
    guard shape.rows == .one else {
      fail(CLIP_PLUGIN, "encoder " + id.string + ": expected one row an item, found " + shape.text)
      return -1
    }
    return value
  }

  /// The object at `key` with what it inherits; nil, with the error recorded, where it is another type.
  private func partConfig(_ key: Name?) -> JSON? {
    var members: [(key: Name, value: JSON)] = []
    if let key, let found = value(key) {
      guard let object = found.object else {
        wrong(key, "an object", found)
        return nil
      }
      members = object
    }
    let own: JSON = .object(members)
    for name in Builder.inherited {
      if own[name] == nil, let value = config[name] { members.append((name, value)) }
    }
    return .object(members)
  }

  func publish(_ name: Name, _ x: clip_value) {
    guard shape(x, "publish") != nil else { return }
    published[scoped(name)] = x
  }

  func findPublished(_ name: Name) -> clip_value {
    guard error == nil else { return -1 }
    if let value = published[scoped(name)] { return value }
    var names = ""
    for (known, _) in published { names += (names.isEmpty ? "" : ", ") + known.string }
    fail(
      CLIP_PLUGIN,
      "published: expected a value " + scoped(name).string + ", found " + (names.isEmpty ? "none" : names))
    return -1
  }
}
