import CClip
import CSystem
import Synchronization

/// Watches the files of the loaded plugins, and reloads a plugin when its file was rewritten or replaced. It has its
/// own thread, which sleeps until a file changes. It watches folders, because a replaced file is another file.
final class PluginWatch {
  private let host: PluginHost
  private let log: Log
  private let changed: clip_plugin_changed_fn?
  private let user: UnsafeMutableRawPointer?
  private let wake: Wake
  private let notifier: Int32
  private let isStopping = Atomic<Bool>(false)
  private var thread = pthread_t()
  /// The process that has the thread: a forked child does not.
  private let process = getpid()

  /// Used by the thread only: the watched folders, and the files that were compared with those on disk.
  private var folders: [(path: Name, watch: Int32)] = []
  private var compared: [FileStamp] = []

  private static var events: UInt32 { UInt32(IN_CLOSE_WRITE) | UInt32(IN_MOVED_TO) | UInt32(IN_ONLYDIR) }

  /// Starts the thread; `stop` ends it.
  convenience init(
    _ host: PluginHost, _ log: Log, _ changed: clip_plugin_changed_fn?, _ user: UnsafeMutableRawPointer?
  ) throws(ClipError) {
    let wake = try Wake()
    let notifier = csystem_above_standard(inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK)))
    guard notifier >= 0 else { throw systemError("cannot watch files") }
    self.init(host, log, changed, user, wake, notifier)
    // The current plugins are watched before this returns.
    watchFolders()
    let context = Unmanaged.passRetained(self)
    let code = csystem_start_thread(
      &thread,
      { context in
        if let context { Unmanaged<PluginWatch>.fromOpaque(context).takeRetainedValue().run() }
        return nil
      }, context.toOpaque())
    guard code == 0 else {
      context.release()
      throw ClipError(CLIP_OUT_OF_MEMORY, "plugin watch: the system refused to start a thread")
    }
    host.report(to: wake)
    wake.raise()
  }

  private init(
    _ host: PluginHost, _ log: Log, _ changed: clip_plugin_changed_fn?, _ user: UnsafeMutableRawPointer?, _ wake: Wake,
    _ notifier: Int32
  ) {
    self.host = host
    self.log = log
    self.changed = changed
    self.user = user
    self.wake = wake
    self.notifier = notifier
  }

  deinit { close(notifier) }

  /// Ends the thread and waits for it, unless called on that thread.
  func stop() {
    guard getpid() == process else { return }
    isStopping.store(true, ordering: .sequentiallyConsistent)
    wake.raise()
    if pthread_equal(thread, pthread_self()) != 0 { pthread_detach(thread) } else { pthread_join(thread, nil) }
  }

  private func run() {
    while !isStopping.load(ordering: .sequentiallyConsistent) {
      watchFolders()
      for plugin in changedBefore() { reload(plugin) }
      var waits = [
        pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0),
        pollfd(fd: notifier, events: Int16(POLLIN), revents: 0),
      ]
      _ = poll(&waits, 2, -1)
      wake.lower()
      for plugin in readEvents() where !isStopping.load(ordering: .sequentiallyConsistent) { reload(plugin) }
    }
  }

  /// Watches the folders of the current plugins.
  private func watchFolders() {
    for plugin in host.registry.plugins where plugin.stamp != nil {
      let folder = Name(parent(of: plugin.path))
      if folders.contains(where: { $0.path == folder }) { continue }
      let watch = withPath(folder.string) { inotify_add_watch(notifier, $0, PluginWatch.events) }
      if watch < 0 { log.warning("plugin watch: " + systemError("cannot watch " + folder.string).message) }
      folders.append((folder, watch))
    }
  }

  /// New plugins whose files changed before their folders were watched.
  private func changedBefore() -> [Plugin] {
    var late: [Plugin] = []
    var seen: [FileStamp] = []
    for plugin in host.registry.plugins {
      guard let stamp = plugin.stamp else { continue }
      seen.append(stamp)
      if !compared.contains(stamp), let now = FileStamp(path: plugin.path), now != stamp { late.append(plugin) }
    }
    compared = seen
    return late
  }

  /// The plugins whose files changed, by the system's events.
  private func readEvents() -> [Plugin] {
    let plugins = host.registry.plugins.filter { $0.stamp != nil }
    var found: [Plugin] = []
    var bytes = [UInt8](repeating: 0, count: 1 << 14)
    let header = MemoryLayout<inotify_event>.size
    while true {
      let count = bytes.withUnsafeMutableBytes { read(notifier, $0.baseAddress, $0.count) }
      guard count > 0 else { return found }
      var at = 0
      while at + header <= count {
        let event = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: at, as: inotify_event.self) }
        let end = min(count, at + header + Int(event.len))
        let name = Name(utf8: Array(bytes[(at + header)..<end].prefix { $0 != 0 }))
        at = end
        if event.mask & UInt32(IN_Q_OVERFLOW) != 0 {
          // Events were lost: every plugin whose file differs has changed.
          found += plugins.filter { plugin in FileStamp(path: plugin.path) != plugin.stamp }
        }
        if event.mask & UInt32(IN_IGNORED) != 0 { folders.removeAll { $0.watch == event.wd } }
        for plugin in plugins where fileName(of: plugin.path) == name && !found.contains(where: { $0 === plugin }) {
          let folder = Name(parent(of: plugin.path))
          if folders.contains(where: { $0.watch == event.wd && $0.path == folder }) { found.append(plugin) }
        }
      }
    }
  }

  private func reload(_ plugin: Plugin) {
    guard host.registry.plugins.contains(where: { $0 === plugin }) else { return }
    var failure: ClipError?
    do throws(ClipError) {
      try host.reload(plugin.id)
      log.info("plugin reloaded: " + plugin.path)
    } catch {
      failure = error
      log.warning("plugin not reloaded, the old one stays: " + error.message)
    }
    guard let changed else { return }
    plugin.id.string.withCString { id in
      withPath(plugin.path) { path in
        (failure?.message ?? "").withCString { changed(user, id, path, failure?.status ?? CLIP_OK, $0) }
      }
    }
  }
}
