import CClip
import CSystem
import CWebP
import ClipPluginKit

/// WebP (RFC 9649) by libwebp: lossy and lossless, with or without alpha; of an animation, the canvas after its first
/// frame.

func recognises(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
  guard let data, size >= 12 else { return 0 }
  return memcmp(data, "RIFF", 4) == 0 && memcmp(data + 8, "WEBP", 4) == 0 ? 1 : 0
}

func readHeader(_ data: UnsafeBufferPointer<UInt8>, _ request: DecodeRequest) throws(PluginFailure) -> ImageHeader {
  try readHeader(readFeatures(data), request, orientation: readOrientation(data))
}

func decode(_ data: UnsafeBufferPointer<UInt8>, _ target: DecodeTarget) throws(PluginFailure) {
  // libwebp crashes if some of its allocations fail, so memory is checked first.
  try requireMemory(target.decodingBytes)
  let features = try readFeatures(data)
  let request = target.request
  let header = try readHeader(features, request)
  try target.check(header)
  guard let stride = Int32(exactly: target.stride) else {
    throw PluginFailure(CLIP_INVALID_ARGUMENT, "expected rows of at most \(Int32.max) bytes, found \(target.stride)")
  }

  if !request.isLenient || features.has_animation != 0 {
    var file = WebPData(bytes: data.baseAddress, size: data.count)
    guard let container = WebPDemux(&file) else {
      throw PluginFailure(CLIP_FORMAT, "the file is cut short or its chunks are malformed (\(data.count) bytes)")
    }
    WebPDemuxDelete(container)
    if features.has_animation != 0 { return try decodeFirstFrame(&file, header, target) }
  }

  var config = WebPDecoderConfig()
  guard WebPInitDecoderConfig(&config) != 0 else {
    throw PluginFailure(CLIP_UNSUPPORTED, "libwebp is of another version than its headers")
  }
  config.output.colorspace = header.format == CLIP_PIXELS_RGBA ? MODE_RGBA : MODE_RGB
  config.output.is_external_memory = 1
  config.output.u.RGBA = WebPRGBABuffer(
    rgba: target.pixels, stride: stride,
    size: target.stride * (header.height - 1) + header.width * header.channels)
  if header.shrink > 1 {
    config.options.use_scaling = 1
    config.options.scaled_width = Int32(header.width)
    config.options.scaled_height = Int32(header.height)
  }
  if request.isLenient {
    target.clear()
    let decoder = WebPIDecode(nil, 0, &config)
    defer { WebPIDelete(decoder) }
    let result = WebPIAppend(decoder, data.baseAddress, data.count)
    if result == VP8_STATUS_OUT_OF_MEMORY { throw failure(result) }
    return
  }
  let result = WebPDecode(data.baseAddress, data.count, &config)
  WebPFreeDecBuffer(&config.output)
  guard result == VP8_STATUS_OK else { throw failure(result) }
}

private func readFeatures(_ data: UnsafeBufferPointer<UInt8>) throws(PluginFailure) -> WebPBitstreamFeatures {
  var features = WebPBitstreamFeatures()
  let code = WebPGetFeatures(data.baseAddress, data.count, &features)
  guard code == VP8_STATUS_OK else { throw failure(code) }
  return features
}

private func readHeader(
  _ features: WebPBitstreamFeatures, _ request: DecodeRequest, orientation: UInt32 = 1
) throws(PluginFailure) -> ImageHeader {
  guard features.width > 0, features.height > 0 else { throw failure(VP8_STATUS_BITSTREAM_ERROR) }
  // Frames of an animation are not scaled.
  let shrink = features.has_animation != 0 ? 1 : request.shrink
  return ImageHeader(
    width: (Int(features.width) + shrink - 1) / shrink, height: (Int(features.height) + shrink - 1) / shrink,
    format: features.has_alpha != 0 ? CLIP_PIXELS_RGBA : CLIP_PIXELS_RGB, orientation: orientation, shrink: shrink)
}

/// The orientation in the EXIF chunk, in which some writers repeat the start of JPEG's segment.
private func readOrientation(_ data: UnsafeBufferPointer<UInt8>) -> UInt32 {
  var at = 12
  while at + 8 <= data.count {
    let size = Int(data[at + 4]) | Int(data[at + 5]) << 8 | Int(data[at + 6]) << 16 | Int(data[at + 7]) << 24
    guard size <= data.count - at - 8 else { return 1 }
    if data[at..<(at + 4)].elementsEqual("EXIF".utf8) {
      let content = data[(at + 8)..<(at + 8 + size)]
      return exifOrientation(content.prefix(4).elementsEqual("Exif".utf8) ? content.dropFirst(6) : content)
    }
    at += 8 + size + size % 2
  }
  return 1
}

private func decodeFirstFrame(
  _ file: UnsafePointer<WebPData>, _ header: ImageHeader, _ target: DecodeTarget
) throws(PluginFailure) {
  let (width, height, channels) = (header.width, header.height, header.channels)
  var options = WebPAnimDecoderOptions()
  guard WebPAnimDecoderOptionsInit(&options) != 0 else {
    throw PluginFailure(CLIP_UNSUPPORTED, "libwebpdemux is of another version than its headers")
  }
  options.color_mode = MODE_RGBA
  guard let decoder = WebPAnimDecoderNew(file, &options) else {
    throw PluginFailure(CLIP_FORMAT, "malformed animation, or no memory for its \(width) x \(height) canvas")
  }
  defer { WebPAnimDecoderDelete(decoder) }
  var info = WebPAnimInfo()
  var canvas: UnsafeMutablePointer<UInt8>?
  var time: Int32 = 0
  guard WebPAnimDecoderGetInfo(decoder, &info) != 0, Int(info.canvas_width) == width,
    Int(info.canvas_height) == height, WebPAnimDecoderGetNext(decoder, &canvas, &time) != 0, let canvas
  else { throw PluginFailure(CLIP_FORMAT, "the first frame of the animation is malformed") }
  for y in 0..<height {
    let from = canvas + y * width * 4
    let to = target.pixels + y * target.stride
    for x in 0..<width {
      for channel in 0..<channels { to[x * channels + channel] = from[x * 4 + channel] }
    }
  }
}

/// The failure of a libwebp code.
private func failure(_ code: VP8StatusCode) -> PluginFailure {
  switch code {
  case VP8_STATUS_OUT_OF_MEMORY: PluginFailure(CLIP_OUT_OF_MEMORY, "out of memory")
  case VP8_STATUS_UNSUPPORTED_FEATURE: PluginFailure(CLIP_UNSUPPORTED, "a feature that libwebp does not have")
  case VP8_STATUS_SUSPENDED, VP8_STATUS_NOT_ENOUGH_DATA: PluginFailure(CLIP_FORMAT, "the file is cut short")
  default: PluginFailure(CLIP_FORMAT, "malformed bitstream")
  }
}
