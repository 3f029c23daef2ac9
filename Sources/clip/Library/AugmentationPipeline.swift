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
    clip_pipeline_free(handle)
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

/// Pixels of the library.
final class Picture {
  let view: clip_image_view
  private let image: OpaquePointer?

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

  deinit {
    clip_image_free(image)
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
