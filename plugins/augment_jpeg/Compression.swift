import CClip
import CTurboJPEG
import ClipPluginKit

/// torchvision's JPEG: the picture as it comes back from a file with 4:2:0 chroma.
final class Compression: ImageAugmentation {
  private let low: Int
  private let high: Int

  convenience init(_ settings: Settings) throws(PluginFailure) {
    let ends = try settings.integers("quality")
    guard let low = ends.first, let high = ends.last, low <= high else {
      throw PluginFailure(
        CLIP_INVALID_ARGUMENT, "quality: expected the lower one first, found \(ends[0]) and \(ends[1])")
    }
    self.init(low, high)
  }

  private init(_ low: Int, _ high: Int) {
    self.low = low
    self.high = high
  }

  override func apply(_ picture: Pixels, _ sink: ImageSink, _ random: Random) throws(PluginFailure) {
    let quality = low + random.below(high - low + 1)
    let isGray = picture.format == CLIP_PIXELS_GRAY
    let format = Int32((isGray ? TJPF_GRAY : TJPF_RGB).rawValue)
    let chroma = Int32((isGray ? TJSAMP_GRAY : TJSAMP_420).rawValue)
    guard picture.width <= 65500, picture.height <= 65500, let pitch = Int32(exactly: picture.stride) else {
      throw PluginFailure(
        CLIP_LIMIT, "expected sides of at most 65500 pixels, found \(picture.width) x \(picture.height)")
    }
    guard let encoder = tjInitCompress() else { throw PluginFailure(CLIP_OUT_OF_MEMORY, "no memory for an encoder") }
    defer { tjDestroy(encoder) }
    var file: UnsafeMutablePointer<UInt8>?
    var size: UInt = 0
    defer { tjFree(file) }
    let (width, height) = (Int32(picture.width), Int32(picture.height))
    guard
      tjCompress2(
        encoder, picture.base, width, pitch, height, format, &file, &size, chroma, Int32(quality), TJFLAG_ACCURATEDCT)
        == 0
    else { throw refusal(encoder) }
    guard let decoder = tjInitDecompress() else { throw PluginFailure(CLIP_OUT_OF_MEMORY, "no memory for a decoder") }
    defer { tjDestroy(decoder) }
    let canvas = try sink.allocate(width: picture.width, height: picture.height, picture.format)
    guard let canvasPitch = Int32(exactly: canvas.stride) else {
      throw PluginFailure(CLIP_LIMIT, "rows too long for a decoder")
    }
    guard
      tjDecompress2(decoder, file, size, canvas.base, width, canvasPitch, height, format, TJFLAG_ACCURATEDCT) == 0
    else { throw refusal(decoder) }
  }

  private func refusal(_ handle: tjhandle) -> PluginFailure {
    PluginFailure(CLIP_PLUGIN, tjGetErrorStr2(handle).map { String(cString: $0) } ?? "JPEG failed")
  }
}
