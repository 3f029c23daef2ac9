import CClip

/// A `clip_pipeline`. Every call may be made from any thread.
final class AugmentationPipeline {
  let handle: OpaquePointer

  /// `json` is a pipeline as docs/augmentation.md describes.
  init(_ runtime: Runtime, json: ByteString) throws(Failure) {
    var out: OpaquePointer?
    try check(json.withCString { clip_pipeline_create(runtime.handle, $0, &out) })
    guard let out else { throw Failure("clip_pipeline_create returned no pipeline") }
    handle = out
  }

  deinit {
    clip_pipeline_release(handle)
  }

  func vary(_ picture: Picture, seed: UInt64, index: UInt64) throws(Failure) -> Picture {
    var view = picture.view
    var out: OpaquePointer?
    let status = clip_augment_image(handle, &view, seed, index, &out)
    withExtendedLifetime(picture) {}
    try check(status)
    return try Picture(owning: out)
  }

  func vary(_ text: ByteString, seed: UInt64, index: UInt64) throws(Failure) -> ByteString {
    var out: UnsafeMutablePointer<CChar>?
    try check(text.withCString { clip_augment_text(handle, $0, seed, index, &out) })
    guard let out else { throw Failure("clip_augment_text returned no text") }
    defer { clip_text_free(out) }
    return ByteString(String(cString: out))
  }
}

/// Pixels of the library, or its own.
final class Picture {
  let view: clip_image_view
  private let image: OpaquePointer?
  private var pixels: UnsafeMutablePointer<UInt8>?

  convenience init(_ runtime: Runtime, path: ByteString) throws(Failure) {
    var out: OpaquePointer?
    try check(path.withCString { clip_image_load(runtime.handle, $0, &out) })
    try self.init(owning: out)
  }

  fileprivate init(owning image: OpaquePointer?) throws(Failure) {
    self.image = image
    var view = clip_image_view()
    view.struct_size = UInt32(MemoryLayout<clip_image_view>.size)
    let status = clip_image_get_view(image, &view)
    self.view = view
    try check(status)
  }

  private init(owning pixels: UnsafeMutablePointer<UInt8>, _ view: clip_image_view) {
    self.pixels = pixels
    self.view = view
    image = nil
  }

  deinit {
    clip_image_free(image)
    pixels?.deallocate()
  }

  /// Laid over white where it has alpha, to the same bytes as a data set does it.
  func overWhite() -> Picture {
    guard view.format == CLIP_PIXELS_RGBA else { return self }
    let opaque = UnsafeMutablePointer<UInt8>.allocate(capacity: 3 * width * height)
    for y in 0..<height {
      for x in 0..<width {
        let (from, to) = (view.pixels + y * view.stride + 4 * x, opaque + 3 * (y * width + x))
        let alpha = Int(from[3])
        for channel in 0..<3 { to[channel] = UInt8((Int(from[channel]) * alpha + 255 * (255 - alpha) + 127) / 255) }
      }
    }
    var laid = view
    (laid.format, laid.stride, laid.pixels) = (CLIP_PIXELS_RGB, 3 * width, UnsafePointer(opaque))
    return Picture(owning: opaque, laid)
  }

  var width: Int { Int(view.width) }
  var height: Int { Int(view.height) }

  /// Red, green and blue at a place within. Alpha has no say.
  func colour(_ x: Int, _ y: Int) -> (UInt8, UInt8, UInt8) {
    let row = view.pixels + y * view.stride
    switch view.format {
    case CLIP_PIXELS_GRAY: return (row[x], row[x], row[x])
    case CLIP_PIXELS_RGBA: return (row[x * 4], row[x * 4 + 1], row[x * 4 + 2])
    default: return (row[x * 3], row[x * 3 + 1], row[x * 3 + 2])
    }
  }
}
