import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.augment-jpeg", version: "0.1.0", license: "Apache-2.0") { table in
    table.add(
      id: "clipcore.augment.jpeg", op: "jpeg", description: "Compresses as JPEG and decompresses",
      formats: [CLIP_PIXELS_RGB, CLIP_PIXELS_GRAY],
      settings: [.numbers("quality", [50, 100], count: 1...2, 1...100, "range of the quality, or the quality")],
      image: { create($1, $2, $3, Compression.self) })
  }
}
