import CClip
import CSystem
import CTurboJPEG
import ClipPluginKit

/// torchvision's JPEG: compresses the image with 4:2:0 chroma subsampling and decompresses it.
struct Compression: ImageAugmentation {
  private let quality: ClosedRange<Int>

  init(_ settings: Settings) throws(PluginFailure) { quality = try settings.integerRange("quality") }

  func apply(_ image: Pixels, _ sink: ImageSink, _ random: Random) throws(PluginFailure) {
    let quality = random.integer(in: quality)
    let isGray = image.format == CLIP_PIXELS_GRAY
    let format = Int32((isGray ? TJPF_GRAY : TJPF_RGB).rawValue)
    let chroma = Int32((isGray ? TJSAMP_GRAY : TJSAMP_420).rawValue)
    guard image.width <= 65500, image.height <= 65500, let stride = Int32(exactly: image.stride) else {
      throw PluginFailure(
        CLIP_LIMIT,
        "expected sides of at most 65500 pixels and rows of at most \(Int32.max) bytes, "
          + "found \(image.width) x \(image.height) and \(image.stride)")
    }
    guard let encoder = tjInitCompress() else { throw PluginFailure.noMemory("an encoder") }
    defer { tjDestroy(encoder) }
    var file: UnsafeMutablePointer<UInt8>?
    var size: UInt = 0
    defer { tjFree(file) }
    let (width, height) = (Int32(image.width), Int32(image.height))
    guard
      tjCompress2(
        encoder, image.base, width, stride, height, format, &file, &size, chroma, Int32(quality), TJFLAG_ACCURATEDCT)
        == 0
    else { throw failure(encoder) }
    guard let decoder = tjInitDecompress() else { throw PluginFailure.noMemory("a decoder") }
    defer { tjDestroy(decoder) }
    let canvas = try sink.allocate(width: image.width, height: image.height, image.format)
    guard let canvasStride = Int32(exactly: canvas.stride) else {
      throw PluginFailure(CLIP_LIMIT, "expected rows of at most \(Int32.max) bytes, found \(canvas.stride)")
    }
    guard
      tjDecompress2(decoder, file, size, canvas.base, width, canvasStride, height, format, TJFLAG_ACCURATEDCT) == 0
    else { throw failure(decoder) }
  }

  /// The failure of libturbojpeg's last call.
  private func failure(_ handle: tjhandle) -> PluginFailure {
    guard let message = tjGetErrorStr2(handle) else { return PluginFailure(CLIP_PLUGIN, "JPEG failed") }
    return PluginFailure(turbojpeg_had_no_memory(message) ? CLIP_OUT_OF_MEMORY : CLIP_PLUGIN, String(cString: message))
  }
}
