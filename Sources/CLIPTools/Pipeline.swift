import CClip
@_spi(Handles) public import CLIP

/// Steps that augment images or texts. All calls may be made from any thread.
public final class Pipeline: @unchecked Sendable {
  let handle: OpaquePointer
  private let runtime: Runtime

  /// - Parameter json: A list of steps (docs/augmentation.md), all for images or all for texts.
  public init(_ json: String, runtime: Runtime) throws(CLIPError) {
    var out: OpaquePointer?
    try withCMemory { memory throws(CLIPError) in
      try check(clip_pipeline_create(runtime.handle, try memory.string(json, "json"), &out))
    }
    guard let out else { throw CLIPError(.plugin, "clip_pipeline_create returned no pipeline") }
    handle = out
    self.runtime = runtime
  }

  deinit { clip_pipeline_release(handle) }

  /// Augments an image. Image, pipeline, `seed` and `index` determine the result: use one seed for a run, and another
  /// index for each image.
  public func augment(_ image: Image, seed: UInt64, index: UInt64) throws(CLIPError) -> Image {
    var view = image.view
    var out: OpaquePointer?
    try check(withExtendedLifetime(image) { clip_augment_image(handle, &view, seed, index, &out) })
    return try Image(owning: out)
  }

  /// Augments a text in the same way.
  public func augment(_ text: String, seed: UInt64, index: UInt64) throws(CLIPError) -> String {
    try withCMemory { memory throws(CLIPError) in
      let pointer = try memory.string(text, "text")
      var buffer = [CChar](repeating: 0, count: 2 * text.utf8.count + 256)
      var length = 0
      var status = clip_augment_text(handle, pointer, seed, index, &buffer, buffer.count, &length)
      if status == CLIP_INVALID_ARGUMENT, length >= buffer.count {
        buffer = [CChar](repeating: 0, count: length + 1)
        status = clip_augment_text(handle, pointer, seed, index, &buffer, buffer.count, &length)
      }
      try check(status)
      return buffer.withUnsafeBufferPointer { CLIP.string($0.baseAddress) }
    }
  }

  /// The number of texts that steps left unchanged because a resource, such as a translator, failed.
  public var failures: Int { Int(clamping: clip_pipeline_failures(handle)) }
}
