// A small image encoder: patches, a 3 x 3 convolution over them, their mean, a linear layer.
// `make` builds sample.so; `clip plugins check sample.so` looks it over.
import CClip

private func build(_ b: UnsafeMutablePointer<clip_builder>?) -> clip_value {
  guard let b else { return -1 }
  let t = b.pointee
  let height = UInt32(clamping: t.need_int(b, "image_height", 8, 4096))
  let width = UInt32(clamping: t.need_int(b, "image_width", 8, 4096))
  let channels = UInt32(clamping: t.get_int(b, "width", 64))
  let features = UInt32(clamping: t.get_int(b, "embed_dim", 32))

  var patch = clip_window()
  (patch.kernel_height, patch.kernel_width, patch.stride) = (8, 8, 8)
  var around = clip_window()
  (around.kernel_height, around.kernel_width, around.padding) = (3, 3, 1)

  // Errors are sticky: after the first, calls do nothing, and the host reports it.
  var x = clip_op_pixels(b, height, width)
  x = clip_op_activate(b, clip_op_conv(b, x, "patch", channels, patch, 0), CLIP_GELU)
  var y = clip_op_conv(b, x, "mix", channels, around, UInt32(CLIP_NO_BIAS))
  y = clip_op_activate(b, clip_op_batch_norm(b, y, "norm", 1e-5), CLIP_RELU)
  x = clip_op_add(b, x, y)
  return clip_op_linear(b, clip_op_mean_rows(b, x), "head", features, 0)
}

/// A literal's bytes, which live as long as the plugin.
private func text(_ literal: StaticString) -> UnsafePointer<CChar> {
  UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self)
}

// Globals have a fixed place and are made once, when the entry is first called.
nonisolated(unsafe) private var encoder = clip_encoder(
  struct_size: UInt32(MemoryLayout<clip_encoder>.size), tower: UInt32(CLIP_TOWER_IMAGE),
  id: text("example.encoder.sample"), description: text("Patches, a convolution over them, their mean"),
  build: build, example: text(#"{"image_height": 64, "image_width": 64}"#), strengths: text("small-data:1,texture:1"))
nonisolated(unsafe) private var item = clip_plugin_item(
  kind: CLIP_KIND_ENCODER.rawValue, table: withUnsafePointer(to: &encoder) { UnsafeRawPointer($0) })
nonisolated(unsafe) private var plugin = clip_plugin(
  struct_size: UInt32(MemoryLayout<clip_plugin>.size), abi_version: 2 << 16, id: text("example.sample"),
  version: text("1.0.0"), license: text("Apache-2.0"), items: withUnsafePointer(to: &item) { $0 }, item_count: 1)

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? { withUnsafePointer(to: &plugin) { $0 } }
