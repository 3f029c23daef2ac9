import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.codec-bmp", version: "0.1.0", license: "Apache-2.0") { table in
    table.addImageCodec(
      id: "clipcore.codec.bmp", description: "BMP: 1 to 32 bits a pixel, with palettes, masks and run lengths",
      extensions: "bmp,dib", recognises: { recognises($0, $1) },
      readHeader: {
        readImageHeader("BMP", $0, $1, $2, $3) { data, request throws(PluginFailure) in try readHeader(data, request) }
      },
      decode: {
        decodeImage("BMP", $0, $1, $2, $3, $4, $5) { data, target throws(PluginFailure) in try decode(data, target) }
      })
  }
}
