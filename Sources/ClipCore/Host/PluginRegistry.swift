import CClip

/// The items of the loaded plugins at one moment, by kind and id. Immutable: PluginHost replaces it when plugins are
/// loaded or unloaded. A reference to it keeps its plugins loaded.
final class PluginRegistry {
  struct Item {
    let kind: clip_plugin_kind
    let id: UnsafePointer<CChar>
    let description: UnsafePointer<CChar>
    let table: UnsafeRawPointer
    /// nil for an item that is built into the library.
    let plugin: Plugin?
  }

  let items: [Item]
  /// In the order they were loaded.
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

  /// The plugin with this id, or the one loaded from this path.
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

  /// The registry with `plugin` in the place of `old`, or at the end. A broken item is an error or, with `skipsBroken`,
  /// left out with a warning.
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
        guard let item = try PluginRegistry.Item(checking: entry, of: plugin) else {
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
}
