import CClip

/// The kinds of items in plugins.
public enum PluginKind: UInt32, Sendable, CaseIterable {
  case encoder = 1
  case imageCodec = 2
  case kernels = 3
  case tokenizer = 4
  case loader = 5
  case op = 6
  case imageAugmentation = 7
  case textAugmentation = 8
  case weights = 9
}

/// An item of a plugin.
public struct PluginInfo: Hashable, Sendable {
  /// nil for a kind unknown to this module.
  public let kind: PluginKind?
  /// Such as "clipcore.encoder.clip-vit".
  public let id: String
  /// One line.
  public let description: String
  /// The version of the plugin.
  public let version: String
  /// An SPDX license expression.
  public let license: String
  /// The path of the plugin; "" if built into the library.
  public let path: String
  /// For kernels: whether they are in use. For others: whether they can be used on this machine.
  public let isActive: Bool
  /// The id of the plugin; "" if built into the library.
  public let plugin: String

  init(_ info: clip_plugin_info) {
    kind = PluginKind(rawValue: UInt32(info.kind.rawValue))
    id = string(info.id)
    description = string(info.description)
    version = string(info.version)
    license = string(info.license)
    path = string(info.path)
    isActive = info.active != 0
    plugin = string(info.plugin)
  }
}

/// A change of a watched plugin file. `error` is nil if the new code was loaded; otherwise the old code stays.
public struct PluginChange: Sendable {
  /// The id of the plugin.
  public let plugin: String
  public let path: String
  public let error: CLIPError?
}

/// Calls that change the loaded plugins are made one at a time. Other calls continue with the plugins that were loaded
/// when they began. `plugin` is a plugin's id, or the path from which it was loaded.
extension Runtime {
  /// The items of the loaded plugins, in the order of loading.
  public func plugins() throws(CLIPError) -> [PluginInfo] {
    let list = Box<[PluginInfo]>([])
    let status = clip_plugins_visit(
      handle,
      { user, info in
        if let info { Box<[PluginInfo]>.at(user)?.value.append(PluginInfo(info.pointee)) }
        return 0
      }, list.pointer)
    try check(status)
    return list.value
  }

  /// Loads a plugin file, or each *.so of a folder. In a folder, files that cannot be loaded are skipped with a
  /// warning.
  public func loadPlugin(_ path: String) throws(CLIPError) {
    try withCMemory { memory throws(CLIPError) in
      try check(clip_plugin_load(handle, try memory.string(path, "path")))
    }
  }

  /// Unloads a plugin. Its code stays in memory until the models and calls that use it have ended. The plugin of the
  /// kernels in use cannot be unloaded.
  public func unloadPlugin(_ plugin: String) throws(CLIPError) {
    try withCMemory { memory throws(CLIPError) in
      try check(clip_plugin_unload(handle, try memory.string(plugin, "plugin")))
    }
  }

  /// Loads a plugin's file again. Open models keep the old code until `Model.swap`.
  public func reloadPlugin(_ plugin: String) throws(CLIPError) {
    try withCMemory { memory throws(CLIPError) in
      try check(clip_plugin_reload(handle, try memory.string(plugin, "plugin")))
    }
  }

  /// Reloads each plugin whose file changes, until the runtime is released. May be called once for each runtime.
  ///
  /// - Parameter changed: Called on the watcher thread. May call the library.
  public func watchPlugins(_ changed: @escaping @Sendable (PluginChange) -> Void = { _ in }) throws(CLIPError) {
    typealias Handler = @Sendable (PluginChange) -> Void
    let box = Box<Handler>(changed)
    let status = clip_plugin_watch(
      handle,
      { user, plugin, path, status, message in
        var error: CLIPError?
        if status != CLIP_OK { error = CLIPError(CLIPStatus(rawValue: UInt32(status.rawValue)), string(message)) }
        Box<Handler>.at(user)?.value(PluginChange(plugin: string(plugin), path: string(path), error: error))
      }, box.pointer)
    try check(status)
    // The watcher thread ends in clip_runtime_release, before the box is freed.
    watcher = box
  }
}
