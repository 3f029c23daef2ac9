import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.codec-jxl", version: "0.1.0", license: "Apache-2.0") { table in
    table.addImageCodec(
      id: "clipcore.codec.jxl", description: "JPEG XL by libjxl: the first frame",
      extensions: "jxl", recognises: { recognises($0, $1) },
      readHeader: {
        readImageHeader("JPEG XL", $0, $1, $2, $3) { data, request throws(PluginFailure) in
          try readHeader(data, request)
        }
      },
      decode: {
        decodeImage("JPEG XL", $0, $1, $2, $3, $4, $5) { data, target throws(PluginFailure) in try decode(data, target)
        }
      })
  }
}
