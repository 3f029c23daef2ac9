// A small image augmentation, cutout (DeVries and Taylor, 2017): a square of one grey at a random place.
// `make` builds sample.so; `clip plugins check sample.so` looks it over.
import CClip

private struct Cutout {
  var size: Double
  var value: UInt8
}

/// The host has checked the settings against what is declared below.
private func create(_ settings: UnsafePointer<clip_settings>, _ instance: UnsafeMutablePointer<UnsafeMutableRawPointer?>) -> clip_status {
  let cutout = UnsafeMutablePointer<Cutout>.allocate(capacity: 1)
  let number: (UnsafePointer<CChar>) -> Double = { settings.pointee.number(settings, $0) }
  cutout.initialize(to: Cutout(size: number(text("size")), value: UInt8(clamping: Int(number(text("value"))))))
  instance.pointee = UnsafeMutableRawPointer(cutout)
  return CLIP_OK
}

/// Called from any threads at once: nothing of the instance changes, and every number comes from `random`.
private func apply(
  _ cutout: Cutout, _ view: clip_image_view, _ out: UnsafeMutablePointer<clip_image_sink>, _ random: UnsafeMutablePointer<clip_random>
) -> clip_status {
  let (width, height, bytes) = (Int(view.width), Int(view.height), view.format == CLIP_PIXELS_GRAY ? 1 : 3)
  var stride = 0
  guard let pixels = out.pointee.allocate(out, view.width, view.height, view.format, &stride), let source = view.pixels
  else { return CLIP_PLUGIN }  // the host knows why
  for y in 0..<height { (pixels + y * stride).update(from: source + y * view.stride, count: width * bytes) }

  let side = Int(cutout.size * Double(min(width, height)))
  let left = Int(random.pointee.below(random, UInt32(width - side + 1)))
  let top = Int(random.pointee.below(random, UInt32(height - side + 1)))
  for y in top..<(top + side) { (pixels + y * stride + left * bytes).update(repeating: cutout.value, count: side * bytes) }
  return CLIP_OK
}

/// A literal's bytes, which live as long as the plugin.
private func text(_ literal: StaticString) -> UnsafePointer<CChar> {
  UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self)
}

private func setting(
  _ name: StaticString, _ description: StaticString, _ type: clip_setting_type, high: Double, _ number: Double
) -> clip_setting_info {
  var made = clip_setting_info()
  (made.name, made.description, made.type) = (text(name), text(description), type)
  (made.high, made.number) = (high, number)
  return made
}

// Globals have a fixed place and are made once, when the entry is first called.
nonisolated(unsafe) private var settings = (
  setting("size", "side of the square, as a share of the shorter side", CLIP_SETTING_NUMBER, high: 1, 0.25),
  setting("value", "its grey", CLIP_SETTING_INTEGER, high: 255, 128))
nonisolated(unsafe) private var augmentation = clip_augmentation(
  struct_size: UInt32(MemoryLayout<clip_augmentation>.size),
  formats: 1 << CLIP_PIXELS_RGB.rawValue | 1 << CLIP_PIXELS_GRAY.rawValue,  // the host converts others
  id: text("example.augment.sample"), description: text("A grey square at a random place"), op: text("sample_op"),
  probability: 0.5, settings: withUnsafePointer(to: &settings) { UnsafeRawPointer($0).assumingMemoryBound(to: clip_setting_info.self) },
  setting_count: 2, context: nil, create: { _, settings, instance, _ in settings.flatMap { s in instance.map { create(s, $0) } } ?? CLIP_PLUGIN },
  destroy: { $0?.deallocate() },
  apply_image: { instance, view, out, random, _ in
    guard let instance, let view, let out, let random else { return CLIP_PLUGIN }
    return apply(instance.load(as: Cutout.self), view.pointee, out, random)
  }, apply_text: nil)
nonisolated(unsafe) private var item = clip_plugin_item(
  kind: CLIP_KIND_IMAGE_AUGMENTATION.rawValue, table: withUnsafePointer(to: &augmentation) { UnsafeRawPointer($0) })
nonisolated(unsafe) private var plugin = clip_plugin(
  struct_size: UInt32(MemoryLayout<clip_plugin>.size), abi_version: 2 << 16, id: text("example.sample"),
  version: text("1.0.0"), license: text("Apache-2.0"), items: withUnsafePointer(to: &item) { $0 }, item_count: 1)

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? { withUnsafePointer(to: &plugin) { $0 } }
