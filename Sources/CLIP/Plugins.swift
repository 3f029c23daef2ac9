import CClip

/// A kind of thing that plugins bring.
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

/// One thing that a plugin brings.
public struct PluginInfo: Hashable, Sendable {
  /// nil for a kind that this module does not know.
  public let kind: PluginKind?
  /// "clipcore.encoder.clip-vit"
  public let id: String
  /// One line.
  public let description: String
  /// The version of the plugin.
  public let version: String
  /// An SPDX expression.
  public let license: String
  /// The file that it came from; "" when it is built into the library.
  public let path: String
  /// Kernels: these compute. Others: usable on this machine.
  public let isActive: Bool
  /// The id of the plugin that brings it; "" when it is built into the library.
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

/// A watched plugin file that changed. `error` is nil when its new code was loaded; else the old code stays in place.
public struct PluginChange: Sendable {
  /// The id of the plugin.
  public let plugin: String
  public let path: String
  public let error: CLIPError?
}

/// Calls that change what is loaded are made one at a time; others go on meanwhile with what was there when they began.
/// A plugin is named by its id or by the path that it was loaded from.
extension Runtime {
  /// What the loaded plugins bring, in the order of loading.
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

  /// Loads a plugin file, or each *.so of a folder. One of a folder that cannot be loaded is skipped with a warning.
  public func loadPlugin(_ path: String) throws(CLIPError) {
    try withCMemory { memory throws(CLIPError) in
      try check(clip_plugin_load(handle, try memory.string(path, "path")))
    }
  }

  /// Takes a plugin away. Its code stays in memory until the models and calls that use it are gone. The plugin whose
  /// kernels compute cannot be taken away.
  public func unloadPlugin(_ plugin: String) throws(CLIPError) {
    try withCMemory { memory throws(CLIPError) in
      try check(clip_plugin_unload(handle, try memory.string(plugin, "plugin")))
    }
  }

  /// Loads the file of a plugin again. Open models keep the old code until `Model.swap`.
  public func reloadPlugin(_ plugin: String) throws(CLIPError) {
    try withCMemory { memory throws(CLIPError) in
      try check(clip_plugin_reload(handle, try memory.string(plugin, "plugin")))
    }
  }

  /// Reloads each plugin whose file changes, until the runtime is gone. Once for a runtime.
  ///
  /// - Parameter changed: Called on the thread that watches; it may call the library.
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
    // The thread that watches ends in clip_runtime_release, before this goes.
    watcher = box
  }
}
