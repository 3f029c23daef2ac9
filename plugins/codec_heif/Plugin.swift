import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.codec-heif", version: "0.1.0", license: "Apache-2.0") { table in
    table.addImageCodec(
      id: "clipcore.codec.heif", description: "HEIC and AVIF by libheif",
      extensions: "heic,heif,hif,avif", recognises: { recognises($0, $1) },
      readHeader: {
        readImageHeader("HEIF", $0, $1, $2, $3) { data, request throws(PluginFailure) in try readHeader(data, request) }
      },
      decode: {
        decodeImage("HEIF", $0, $1, $2, $3, $4, $5) { data, target throws(PluginFailure) in try decode(data, target) }
      })
  }
}
