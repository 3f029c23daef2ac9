import CSpng
import Glibc

/// PNG (ISO/IEC 15948) by libspng.
enum PNGWriter {
  /// `pixels`: rows of red, green and blue bytes without gaps.
  static func write(_ pixels: [UInt8], width: Int, height: Int, to writer: FileWriter) throws(CLIPError) {
    guard let context = spng_ctx_new(Int32(SPNG_CTX_ENCODER.rawValue)) else {
      throw CLIPError("no memory to write a PNG file")
    }
    defer { spng_ctx_free(context) }
    var head = spng_ihdr()
    head.width = UInt32(clamping: width)
    head.height = UInt32(clamping: height)
    head.bit_depth = 8
    head.color_type = UInt8(SPNG_COLOR_TYPE_TRUECOLOR.rawValue)
    var code = spng_set_option(context, SPNG_ENCODE_TO_BUFFER, 1)
    if code == 0 { code = spng_set_ihdr(context, &head) }
    if code == 0 {
      code = spng_encode_image(
        context, pixels, pixels.count, Int32(SPNG_FMT_PNG.rawValue), Int32(SPNG_ENCODE_FINALIZE.rawValue))
    }
    var size = 0
    let file = code == 0 ? spng_get_png_buffer(context, &size, &code) : nil
    guard code == 0, let file else {
      throw CLIPError("cannot make a PNG file: \(String(cString: spng_strerror(code)))")
    }
    defer { free(file) }
    try writer.write(UnsafeRawBufferPointer(start: file, count: size))
  }
}
