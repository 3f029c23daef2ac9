import CClip
import ClipBase
import ClipPluginKit

/// Plugins made from manifests that describe functions of any library; libffi calls them.
@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.loader-ffi", version: "0.1.0", license: "Apache-2.0") { table in
    table.add(
      clip_loader(
        struct_size: UInt32(MemoryLayout<clip_loader>.size), id: text("clipcore.loader.ffi"),
        description: text("functions of any library, named in a manifest and called by libffi"),
        suffix: text(".ffi.json"),
        load: { load($0, $1, $2, $3) },
        unload: { if let instance = $0 { Unmanaged<ForeignPlugin>.fromOpaque(instance).release() } }))
  }
}

private func load(
  _ path: UnsafePointer<CChar>?, _ plugin: UnsafeMutablePointer<UnsafePointer<clip_plugin>?>?,
  _ instance: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ error: UnsafeMutablePointer<clip_plugin_error>?
) -> clip_status {
  guard let path, let plugin, let instance else { return CLIP_INVALID_ARGUMENT }
  return reporting(error) { () throws(ClipError) in
    let manifest = try ForeignPlugin(path: ClipBase.path(path))
    plugin.pointee = manifest.table
    instance.pointee = Unmanaged.passRetained(manifest).toOpaque()
  }
}

private func text(_ literal: StaticString) -> UnsafePointer<CChar> {
  UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self)
}
