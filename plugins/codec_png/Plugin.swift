import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.codec-png", version: "0.1.0", license: "Apache-2.0") { table in
    table.add(
      clip_image_codec(
        struct_size: UInt32(MemoryLayout<clip_image_codec>.size), reserved: 0,
        id: ("clipcore.codec.png" as StaticString).cString,
        description: ("PNG by libspng: all colour types and depths, interlaced" as StaticString).cString,
        extensions: ("png,apng" as StaticString).cString,
        recognises: { recognises($0, $1) },
        read_header: { readHeader($0, $1, $2, $3) },
        decode: { decode($0, $1, $2, $3, $4, $5) }))
  }
}
