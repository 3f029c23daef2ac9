import CClip
import ClipPluginKit

/// Image augmentations, each with the meaning, parameters and defaults of torchvision's transform.
@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.augment-image", version: "0.1.0", license: "Apache-2.0") { table in
    table.add(
      id: "clipcore.augment.random-horizontal-flip", op: "random_horizontal_flip",
      description: "Mirrors left and right", probability: 0.5, formats: [],
      image: { imageAugmentation($1, $2, $3) { _ in HorizontalFlip() } })
  }
}
