import CClip
import CSpng
import CSystem
import ClipPluginKit

/// PNG (ISO/IEC 15948) by libspng; of an APNG, the default image. Samples are not gamma-corrected: 16-bit samples keep
/// their upper byte, and samples of fewer than 8 bits are scaled to 8.

func recognises(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
  guard let data, size >= 8 else { return 0 }
  return data[0] == 0x89 && data[1] == 0x50 && data[2] == 0x4E && data[3] == 0x47 && data[4] == 0x0D
    && data[5] == 0x0A && data[6] == 0x1A && data[7] == 0x0A ? 1 : 0
}

func readHeader(_ data: UnsafeBufferPointer<UInt8>, _ request: DecodeRequest) throws(PluginFailure) -> ImageHeader {
  try withoutTexts(data) { data throws(PluginFailure) in
    let context = try open(data, request)
    defer { spng_ctx_free(context) }
    return try readHeader(context, orientation: readOrientation(data))
  }
}

func decode(_ data: UnsafeBufferPointer<UInt8>, _ target: DecodeTarget) throws(PluginFailure) {
  try withoutTexts(data) { data throws(PluginFailure) in try decodePixels(data, target) }
}

/// libspng inflates all texts and profiles, up to a thousand times their size in the file. If they have more than 64
/// KiB there, `body` gets a copy of the file without them.
private func withoutTexts<Result>(
  _ data: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) throws(PluginFailure) -> Result
) throws(PluginFailure) -> Result {
  func isText(_ type: UInt32) -> Bool { type == 0x7a54_5874 || type == 0x6954_5874 || type == 0x6943_4350 }
  var textBytes = 0
  forEachChunk(data) { type, content in if isText(type) { textBytes += content.count } }
  guard textBytes > 1 << 16, let file = data.baseAddress else { return try body(data) }
  guard let copy = malloc(data.count)?.assumingMemoryBound(to: UInt8.self) else {
    throw PluginFailure.noMemory("a file without its texts")
  }
  defer { free(copy) }
  var (end, size) = (8, 8)
  memcpy(copy, file, 8)
  forEachChunk(data) { type, content in
    end = content.upperBound + 4
    if isText(type) { return }
    memcpy(copy + size, file + content.lowerBound - 8, content.count + 12)
    size += content.count + 12
  }
  memcpy(copy + size, file + end, data.count - end)
  return try body(UnsafeBufferPointer(start: copy, count: size + data.count - end))
}

private func decodePixels(_ data: UnsafeBufferPointer<UInt8>, _ target: DecodeTarget) throws(PluginFailure) {
  let request = target.request
  if request.isLenient { target.clear() }
  // libspng reads whole chunks: the missing part of a truncated file is zeros, which end the pixels.
  var input = ByteSource(data)
  try withUnsafeMutablePointer(to: &input) { input throws(PluginFailure) in
    let context = try open(data, request, input)
    defer { spng_ctx_free(context) }
    try decode(context, data, target)
  }
}

private func decode(
  _ context: OpaquePointer, _ data: UnsafeBufferPointer<UInt8>, _ target: DecodeTarget
) throws(PluginFailure) {
  let request = target.request
  let header = try readHeader(context)
  try target.check(header)

  let format =
    header.format == CLIP_PIXELS_GRAY ? SPNG_FMT_G8 : header.format == CLIP_PIXELS_RGBA ? SPNG_FMT_RGBA8 : SPNG_FMT_RGB8
  let flags = Int32(SPNG_DECODE_PROGRESSIVE.rawValue | SPNG_DECODE_TRNS.rawValue)
  var code = spng_decode_image(context, nil, 0, Int32(format.rawValue), flags)
  // An interlaced image has up to seven passes over its rows, each with more pixels.
  while code == 0 {
    var position = spng_row_info()
    code = spng_get_row_info(context, &position)
    guard code == 0, position.row_num < header.height else { break }
    code = spng_decode_row(
      context, target.pixels + Int(position.row_num) * target.stride, header.width * header.channels)
  }
  if request.isLenient { return }
  guard code == Int32(SPNG_EOI.rawValue) else { throw failure(code) }
  // Reads the chunks after the pixels, to find a file that is truncated there.
  code = spng_decode_chunks(context)
  guard code == 0 else { throw failure(code) }
  guard hasEndChunk(data) else {
    throw PluginFailure(
      CLIP_FORMAT, "the file is cut short or damaged in its last chunk, IEND (\(data.count) bytes)")
  }
}

/// Whether the file has a complete IEND chunk, whose checksum libspng does not read.
private func hasEndChunk(_ data: UnsafeBufferPointer<UInt8>) -> Bool {
  let end: [UInt8] = [0, 0, 0, 0, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82]
  var hasEnd = false
  forEachChunk(data) { _, content in
    hasEnd = hasEnd || data[(content.lowerBound - 8)...].prefix(end.count).elementsEqual(end)
  }
  return hasEnd
}

/// Calls `body` with the type and the content's range of each complete chunk, without checking checksums.
private func forEachChunk(_ data: UnsafeBufferPointer<UInt8>, _ body: (UInt32, Range<Int>) -> Void) {
  func long(_ at: Int) -> Int {
    Int(data[at]) << 24 | Int(data[at + 1]) << 16 | Int(data[at + 2]) << 8 | Int(data[at + 3])
  }
  var at = 8
  while at <= data.count - 12 {
    let length = long(at)
    guard length <= data.count - 12 - at else { return }
    body(UInt32(long(at + 4)), (at + 8)..<(at + 8 + length))
    at += 12 + length
  }
}

/// Reads the chunks before the pixels. 16-bit gray is decoded to RGB, since libspng cannot reduce it to 8-bit gray.
private func readHeader(_ context: OpaquePointer, orientation: UInt32 = 1) throws(PluginFailure) -> ImageHeader {
  var header = spng_ihdr()
  var code = spng_get_ihdr(context, &header)
  guard code == 0 else { throw failure(code) }
  var transparency = spng_trns()
  code = spng_get_trns(context, &transparency)
  guard code == 0 || code == Int32(SPNG_ECHUNKAVAIL.rawValue) else { throw failure(code) }
  let type = UInt32(header.color_type)
  let hasAlpha =
    code == 0 || type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA.rawValue || type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA.rawValue
  let isGray = type == SPNG_COLOR_TYPE_GRAYSCALE.rawValue && header.bit_depth <= 8
  return ImageHeader(
    width: Int(header.width), height: Int(header.height),
    format: hasAlpha ? CLIP_PIXELS_RGBA : isGray ? CLIP_PIXELS_GRAY : CLIP_PIXELS_RGB, orientation: orientation)
}

/// The orientation in the eXIf chunk.
private func readOrientation(_ data: UnsafeBufferPointer<UInt8>) -> UInt32 {
  var orientation: UInt32 = 1
  forEachChunk(data) { type, content in
    if type == 0x6558_4966 { orientation = exifOrientation(data[content]) }
  }
  return orientation
}

/// A decoder that refuses files with a wrong checksum in any chunk, unless lenient, and files with more than 1000
/// chunks or 64 MiB of text and profiles.
private func open(
  _ data: UnsafeBufferPointer<UInt8>, _ request: DecodeRequest, _ input: UnsafeMutablePointer<ByteSource>? = nil
) throws(PluginFailure) -> OpaquePointer {
  guard let context = spng_ctx_new(0) else { throw PluginFailure.noMemory("a decoder") }
  let checksums = Int32((request.isLenient ? SPNG_CRC_USE : SPNG_CRC_ERROR).rawValue)
  spng_set_crc_action(context, checksums, checksums)
  spng_set_chunk_limits(context, Int(Int32.max), 64 << 20)
  guard let input, request.isLenient else {
    spng_set_png_buffer(context, data.baseAddress, data.count)
    return context
  }
  spng_set_png_stream(
    context,
    { _, user, target, count in
      guard let input = user?.assumingMemoryBound(to: ByteSource.self), let target,
        input.pointee.at < input.pointee.data.count
      else { return SPNG_IO_EOF.rawValue }
      memset(target, 0, count)
      _ = input.pointee.read(count, into: target)
      return 0
    }, input)
  return context
}

/// The failure of a libspng code.
private func failure(_ code: Int32) -> PluginFailure {
  let message = spng_strerror(code).map { String(cString: $0) } ?? "malformed"
  switch code {
  case Int32(SPNG_EMEM.rawValue): return PluginFailure(CLIP_OUT_OF_MEMORY, message)
  case Int32(SPNG_ECHUNK_LIMITS.rawValue):
    return PluginFailure(CLIP_LIMIT, "more than 1000 text chunks, or 64 MiB of them: " + message)
  case SPNG_IO_EOF.rawValue: return PluginFailure(CLIP_FORMAT, "the file is cut short: " + message)
  default: return PluginFailure(CLIP_FORMAT, message)
  }
}
