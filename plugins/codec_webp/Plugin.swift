import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.codec-webp", version: "0.1.0", license: "Apache-2.0") { table in
    table.addImageCodec(
      id: "clipcore.codec.webp", description: "WebP by libwebp: lossy, lossless, alpha, first frame of an animation",
      extensions: "webp", recognises: { recognises($0, $1) },
      readHeader: {
        readImageHeader("WebP", $0, $1, $2, $3) { data, request throws(PluginFailure) in try readHeader(data, request) }
      },
      decode: {
        decodeImage("WebP", $0, $1, $2, $3, $4, $5) { data, target throws(PluginFailure) in try decode(data, target) }
      })
  }
}
