import CClip

/// What the loaded plugins bring at one moment, by kind and id. Immutable: PluginHost publishes
/// another when plugins come or go. Whoever holds one keeps its plugins loaded.
final class PluginRegistry {
  struct Item {
    let kind: clip_plugin_kind
    let id: UnsafePointer<CChar>
    let description: UnsafePointer<CChar>
    let table: UnsafeRawPointer
    /// nil for what is built into the library.
    let plugin: Plugin?
  }

  let items: [Item]
  /// In the order in which they were loaded.
  let plugins: [Plugin]

  init(_ items: [Item], _ plugins: [Plugin]) {
    self.items = items
    self.plugins = plugins
  }

  // MARK: What is there

  func find(_ kind: clip_plugin_kind, _ id: Name) -> Item? {
    for item in items where item.kind == kind && Name(cString: item.id) == id { return item }
    return nil
  }

  /// The plugin of this id, or else that was loaded from this path.
  func plugin(_ name: Name) -> Plugin? {
    for plugin in plugins where plugin.id == name { return plugin }
    for plugin in plugins where !plugin.path.isEmpty && Name(plugin.path) == name { return plugin }
    return nil
  }

  /// Ids of one kind, for messages: "a, b"; "none".
  func ids(_ kind: clip_plugin_kind) -> String {
    var text = ""
    for item in items where item.kind == kind { text += (text.isEmpty ? "" : ", ") + String(cString: item.id) }
    return text.isEmpty ? "none" : text
  }

  // MARK: What it would be with a change

  func without(_ plugin: Plugin) -> PluginRegistry {
    PluginRegistry(items.filter { $0.plugin !== plugin }, plugins.filter { $0 !== plugin })
  }

  /// With `plugin` and its items in the place of `old`, or at the end. What is wrong with an item is
  /// thrown or, where `skipsBroken`, a warning that leaves the item out.
  func with(_ plugin: Plugin, insteadOf old: Plugin? = nil, skipsBroken: Bool = false, log: Log) throws(ClipError)
    -> PluginRegistry
  {
    for other in plugins where other !== old && other.id == plugin.id {
      throw ClipError(
        CLIP_PLUGIN,
        plugin.place + ": the plugin " + plugin.id.string + " was already loaded"
          + (other.path.isEmpty ? "" : " from " + other.path))
    }
    var before: [Item] = []
    var after: [Item] = []
    var passed = false
    for item in items {
      if let old, item.plugin === old {
        passed = true
      } else if passed {
        after.append(item)
      } else {
        before.append(item)
      }
    }
    for index in 0..<plugin.table.pointee.item_count {
      guard let entry = plugin.table.pointee.items?[index] else { break }
      do throws(ClipError) {
        guard let item = try PluginRegistry.check(entry, plugin) else {
          log.warning("plugin item skipped: " + plugin.place + ": kind \(entry.kind) is not known to this version")
          continue
        }
        for other in [before, after] {
          for known in other where known.kind == item.kind && Name(cString: known.id) == Name(cString: item.id) {
            throw ClipError(
              CLIP_PLUGIN,
              String(cString: item.id) + " was already loaded from " + (known.plugin?.place ?? "the library"))
          }
        }
        if let problem = AugmentationTable.clash(item, before + after) { throw ClipError(CLIP_PLUGIN, problem) }
        before.append(item)
      } catch {
        guard skipsBroken else { throw error.at(plugin.place) }
        log.warning("plugin item skipped: " + plugin.place + ": " + error.message)
      }
    }
    guard before.contains(where: { $0.plugin === plugin }) else {
      throw ClipError(CLIP_PLUGIN, plugin.place + ": it brings nothing that this version can use")
    }
    let others = plugins.map { $0 === old ? plugin : $0 }
    return PluginRegistry(before + after, old == nil ? plugins + [plugin] : others)
  }

  /// The item, held against what its kind must have; nil for a kind that this version does not know.
  private static func check(_ item: clip_plugin_item, _ plugin: Plugin) throws(ClipError) -> Item? {
    guard let table = item.table else { throw ClipError(CLIP_PLUGIN, "an item's table is a null pointer") }
    let kind = clip_plugin_kind(item.kind)
    switch kind {
    case CLIP_KIND_ENCODER:
      try checkSize(table, EncoderTable.requiredSize)
      let encoder = table.assumingMemoryBound(to: clip_encoder.self)
      return try checked(
        kind, encoder.pointee.id, encoder.pointee.description, table, plugin, "clip_encoder",
        missing: encoder.pointee.build == nil ? "build" : nil)
    case CLIP_KIND_IMAGE_CODEC:
      let codec = try read(table, clip_image_codec.self)
      let missing = firstMissing([
        (codec.recognises != nil, "recognises"), (codec.read_header != nil, "read_header"),
        (codec.decode != nil, "decode"),
      ])
      return try checked(kind, codec.id, codec.description, table, plugin, "clip_image_codec", missing: missing)
    case CLIP_KIND_KERNELS:
      let kernels = try read(table, clip_kernels.self)
      return try checked(
        kind, kernels.id, kernels.description, table, plugin, "clip_kernels", missing: KernelChoice.missing(kernels))
    case CLIP_KIND_TOKENIZER:
      let tokenizer = try read(table, clip_tokenizer.self)
      return try checked(
        kind, tokenizer.id, tokenizer.description, table, plugin, "clip_tokenizer",
        missing: SentencePiece.missing(tokenizer))
    case CLIP_KIND_OP:
      let op = try read(table, clip_op.self)
      return try checked(kind, op.id, op.description, table, plugin, "clip_op", missing: OpDescriptor.missing(op))
    case CLIP_KIND_IMAGE_AUGMENTATION, CLIP_KIND_TEXT_AUGMENTATION:
      let augmentation = try read(table, clip_augmentation.self)
      if let problem = AugmentationTable.problem(in: augmentation, kind) { throw ClipError(CLIP_PLUGIN, problem) }
      return try checked(
        kind, augmentation.id, augmentation.description, table, plugin, "clip_augmentation", missing: nil)
    default:
      return nil
    }
  }

  private static func checkSize(_ table: UnsafeRawPointer, _ needed: Int) throws(ClipError) {
    let found = table.load(as: UInt32.self)
    guard Int(found) >= needed else {
      throw ClipError(CLIP_PLUGIN, "expected a table of \(needed) bytes, found \(found)")
    }
  }

  /// The table as a `T`, once its struct_size says that it is one.
  private static func read<T: BitwiseCopyable>(_ table: UnsafeRawPointer, _ type: T.Type) throws(ClipError) -> T {
    try checkSize(table, MemoryLayout<T>.size)
    return table.assumingMemoryBound(to: T.self).pointee
  }

  private static func checked(
    _ kind: clip_plugin_kind, _ id: UnsafePointer<CChar>?, _ description: UnsafePointer<CChar>?,
    _ table: UnsafeRawPointer,
    _ plugin: Plugin, _ type: StaticString, missing: StaticString?
  ) throws(ClipError) -> Item {
    guard let id, let description else {
      throw ClipError(CLIP_PLUGIN, "an item: expected an id and a description, found a null pointer")
    }
    guard Plugin.isID(Name(cString: id)) else {
      throw ClipError(CLIP_PLUGIN, "expected an id of a-z, 0-9, '.' and '-', found \"" + String(cString: id) + "\"")
    }
    if let missing {
      throw ClipError(
        CLIP_PLUGIN, String(cString: id) + ": expected all functions and sizes of a \(type), found no \(missing)")
    }
    return Item(kind: kind, id: id, description: description, table: table, plugin: plugin)
  }
}

/// The first of a table's fields that is not there.
func firstMissing(_ fields: [(isThere: Bool, name: StaticString)]) -> StaticString? {
  for field in fields where !field.isThere { return field.name }
  return nil
}
