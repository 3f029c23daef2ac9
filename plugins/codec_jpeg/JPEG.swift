import CClip
import CSystem
import CTurboJPEG
import ClipPluginKit

/// JPEG (ITU-T T.81) by libturbojpeg 2.1 or later. Pixels are those of Pillow: accurate integer
/// DCT, smooth chroma upsampling, CMYK stored inverted as Adobe does.

func recognises(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
  guard let data, size >= 3 else { return 0 }
  return data[0] == 0xFF && data[1] == 0xD8 && data[2] == 0xFF ? 1 : 0
}

func readHeader(
  _ data: UnsafePointer<UInt8>?, _ size: Int, _ header: UnsafeMutablePointer<clip_codec_header>?,
  _ error: UnsafeMutablePointer<clip_plugin_error>?
) -> clip_status {
  guard let data, let header, size > 0 else {
    return fail(error, CLIP_INVALID_ARGUMENT, "JPEG: expected data and a header")
  }
  guard let handle = tjInitDecompress() else { return fail(error, CLIP_OUT_OF_MEMORY, "JPEG: no memory for a decoder") }
  defer { tjDestroy(handle) }
  guard let facts = JPEGFacts(handle, data, size) else { return refuse(handle, error) }
  header.pointee.width = UInt32(facts.width)
  header.pointee.height = UInt32(facts.height)
  header.pointee.format = facts.isGray ? CLIP_PIXELS_GRAY : CLIP_PIXELS_RGB
  return CLIP_OK
}

func decode(
  _ data: UnsafePointer<UInt8>?, _ size: Int, _ header: UnsafePointer<clip_codec_header>?,
  _ pixels: UnsafeMutablePointer<UInt8>?, _ stride: Int, _ error: UnsafeMutablePointer<clip_plugin_error>?
) -> clip_status {
  guard let data, let header, let pixels, size > 0 else {
    return fail(error, CLIP_INVALID_ARGUMENT, "JPEG: expected data, a header and memory for the pixels")
  }
  guard let handle = tjInitDecompress() else { return fail(error, CLIP_OUT_OF_MEMORY, "JPEG: no memory for a decoder") }
  defer { tjDestroy(handle) }
  guard let facts = JPEGFacts(handle, data, size) else { return refuse(handle, error) }
  let channels = facts.isGray ? 1 : 3
  guard header.pointee.width == UInt32(facts.width), header.pointee.height == UInt32(facts.height),
    stride >= Int(facts.width) * channels, let pitch = Int32(exactly: stride)
  else {
    return fail(
      error, CLIP_INVALID_ARGUMENT,
      "JPEG: expected \(facts.width) x \(facts.height) pixels in rows of at least \(Int(facts.width) * channels) bytes, "
        + "found \(header.pointee.width) x \(header.pointee.height) in rows of \(stride)")
  }

  guard facts.isFourColour else {
    let format = facts.isGray ? TJPF_GRAY : TJPF_RGB
    return decompress(handle, data, size, facts, pixels, pitch, format, error)
  }
  let row = Int(facts.width) * 4
  guard let inks = malloc(row * Int(facts.height))?.assumingMemoryBound(to: UInt8.self) else {
    return fail(error, CLIP_OUT_OF_MEMORY, "JPEG: no memory for \(row * Int(facts.height)) bytes of CMYK pixels")
  }
  defer { free(inks) }
  let status = decompress(handle, data, size, facts, inks, Int32(row), TJPF_CMYK, error)
  guard status == CLIP_OK else { return status }
  for y in 0..<Int(facts.height) { convertInks(inks + y * row, pixels + y * stride, Int(facts.width)) }
  return CLIP_OK
}

/// What the markers before the first scan say.
private struct JPEGFacts {
  var width: Int32 = 0  // at most 65500: libjpeg's own bound
  var height: Int32 = 0
  private var space: Int32 = -1

  var isGray: Bool { space == Int32(TJCS_GRAY.rawValue) }
  var isFourColour: Bool { space == Int32(TJCS_CMYK.rawValue) || space == Int32(TJCS_YCCK.rawValue) }

  /// Nil when libturbojpeg has an error. That it has no name for the subsampling is none: the
  /// decoder takes any.
  init?(_ handle: tjhandle, _ data: UnsafePointer<UInt8>, _ size: Int) {
    var subsampling: Int32 = -1
    tjDecompressHeader3(handle, data, UInt(size), &width, &height, &subsampling, &space)
    guard width > 0, height > 0, width <= 65535, height <= 65535, space >= 0 else { return nil }
  }
}

/// Decodes and stops at the first warning; only when that warning is a harmless one, decodes
/// again without stopping. More than 500 progressive scans are an error.
private func decompress(
  _ handle: tjhandle, _ data: UnsafePointer<UInt8>, _ size: Int, _ facts: JPEGFacts,
  _ pixels: UnsafeMutablePointer<UInt8>, _ pitch: Int32, _ format: TJPF,
  _ error: UnsafeMutablePointer<clip_plugin_error>?
) -> clip_status {
  func run(_ flags: Int32) -> Int32 {
    tjDecompress2(
      handle, data, UInt(size), pixels, facts.width, pitch, facts.height, Int32(format.rawValue),
      flags | TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS)
  }
  if run(TJFLAG_STOPONWARNING) == 0 { return CLIP_OK }
  guard isHarmlessWarning(handle) else { return refuse(handle, error) }
  if run(0) == 0 || isHarmlessWarning(handle) {
    // libturbojpeg keeps the first warning alone, which may hide that the data ended.
    guard reachesEnd(data, size) else {
      return fail(error, CLIP_FORMAT, "JPEG: the file is cut short: \(size) bytes without an end-of-image marker")
    }
    return CLIP_OK
  }
  return refuse(handle, error)
}

/// Whether the last call gave a warning about something that leaves the picture whole, as
/// stray bytes between segments do. libjpeg's words are fixed English.
private func isHarmlessWarning(_ handle: tjhandle) -> Bool {
  guard tjGetErrorCode(handle) == Int32(TJERR_WARNING.rawValue), let words = tjGetErrorStr2(handle) else {
    return false
  }
  return strstr(words, "extraneous bytes before marker") != nil || strstr(words, "unknown JFIF revision") != nil
    || strstr(words, "Unknown Adobe color transform") != nil || strstr(words, "Invalid SOS parameters") != nil
    || strstr(words, "Inconsistent progression") != nil
}

/// Whether the file's segments lead to an end-of-image marker (T.81 annex B).
private func reachesEnd(_ data: UnsafePointer<UInt8>, _ size: Int) -> Bool {
  var at = 2
  while at < size - 1 {
    guard data[at] == 0xFF else {
      at += 1
      continue
    }
    switch data[at + 1] {
    case 0xD9: return true
    case 0xFF: at += 1
    case 0x00, 0x01, 0xD0...0xD8: at += 2
    default:
      guard at < size - 3 else { return false }
      at += 2 + (Int(data[at + 2]) << 8 | Int(data[at + 3]))
    }
  }
  return false
}

/// One row of inverted cyan, magenta, yellow, black to RGB, with Pillow's rounding.
private func convertInks(_ inks: UnsafePointer<UInt8>, _ pixels: UnsafeMutablePointer<UInt8>, _ width: Int) {
  for x in 0..<width {
    let white = Int(inks[x * 4 + 3])
    for channel in 0..<3 {
      let scaled = (255 - Int(inks[x * 4 + channel])) * white + 128
      pixels[x * 3 + channel] = UInt8(clamping: white - ((scaled >> 8) + scaled) >> 8)
    }
  }
}

/// The status and words of libturbojpeg's last error.
private func refuse(_ handle: tjhandle, _ error: UnsafeMutablePointer<clip_plugin_error>?) -> clip_status {
  guard let words = tjGetErrorStr2(handle) else { return fail(error, CLIP_FORMAT, "JPEG: malformed") }
  let status: clip_status =
    strstr(words, "Insufficient memory") != nil || strstr(words, "Memory allocation") != nil
    ? CLIP_OUT_OF_MEMORY
    : strstr(words, "more than 500 scans") != nil
      ? CLIP_LIMIT
      : strstr(words, "Unsupported") != nil || strstr(words, "colorspace") != nil
        ? CLIP_UNSUPPORTED : CLIP_FORMAT
  return fail(error, status, "JPEG: " + String(cString: words))
}
