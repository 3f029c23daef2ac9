import CClip

/// A loader, which makes plugins of files with its suffix. Holding it keeps the plugin that has it loaded.
struct Loader {
  let table: UnsafePointer<clip_loader>
  let plugin: Plugin?

  var suffix: Name { Name(cString: table.pointee.suffix) }

  func takes(_ path: Name) -> Bool { path.hasSuffix(suffix) }
}

extension PluginRegistry {
  var loaders: [Loader] {
    items.filter { $0.kind == CLIP_KIND_LOADER }.map {
      Loader(table: $0.table.assumingMemoryBound(to: clip_loader.self), plugin: $0.plugin)
    }
  }
}

/// A plugin that a loader made from a file; unloaded with its last reference.
final class LoadedFile {
  let table: UnsafePointer<clip_plugin>?
  let stamp: FileStamp
  private let instance: UnsafeMutableRawPointer?
  private let loader: Loader

  convenience init(path: String, _ loader: Loader) throws(ClipError) {
    guard let stamp = FileStamp(path: path) else { throw systemError("cannot look at " + path) }
    var table: UnsafePointer<clip_plugin>?
    var instance: UnsafeMutableRawPointer?
    try callPlugin("\(path): \(String(cString: loader.table.pointee.id))", "", capacity: 4096) { error in
      withPath(path) { loader.table.pointee.load($0, &table, &instance, error) }
    }
    self.init(table, stamp, instance, loader)
  }

  private init(
    _ table: UnsafePointer<clip_plugin>?, _ stamp: FileStamp, _ instance: UnsafeMutableRawPointer?, _ loader: Loader
  ) {
    self.table = table
    self.stamp = stamp
    self.instance = instance
    self.loader = loader
  }

  deinit { loader.table.pointee.unload(instance) }
}
