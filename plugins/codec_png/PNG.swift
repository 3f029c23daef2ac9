import CClip
import CSpng
import CSystem
import ClipPluginKit

/// PNG (ISO/IEC 15948) by libspng. Samples are given as stored, without gamma: 16-bit ones keep
/// their upper byte, those of fewer than 8 bits are scaled up to it. Of an APNG, the default image.

func recognises(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
  guard let data, size >= 8 else { return 0 }
  return data[0] == 0x89 && data[1] == 0x50 && data[2] == 0x4E && data[3] == 0x47 && data[4] == 0x0D
    && data[5] == 0x0A && data[6] == 0x1A && data[7] == 0x0A ? 1 : 0
}

func readHeader(
  _ data: UnsafePointer<UInt8>?, _ size: Int, _ header: UnsafeMutablePointer<clip_codec_header>?,
  _ error: UnsafeMutablePointer<clip_plugin_error>?
) -> clip_status {
  guard let data, let header, size > 0 else {
    return fail(error, CLIP_INVALID_ARGUMENT, "PNG: expected data and a header")
  }
  guard let context = open(data, size) else { return fail(error, CLIP_OUT_OF_MEMORY, "PNG: no memory for a decoder") }
  defer { spng_ctx_free(context) }
  var facts = PNGFacts()
  let code = facts.read(context)
  guard code == 0 else { return refuse(code, error) }
  header.pointee.width = facts.width
  header.pointee.height = facts.height
  header.pointee.format = facts.format
  return CLIP_OK
}

func decode(
  _ data: UnsafePointer<UInt8>?, _ size: Int, _ header: UnsafePointer<clip_codec_header>?,
  _ pixels: UnsafeMutablePointer<UInt8>?, _ stride: Int, _ error: UnsafeMutablePointer<clip_plugin_error>?
) -> clip_status {
  guard let data, let header, let pixels, size > 0 else {
    return fail(error, CLIP_INVALID_ARGUMENT, "PNG: expected data, a header and memory for the pixels")
  }
  guard let context = open(data, size) else { return fail(error, CLIP_OUT_OF_MEMORY, "PNG: no memory for a decoder") }
  defer { spng_ctx_free(context) }
  var facts = PNGFacts()
  var code = facts.read(context)
  guard code == 0 else { return refuse(code, error) }
  let row = Int(facts.width) * facts.channels
  guard header.pointee.width == facts.width, header.pointee.height == facts.height, stride >= row else {
    return fail(
      error, CLIP_INVALID_ARGUMENT,
      "PNG: expected \(facts.width) x \(facts.height) pixels in rows of at least \(row) bytes, "
        + "found \(header.pointee.width) x \(header.pointee.height) in rows of \(stride)")
  }

  let flags = Int32(SPNG_DECODE_PROGRESSIVE.rawValue | SPNG_DECODE_TRNS.rawValue)
  code = spng_decode_image(context, nil, 0, facts.spngFormat, flags)
  let end = Int32(SPNG_EOI.rawValue)
  // An interlaced picture passes its rows up to seven times, each time with more pixels.
  while code == 0 {
    var place = spng_row_info()
    code = spng_get_row_info(context, &place)
    guard code == 0, place.row_num < facts.height else { break }
    code = spng_decode_row(context, pixels + Int(place.row_num) * stride, row)
  }
  guard code == end else { return refuse(code, error) }
  // The rest of the file up to its IEND chunk, so that one cut after the pixels is seen too.
  code = spng_decode_chunks(context)
  guard code == 0 else { return refuse(code, error) }
  guard hasWholeEnd(data, size) else {
    return fail(error, CLIP_FORMAT, "PNG: the file is cut short or damaged in its last chunk, IEND (\(size) bytes)")
  }
  return CLIP_OK
}

/// Whether the chunks lead to an IEND chunk with its checksum, which libspng does not read.
private func hasWholeEnd(_ data: UnsafePointer<UInt8>, _ size: Int) -> Bool {
  let end: [UInt8] = [0, 0, 0, 0, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82]
  var at = 8
  while at <= size - end.count {
    if memcmp(data + at, end, end.count) == 0 { return true }
    let length = Int(data[at]) << 24 | Int(data[at + 1]) << 16 | Int(data[at + 2]) << 8 | Int(data[at + 3])
    at += 12 + length
  }
  return false
}

/// What the chunks before the pixels say.
private struct PNGFacts {
  var width: UInt32 = 0
  var height: UInt32 = 0
  var format = CLIP_PIXELS_RGB

  var channels: Int { format == CLIP_PIXELS_GRAY ? 1 : format == CLIP_PIXELS_RGBA ? 4 : 3 }
  var spngFormat: Int32 {
    let formats = format == CLIP_PIXELS_GRAY ? SPNG_FMT_G8 : format == CLIP_PIXELS_RGBA ? SPNG_FMT_RGBA8 : SPNG_FMT_RGB8
    return Int32(formats.rawValue)
  }

  /// libspng's code. 16-bit gray is given as RGB: libspng has no 8-bit gray form of it.
  mutating func read(_ context: OpaquePointer) -> Int32 {
    var head = spng_ihdr()
    var code = spng_get_ihdr(context, &head)
    guard code == 0 else { return code }
    width = head.width
    height = head.height
    var transparent = spng_trns()
    code = spng_get_trns(context, &transparent)
    let type = UInt32(head.color_type)
    if code == 0 || type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA.rawValue || type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA.rawValue
    {
      format = CLIP_PIXELS_RGBA
    } else if type == SPNG_COLOR_TYPE_GRAYSCALE.rawValue && head.bit_depth <= 8 {
      format = CLIP_PIXELS_GRAY
    }
    return code == Int32(SPNG_ECHUNKAVAIL.rawValue) ? 0 : code
  }
}

/// A decoder that refuses files with a wrong checksum anywhere, and those whose texts and
/// profiles take more than 64 MiB or 1000 chunks.
private func open(_ data: UnsafePointer<UInt8>, _ size: Int) -> OpaquePointer? {
  guard let context = spng_ctx_new(0) else { return nil }
  spng_set_crc_action(context, Int32(SPNG_CRC_ERROR.rawValue), Int32(SPNG_CRC_ERROR.rawValue))
  spng_set_chunk_limits(context, Int(Int32.max), 64 << 20)
  spng_set_png_buffer(context, data, size)
  return context
}

/// The status and words of a libspng code.
private func refuse(_ code: Int32, _ error: UnsafeMutablePointer<clip_plugin_error>?) -> clip_status {
  let words = spng_strerror(code).map { String(cString: $0) } ?? "malformed"
  switch code {
  case Int32(SPNG_EMEM.rawValue): return fail(error, CLIP_OUT_OF_MEMORY, "PNG: " + words)
  case Int32(SPNG_ECHUNK_LIMITS.rawValue):
    return fail(error, CLIP_LIMIT, "PNG: more than 1000 text chunks, or 64 MiB of them: " + words)
  case SPNG_IO_EOF.rawValue: return fail(error, CLIP_FORMAT, "PNG: the file is cut short: " + words)
  default: return fail(error, CLIP_FORMAT, "PNG: " + words)
  }
}
