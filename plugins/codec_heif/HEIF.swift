import CClip
import CHEIF
import CSystem
import ClipPluginKit

/// HEIC and AVIF (ISO/IEC 23008-12) by libheif: the primary image. The container's rotation and mirroring are applied
/// here and replace EXIF's orientation.

func recognises(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
  guard let data, size >= 12 else { return 0 }
  return heif_check_filetype(data, Int32(clamping: size)) == heif_filetype_yes_supported ? 1 : 0
}

func readHeader(_ data: UnsafeBufferPointer<UInt8>, _ request: DecodeRequest) throws(PluginFailure) -> ImageHeader {
  try withPrimary(data) { _, handle throws(PluginFailure) in try header(handle) }
}

func decode(_ data: UnsafeBufferPointer<UInt8>, _ target: DecodeTarget) throws(PluginFailure) {
  // libheif ends the process if it gets no memory, so that is checked first.
  try requireMemory(target.decodingBytes)
  try withPrimary(data) { context, handle throws(PluginFailure) in
    let header = try header(handle)
    try target.check(header)
    // Limits the memory that libheif allocates for a grid. Tiles may extend beyond the image.
    let side = max(
      heif_image_handle_get_ispe_width(handle), heif_image_handle_get_ispe_height(handle),
      Int32(clamping: header.width),
      Int32(clamping: header.height))
    heif_context_set_maximum_image_size_limit(context, 2 * min(side, 1 << 20) + 512)
    var image: OpaquePointer?
    let chroma = header.channels == 4 ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB
    try check(heif_decode_image(handle, &image, heif_colorspace_RGB, chroma, nil))
    defer { heif_image_release(image) }
    var stride: Int32 = 0
    guard let plane = heif_image_get_plane_readonly(image, heif_channel_interleaved, &stride),
      Int(heif_image_get_width(image, heif_channel_interleaved)) == header.width,
      Int(heif_image_get_height(image, heif_channel_interleaved)) == header.height
    else {
      throw PluginFailure(
        CLIP_FORMAT, "expected \(header.width) x \(header.height) pixels of the decoder, found others")
    }
    for y in 0..<header.height {
      memcpy(target.pixels + y * target.stride, plane + y * Int(stride), header.width * header.channels)
    }
  }
}

private func header(_ handle: OpaquePointer) throws(PluginFailure) -> ImageHeader {
  let (width, height) = (heif_image_handle_get_width(handle), heif_image_handle_get_height(handle))
  guard width > 0, height > 0 else {
    throw PluginFailure(CLIP_FORMAT, "expected sides from 1, found \(width) x \(height)")
  }
  return ImageHeader(
    width: Int(width), height: Int(height),
    format: heif_image_handle_has_alpha_channel(handle) != 0 ? CLIP_PIXELS_RGBA : CLIP_PIXELS_RGB)
}

private func withPrimary<Result>(
  _ data: UnsafeBufferPointer<UInt8>,
  _ body: (_ context: OpaquePointer, _ image: OpaquePointer) throws(PluginFailure) -> Result
) throws(PluginFailure) -> Result {
  guard let context = heif_context_alloc() else { throw PluginFailure.noMemory("a decoder") }
  defer { heif_context_free(context) }
  // Only the host starts threads.
  heif_context_set_max_decoding_threads(context, 0)
  try check(heif_context_read_from_memory_without_copy(context, data.baseAddress, data.count, nil))
  var handle: OpaquePointer?
  try check(heif_context_get_primary_image_handle(context, &handle))
  guard let handle else { throw PluginFailure(CLIP_FORMAT, "expected a primary image, found none") }
  defer { heif_image_handle_release(handle) }
  return try body(context, handle)
}

private func check(_ error: heif_error) throws(PluginFailure) {
  guard error.code != heif_error_Ok else { return }
  let message = error.message.map { String(cString: $0) } ?? "malformed"
  switch error.code {
  case heif_error_Memory_allocation_error:
    throw PluginFailure(
      error.subcode == heif_suberror_Security_limit_exceeded ? CLIP_LIMIT : CLIP_OUT_OF_MEMORY, message)
  case heif_error_Unsupported_feature, heif_error_Unsupported_filetype: throw PluginFailure(CLIP_UNSUPPORTED, message)
  default: throw PluginFailure(CLIP_FORMAT, message)
  }
}
