import CClip
import CJXL
import CSystem
import ClipPluginKit

/// JPEG XL (ISO/IEC 18181) by libjxl: the first frame, upright, as 8-bit sRGB or gray.

func recognises(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
  guard let data else { return 0 }
  let signature = JxlSignatureCheck(data, min(size, 32))
  return signature == JXL_SIG_CODESTREAM || signature == JXL_SIG_CONTAINER ? 1 : 0
}

func readHeader(_ data: UnsafeBufferPointer<UInt8>, _ request: DecodeRequest) throws(PluginFailure) -> ImageHeader {
  try withDecoder(data, JXL_DEC_BASIC_INFO.rawValue) { decoder throws(PluginFailure) in
    guard JxlDecoderProcessInput(decoder) == JXL_DEC_BASIC_INFO else { throw malformed(data) }
    return try header(decoder)
  }
}

func decode(_ data: UnsafeBufferPointer<UInt8>, _ target: DecodeTarget) throws(PluginFailure) {
  // libjxl ends the process if it gets no memory, so that is checked first.
  try requireMemory(target.decodingBytes)
  try withDecoder(data, JXL_DEC_BASIC_INFO.rawValue | JXL_DEC_FULL_IMAGE.rawValue) { decoder throws(PluginFailure) in
    guard JxlDecoderProcessInput(decoder) == JXL_DEC_BASIC_INFO else { throw malformed(data) }
    let header = try header(decoder)
    try target.check(header)
    var format = JxlPixelFormat(
      num_channels: UInt32(header.channels), data_type: JXL_TYPE_UINT8, endianness: JXL_NATIVE_ENDIAN, align: 0)
    let row = header.width * header.channels
    guard target.stride == row else {
      throw PluginFailure(CLIP_UNSUPPORTED, "expected rows without gaps, found \(target.stride) bytes for \(row)")
    }
    if target.request.isLenient { target.clear() }
    guard JxlDecoderProcessInput(decoder) == JXL_DEC_NEED_IMAGE_OUT_BUFFER,
      JxlDecoderSetImageOutBuffer(decoder, &format, target.pixels, row * header.height) == JXL_DEC_SUCCESS
    else { throw malformed(data) }
    let status = JxlDecoderProcessInput(decoder)
    if status == JXL_DEC_FULL_IMAGE { return }
    guard target.request.isLenient, JxlDecoderFlushImage(decoder) == JXL_DEC_SUCCESS else { throw malformed(data) }
  }
}

private func header(_ decoder: OpaquePointer) throws(PluginFailure) -> ImageHeader {
  var info = JxlBasicInfo()
  guard JxlDecoderGetBasicInfo(decoder, &info) == JXL_DEC_SUCCESS, info.xsize > 0, info.ysize > 0 else {
    throw PluginFailure(CLIP_FORMAT, "expected sides from 1")
  }
  return ImageHeader(
    width: Int(info.xsize), height: Int(info.ysize),
    format: info.alpha_bits > 0 ? CLIP_PIXELS_RGBA : info.num_color_channels == 1 ? CLIP_PIXELS_GRAY : CLIP_PIXELS_RGB)
}

private func malformed(_ data: UnsafeBufferPointer<UInt8>) -> PluginFailure {
  PluginFailure(CLIP_FORMAT, "the file is cut short or malformed (\(data.count) bytes)")
}

private func withDecoder<Result>(
  _ data: UnsafeBufferPointer<UInt8>, _ events: UInt32, _ body: (OpaquePointer) throws(PluginFailure) -> Result
) throws(PluginFailure) -> Result {
  guard let decoder = JxlDecoderCreate(nil) else { throw PluginFailure.noMemory("a decoder") }
  defer { JxlDecoderDestroy(decoder) }
  guard JxlDecoderSubscribeEvents(decoder, Int32(events)) == JXL_DEC_SUCCESS,
    JxlDecoderSetInput(decoder, data.baseAddress, data.count) == JXL_DEC_SUCCESS
  else { throw PluginFailure.noMemory("a decoder") }
  JxlDecoderCloseInput(decoder)
  return try body(decoder)
}
