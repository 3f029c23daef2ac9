import CClip
import CSystem
import CWebP
import ClipPluginKit

/// WebP (RFC 9649) by libwebp: lossy and lossless, with or without alpha. Of an animation, the
/// canvas after its first frame.

func recognises(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
  guard let data, size >= 12 else { return 0 }
  return memcmp(data, "RIFF", 4) == 0 && memcmp(data + 8, "WEBP", 4) == 0 ? 1 : 0
}

func readHeader(
  _ data: UnsafePointer<UInt8>?, _ size: Int, _ header: UnsafeMutablePointer<clip_codec_header>?,
  _ error: UnsafeMutablePointer<clip_plugin_error>?
) -> clip_status {
  guard let data, let header, size > 0 else {
    return fail(error, CLIP_INVALID_ARGUMENT, "WebP: expected data and a header")
  }
  var features = WebPBitstreamFeatures()
  let code = WebPGetFeatures(data, size, &features)
  guard code == VP8_STATUS_OK else { return refuse(code, error) }
  guard features.width > 0, features.height > 0 else { return refuse(VP8_STATUS_BITSTREAM_ERROR, error) }
  header.pointee.width = UInt32(features.width)
  header.pointee.height = UInt32(features.height)
  header.pointee.format = features.has_alpha != 0 ? CLIP_PIXELS_RGBA : CLIP_PIXELS_RGB
  return CLIP_OK
}

func decode(
  _ data: UnsafePointer<UInt8>?, _ size: Int, _ header: UnsafePointer<clip_codec_header>?,
  _ pixels: UnsafeMutablePointer<UInt8>?, _ stride: Int, _ error: UnsafeMutablePointer<clip_plugin_error>?
) -> clip_status {
  guard let data, let header, let pixels, size > 0 else {
    return fail(error, CLIP_INVALID_ARGUMENT, "WebP: expected data, a header and memory for the pixels")
  }
  var features = WebPBitstreamFeatures()
  let code = WebPGetFeatures(data, size, &features)
  guard code == VP8_STATUS_OK else { return refuse(code, error) }
  let width = Int(features.width)
  let height = Int(features.height)
  let channels = features.has_alpha != 0 ? 4 : 3
  guard width > 0, height > 0, Int(header.pointee.width) == width, Int(header.pointee.height) == height,
    stride >= width * channels, let pitch = Int32(exactly: stride)
  else {
    return fail(
      error, CLIP_INVALID_ARGUMENT,
      "WebP: expected \(width) x \(height) pixels in rows of at least \(width * channels) bytes, "
        + "found \(header.pointee.width) x \(header.pointee.height) in rows of \(stride)")
  }

  var file = WebPData(bytes: data, size: size)
  guard let container = WebPDemux(&file) else {
    return fail(error, CLIP_FORMAT, "WebP: the file is cut short or its chunks are malformed (\(size) bytes)")
  }
  WebPDemuxDelete(container)
  if features.has_animation != 0 {
    return decodeFirstFrame(&file, width, height, channels, pixels, stride, error)
  }

  var config = WebPDecoderConfig()
  guard WebPInitDecoderConfig(&config) != 0 else {
    return fail(error, CLIP_UNSUPPORTED, "WebP: libwebp is of another version than its headers")
  }
  config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB
  config.output.is_external_memory = 1
  config.output.u.RGBA = WebPRGBABuffer(rgba: pixels, stride: pitch, size: stride * (height - 1) + width * channels)
  let result = WebPDecode(data, size, &config)
  WebPFreeDecBuffer(&config.output)
  return result == VP8_STATUS_OK ? CLIP_OK : refuse(result, error)
}

private func decodeFirstFrame(
  _ file: UnsafePointer<WebPData>, _ width: Int, _ height: Int, _ channels: Int, _ pixels: UnsafeMutablePointer<UInt8>,
  _ stride: Int, _ error: UnsafeMutablePointer<clip_plugin_error>?
) -> clip_status {
  var options = WebPAnimDecoderOptions()
  guard WebPAnimDecoderOptionsInit(&options) != 0 else {
    return fail(error, CLIP_UNSUPPORTED, "WebP: libwebpdemux is of another version than its headers")
  }
  options.color_mode = MODE_RGBA
  guard let decoder = WebPAnimDecoderNew(file, &options) else {
    return fail(error, CLIP_FORMAT, "WebP: malformed animation, or no memory for its \(width) x \(height) canvas")
  }
  defer { WebPAnimDecoderDelete(decoder) }
  var info = WebPAnimInfo()
  var canvas: UnsafeMutablePointer<UInt8>?
  var time: Int32 = 0
  guard WebPAnimDecoderGetInfo(decoder, &info) != 0, info.canvas_width == UInt32(width),
    info.canvas_height == UInt32(height), WebPAnimDecoderGetNext(decoder, &canvas, &time) != 0, let canvas
  else { return fail(error, CLIP_FORMAT, "WebP: the first frame of the animation is malformed") }
  for y in 0..<height {
    let from = canvas + y * width * 4
    let to = pixels + y * stride
    for x in 0..<width {
      for channel in 0..<channels { to[x * channels + channel] = from[x * 4 + channel] }
    }
  }
  return CLIP_OK
}

/// The status and words of a libwebp code.
private func refuse(_ code: VP8StatusCode, _ error: UnsafeMutablePointer<clip_plugin_error>?) -> clip_status {
  switch code {
  case VP8_STATUS_OUT_OF_MEMORY: return fail(error, CLIP_OUT_OF_MEMORY, "WebP: out of memory")
  case VP8_STATUS_UNSUPPORTED_FEATURE:
    return fail(error, CLIP_UNSUPPORTED, "WebP: a feature that libwebp does not have")
  case VP8_STATUS_SUSPENDED, VP8_STATUS_NOT_ENOUGH_DATA: return fail(error, CLIP_FORMAT, "WebP: the file is cut short")
  default: return fail(error, CLIP_FORMAT, "WebP: malformed bitstream")
  }
}
