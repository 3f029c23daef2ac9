import CClip

/// Keeps a plugin's code loaded.
final class PluginReference {
  private let handle: OpaquePointer

  init(_ handle: OpaquePointer) { self.handle = handle }

  deinit { clip_plugin_reference_release(handle) }
}

/// The table of a loaded augmentation, which the core checked when it loaded the plugin.
struct LoadedAugmentation {
  let kind: clip_plugin_kind
  let table: UnsafePointer<clip_augmentation>
  let plugin: PluginReference

  /// The default of "p".
  var probability: Double { table.pointee.probability == 0 ? 1 : table.pointee.probability }

  static var kinds: [clip_plugin_kind] { [CLIP_KIND_IMAGE_AUGMENTATION, CLIP_KIND_TEXT_AUGMENTATION] }

  /// The augmentation with this op or id. If there is none, CLIP_NOT_FOUND with `place` and all ops.
  static func find(_ name: Name, _ place: String, _ runtime: Runtime) throws(ClipError) -> LoadedAugmentation {
    for kind in kinds {
      for known in try list(kind, runtime) where known.op == name || known.id == name {
        // One that has been unloaded meanwhile counts as not found.
        if let held = try hold(kind, known.id, runtime) { return held }
      }
    }
    let images = try ops(CLIP_KIND_IMAGE_AUGMENTATION, runtime)
    let texts = try ops(CLIP_KIND_TEXT_AUGMENTATION, runtime)
    throw ClipError(
      CLIP_NOT_FOUND, "\(place): unknown op \"\(name.string)\"; for images there are \(images), for texts \(texts)")
  }

  /// All of them, by kind in the order of loading.
  static func all(_ runtime: Runtime) throws(ClipError) -> [LoadedAugmentation] {
    var all: [LoadedAugmentation] = []
    for kind in kinds {
      for known in try list(kind, runtime) {
        if let held = try hold(kind, known.id, runtime) { all.append(held) }
      }
    }
    return all
  }

  private static func hold(_ kind: clip_plugin_kind, _ id: Name, _ runtime: Runtime) throws(ClipError)
    -> LoadedAugmentation?
  {
    var table: UnsafeRawPointer?
    var reference: OpaquePointer?
    let status = id.string.withCString { clip_plugin_table_hold(runtime.handle, kind, $0, &table, &reference) }
    if status == CLIP_NOT_FOUND { return nil }
    try call(status)
    guard let table, let reference else { return nil }
    return LoadedAugmentation(
      kind: kind, table: table.assumingMemoryBound(to: clip_augmentation.self), plugin: PluginReference(reference))
  }

  /// All ops of one kind, for messages: "a, b"; "none".
  private static func ops(_ kind: clip_plugin_kind, _ runtime: Runtime) throws(ClipError) -> String {
    var text = ""
    for known in try list(kind, runtime) { text += (text.isEmpty ? "" : ", ") + known.op.string }
    return text.isEmpty ? "none" : text
  }

  private static func list(_ kind: clip_plugin_kind, _ runtime: Runtime) throws(ClipError) -> [(op: Name, id: Name)] {
    var list: [(op: Name, id: Name)] = []
    let status = withUnsafeMutablePointer(to: &list) { list in
      clip_plugin_tables_visit(
        runtime.handle, kind,
        { user, id, table in
          guard let user, let id, let table else { return 0 }
          let op = table.assumingMemoryBound(to: clip_augmentation.self).pointee.op
          user.assumingMemoryBound(to: [(op: Name, id: Name)].self).pointee.append(
            (op.map { Name(cString: $0) } ?? "", Name(cString: id)))
          return 0
        }, UnsafeMutableRawPointer(list))
    }
    try call(status)
    return list
  }
}
