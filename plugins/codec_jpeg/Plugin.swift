import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.codec-jpeg", version: "0.1.0", license: "Apache-2.0") { table in
  }
}
