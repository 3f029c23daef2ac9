import CClip

/// A plugin whose table has been checked. Everything that uses its tables holds a reference: its code stays mapped
/// until the last one is gone.
final class Plugin {
  let table: UnsafePointer<clip_plugin>
  let id: Name
  /// The path as given; "" for a plugin that is linked into the program.
  let path: String
  /// The version of the file; nil for a plugin that is linked into the program.
  let stamp: FileStamp?
  /// The PluginFile or LoadedFile that holds the code.
  private let code: AnyObject?

  /// Loads a shared library, or a file for one of the registry's loaders.
  convenience init(path: String, _ registry: PluginRegistry) throws(ClipError) {
    if let loader = registry.loaders.first(where: { $0.takes(Name(path)) }) {
      let file = try LoadedFile(path: path, loader)
      try self.init(file.table, path, file.stamp, file)
    } else {
      let file = try PluginFile(path: path)
      try self.init(file.entry(), path, file.stamp, file)
    }
  }

  convenience init(entry: clip_plugin_entry_fn) throws(ClipError) { try self.init(entry(), "", nil, nil) }

  private convenience init(
    _ table: UnsafePointer<clip_plugin>?, _ path: String, _ stamp: FileStamp?, _ code: AnyObject?
  ) throws(ClipError) {
    let place = path.isEmpty ? "the plugin registered" : path
    guard let table else { throw ClipError(CLIP_PLUGIN, place + ": clip_plugin_entry returned no table") }
    if let problem = Plugin.problem(in: table) { throw ClipError(CLIP_PLUGIN, place + ": " + problem) }
    self.init(table, Name(cString: table.pointee.id), path: path, stamp, code)
  }

  private init(
    _ table: UnsafePointer<clip_plugin>, _ id: Name, path: String, _ stamp: FileStamp?, _ code: AnyObject?
  ) {
    self.table = table
    self.id = id
    self.path = path
    self.stamp = stamp
    self.code = code
  }

  /// For messages.
  var place: String { path.isEmpty ? id.string : path }

  /// The first error of a table; nil if there is none. The version is checked first, because another version may have
  /// another layout.
  private static func problem(in table: UnsafePointer<clip_plugin>) -> String? {
    let needed = MemoryLayout<clip_plugin>.size
    let size = Int(table.pointee.struct_size)
    let host = clip_abi_version()
    if size >= 8 {
      let found = table.pointee.abi_version
      guard found >> 16 == host >> 16 else {
        return "expected plugin interface \(host >> 16).\(host & 0xffff), found \(found >> 16).\(found & 0xffff)"
      }
    }
    guard size >= needed else { return "expected a plugin table of \(needed) bytes, found \(size)" }
    guard let id = table.pointee.id, table.pointee.version != nil, table.pointee.license != nil else {
      return "expected an id, a version and a license, found a null pointer"
    }
    guard PluginNames.isID(Name(cString: id)) else {
      return "expected an id of a-z, 0-9, '.' and '-', found \"" + String(cString: id) + "\""
    }
    guard table.pointee.items != nil || table.pointee.item_count == 0, (0...4096).contains(table.pointee.item_count)
    else {
      let found = table.pointee.items == nil ? "a null pointer" : "\(UInt(bitPattern: table.pointee.item_count))"
      return "expected a list of at most 4096 items, found " + found
    }
    return nil
  }
}
