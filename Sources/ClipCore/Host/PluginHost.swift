import CClip
import CSystem
import ClipKernels

/// Loads, unloads and reloads plugins while other threads use the registry. One change at a time; readers take the
/// current registry and never wait for a change.
final class PluginHost {
  private let log: Log
  private let changes = Mutex()
  private let plugins: Replaceable<PluginRegistry>
  /// The reference kernels, which are always there.
  private let reference: UnsafeMutablePointer<clip_kernels>
  /// The plugin whose kernels are used. It is never replaced, because weights are packed for its kernels.
  private var computing: Plugin?
  /// Raised after every change, once a PluginWatch has set it.
  private var watcher: Wake?

  init(log: Log) {
    self.log = log
    reference = .allocate(capacity: 1)
    reference.initialize(to: referenceKernels())
    let item = PluginRegistry.Item(
      kind: CLIP_KIND_KERNELS, id: reference.pointee.id, description: reference.pointee.description,
      table: UnsafeRawPointer(reference), plugin: nil)
    plugins = Replaceable(PluginRegistry([item], []))
  }

  deinit { reference.deallocate() }

  /// The current registry.
  var registry: PluginRegistry { plugins.current }

  /// Protects `plugin` from being unloaded and reloaded.
  func keepForComputing(_ plugin: Plugin?) { change { computing = plugin } }

  /// Sets what is raised after each change.
  func report(to wake: Wake) { change { watcher = wake } }

  /// Loads a plugin file, or all of a folder. A broken plugin is skipped with a warning. If the system has no memory or
  /// descriptors left, the plugin may be good, and the error is thrown.
  func scan(_ path: String) throws(ClipError) {
    let kind: FileKind
    do throws(ClipError) {
      kind = try FileKind(path)
    } catch {
      if error.isResourceFailure { throw error }
      return log.warning("plugins: " + error.message)
    }
    try change { () throws(ClipError) in
      if kind == .folder { try loadAll(path) } else { try loadOrWarn(path) }
    }
  }

  /// Loads the plugin at `path` unless a loaded one brings `id`. A broken one is a warning.
  func demand(_ kind: clip_plugin_kind, _ id: Name, from path: String) throws(ClipError) {
    guard registry.find(kind, id) == nil, try FileKind(path) == .file else { return }
    try change { () throws(ClipError) in
      if registry.find(kind, id) == nil { try loadOrWarn(path) }
    }
  }

  /// Loads a plugin file; a broken one is an error. In a folder, a broken one is skipped with a warning.
  func load(_ path: String) throws(ClipError) {
    if try FileKind(path) == .folder { return try scan(path) }
    try change { () throws(ClipError) in
      replace(with: try registry.with(try Plugin(path: path, registry), log: log))
    }
  }

  func register(_ entry: clip_plugin_entry_fn) throws(ClipError) {
    try change { () throws(ClipError) in
      replace(with: try registry.with(try Plugin(entry: entry), log: log))
    }
  }

  /// Removes a plugin by its id or path. Its code stays mapped until its last user is gone.
  func unload(_ name: Name) throws(ClipError) {
    try change { () throws(ClipError) in replace(with: registry.without(try changeable(name))) }
  }

  /// Loads a plugin's file again and replaces the plugin; after an error the old one stays.
  func reload(_ name: Name) throws(ClipError) {
    try change { () throws(ClipError) in
      let old = try changeable(name)
      guard !old.path.isEmpty else {
        throw ClipError(
          CLIP_UNSUPPORTED, old.id.string + ": expected a plugin from a file, this one is linked into the program")
      }
      replace(with: try registry.with(try Plugin(path: old.path, registry), insteadOf: old, log: log))
    }
  }

  private func changeable(_ name: Name) throws(ClipError) -> Plugin {
    guard let plugin = registry.plugin(name) else {
      throw ClipError(CLIP_NOT_FOUND, "plugin: expected the id or the path of one that is loaded, found " + name.string)
    }
    if plugin === computing {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        plugin.place
          + ": its kernels compute for this runtime, whose weights are packed for them; it stays as long as the runtime"
      )
    }
    return plugin
  }

  /// Loads the shared libraries of a folder whose names begin with `prefix`.
  func scan(_ folder: String, prefix: Name) throws(ClipError) {
    try change { () throws(ClipError) in try loadAll(folder, prefix, ".so") }
  }

  private func loadAll(_ folder: String) throws(ClipError) {
    try loadAll(folder, "", ".so")
    for loader in registry.loaders { try loadAll(folder, "", loader.suffix) }
  }

  /// A file that is already loaded from this folder is skipped.
  private func loadAll(_ folder: String, _ prefix: Name, _ suffix: Name) throws(ClipError) {
    let files: [Name]
    do throws(ClipError) {
      files = try names(in: folder, endingIn: suffix)
    } catch {
      if error.isResourceFailure { throw error }
      return log.warning("plugins: " + error.message)
    }
    for name in files where name.hasPrefix(prefix) {
      let path = join(folder, name)
      if !registry.plugins.contains(where: { Name($0.path) == Name(path) }) { try loadOrWarn(path) }
    }
  }

  private func loadOrWarn(_ path: String) throws(ClipError) {
    do throws(ClipError) {
      replace(with: try registry.with(try Plugin(path: path, registry), skipsBroken: true, log: log))
    } catch {
      if error.isResourceFailure { throw error }
      log.warning("plugin skipped: " + error.message)
    }
  }

  private func change<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
    changes.lock()
    defer { changes.unlock() }
    try body()
  }

  private func replace(with next: PluginRegistry) {
    plugins.replace(with: next)
    watcher?.raise()
  }
}
