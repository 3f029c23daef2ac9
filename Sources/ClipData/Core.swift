import CClip
import CSystem

// The core's objects, by its public functions.

extension Runtime {
  /// The name endings of the files that codecs read.
  var imageEndings: [Name] {
    var bytes = [CChar](repeating: 0, count: 1024)
    let count = min(clip_image_endings(handle, &bytes, bytes.count), bytes.count - 1)
    let text = bytes[..<count].map { UInt8(bitPattern: $0) }
    return text.split(separator: UInt8(ascii: ",")).map { Name(utf8: Array($0)) }
  }
}

/// An image of the core, freed with its last reference unless it was given to the caller.
final class ImageHandle {
  let view: clip_image_view
  private var handle: OpaquePointer?

  private init(_ handle: OpaquePointer, _ view: clip_image_view) {
    self.handle = handle
    self.view = view
  }

  deinit { clip_image_release(handle) }

  /// Gives the handle to the caller, who frees it.
  func release() -> OpaquePointer? {
    defer { handle = nil }
    return handle
  }

  static func decode(
    _ data: UnsafeRawBufferPointer, _ runtime: Runtime, _ options: clip_image_options
  ) throws(ClipError) -> ImageHandle {
    var handle: OpaquePointer?
    var options = options
    try call(clip_image_decode(runtime.handle, data.baseAddress, data.count, &options, &handle))
    return try ImageHandle.of(handle)
  }

  /// A new image, and a pointer to write its pixels.
  static func make(
    _ format: ImageView.Format, width: Int, height: Int, _ runtime: Runtime
  ) throws(ClipError) -> (image: ImageHandle, pixels: UnsafeMutablePointer<UInt8>) {
    var handle: OpaquePointer?
    var pixels: UnsafeMutablePointer<UInt8>?
    let (width, height) = (UInt32(clamping: width), UInt32(clamping: height))
    try call(clip_image_create(runtime.handle, format.c, width, height, &handle, &pixels))
    let image = try ImageHandle.of(handle)
    guard let pixels else { throw ClipError(CLIP_OUT_OF_MEMORY, "image: expected pixels, found a null pointer") }
    return (image, pixels)
  }

  private static func of(_ handle: OpaquePointer?) throws(ClipError) -> ImageHandle {
    var view = clip_image_view()
    guard let handle else { throw ClipError(CLIP_OUT_OF_MEMORY, "image: expected a handle, found a null pointer") }
    do throws(ClipError) { try call(clip_image_get_view(handle, &view)) } catch {
      clip_image_release(handle)
      throw error
    }
    return ImageHandle(handle, view)
  }
}

/// The caller's decoding options for calls of the core, which are passed `options.image`.
func decodingOptions(_ given: UnsafePointer<clip_image_options>?) throws(ClipError) -> clip_image_options {
  var decoding = try options(given, clip_image_options(), "options.image")
  try requireFlags(decoding.flags, CLIP_IMAGE_AS_STORED | CLIP_IMAGE_LENIENT, "CLIP_IMAGE_", "options.image.flags")
  decoding.struct_size = UInt32(MemoryLayout<clip_image_options>.size)
  return decoding
}

/// The caller's encoding options for calls of the core, which are passed `options.encode`, without the caller's
/// progress function.
func encodingOptions(_ given: UnsafePointer<clip_encode_options>?) throws(ClipError) -> clip_encode_options {
  var encoding = try options(given, clip_encode_options(), "options.encode")
  try requireFlags(
    encoding.flags,
    CLIP_ENCODE_RAW | CLIP_ENCODE_TRUNCATE | CLIP_ENCODE_OPENAI_CLEANING | CLIP_ENCODE_COMPOSITE_ALPHA,
    "CLIP_ENCODE_", "options.encode.flags")
  encoding.struct_size = UInt32(MemoryLayout<clip_encode_options>.size)
  encoding.progress = clip_progress()
  return encoding
}

/// A snapshot of the caller's model: later swaps do not change it.
final class Model {
  let handle: OpaquePointer
  /// Bytes of a preprocessed image, which is also the number of floats of a normalised one; 0 without an image tower.
  let pixelCount: Int
  /// The most pixels of the smaller side after the resize; 0 without an image tower.
  let resizedSide: Int
  /// Elements of an embedding.
  let embeddingWidth: Int
  /// Tokens of one text; 0 without a tokenizer.
  let contextLength: Int

  convenience init(_ model: OpaquePointer) throws(ClipError) {
    var handle: OpaquePointer?
    try call(clip_model_snapshot(model, &handle))
    guard let handle else { throw ClipError(CLIP_OUT_OF_MEMORY, "model: expected a handle, found a null pointer") }
    do throws(ClipError) {
      var info = clip_model_info()
      info.struct_size = UInt32(MemoryLayout<clip_model_info>.size)
      try call(clip_model_describe(handle, &info))
      let pixels = try product(try product(Int(info.image_width), Int(info.image_height), "pixels"), 3, "pixels")
      let hasTokenizer = Model.hasTokenizer(handle, Int(info.context_length))
      self.init(handle, info, pixelCount: pixels, contextLength: hasTokenizer ? Int(info.context_length) : 0)
    } catch {
      clip_model_release(handle)
      throw error
    }
  }

  private init(_ handle: OpaquePointer, _ info: clip_model_info, pixelCount: Int, contextLength: Int) {
    self.handle = handle
    resizedSide = Int(info.resized_side)
    embeddingWidth = Int(info.embedding_width)
    self.pixelCount = pixelCount
    self.contextLength = contextLength
  }

  deinit { clip_model_release(handle) }

  /// A text tower without a tokenizer needs the caller's tokens.
  private static func hasTokenizer(_ handle: OpaquePointer, _ contextLength: Int) -> Bool {
    guard contextLength > 0 else { return false }
    var tokens = [Int32](repeating: 0, count: contextLength)
    var text: UnsafePointer<CChar>? = StaticString("").cString
    let status = tokens.withUnsafeMutableBufferPointer {
      clip_tokenize(handle, &text, 1, nil, $0.baseAddress, $0.count, nil, 0)
    }
    return status != CLIP_UNSUPPORTED
  }
}
