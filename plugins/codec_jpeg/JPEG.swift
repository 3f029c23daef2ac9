import CClip
import CSystem
import CTurboJPEG
import ClipPluginKit

/// JPEG (ITU-T T.81) by libturbojpeg 2.1 or later. Pixels equal Pillow's: accurate integer DCT, smooth chroma
/// upsampling, CMYK stored inverted as Adobe does.

func recognises(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
  guard let data, size >= 3 else { return 0 }
  return data[0] == 0xFF && data[1] == 0xD8 && data[2] == 0xFF ? 1 : 0
}

func readHeader(_ data: UnsafeBufferPointer<UInt8>, _ request: DecodeRequest) throws(PluginFailure) -> ImageHeader {
  let handle = try makeDecoder()
  defer { tjDestroy(handle) }
  return try JPEGInfo(handle, data, request).header
}

func decode(_ data: UnsafeBufferPointer<UInt8>, _ target: DecodeTarget) throws(PluginFailure) {
  let handle = try makeDecoder()
  defer { tjDestroy(handle) }
  let request = target.request
  let info = try JPEGInfo(handle, data, request)
  try target.check(info.header)
  guard let stride = Int32(exactly: target.stride) else {
    throw PluginFailure(CLIP_INVALID_ARGUMENT, "expected rows of at most \(Int32.max) bytes, found \(target.stride)")
  }
  guard info.isFourColour else {
    return try decompress(handle, data, info, request, target.pixels, stride, info.isGray ? TJPF_GRAY : TJPF_RGB)
  }

  let (width, height) = (info.header.width, info.header.height)
  let row = width * 4
  guard let cmyk = malloc(row * height)?.assumingMemoryBound(to: UInt8.self) else {
    throw PluginFailure(CLIP_OUT_OF_MEMORY, "no memory for \(row * height) bytes of CMYK pixels")
  }
  defer { free(cmyk) }
  try decompress(handle, data, info, request, cmyk, Int32(row), TJPF_CMYK)
  for y in 0..<height { convertRow(cmyk + y * row, target.pixels + y * target.stride, width) }
}

private func makeDecoder() throws(PluginFailure) -> tjhandle {
  // libturbojpeg's message is thread-local. glibc allocates it on first use by a thread, and ends the process if that
  // fails. So it is first used here, after a check of memory.
  try requireMemory(1 << 16)
  _ = tjGetErrorStr()
  guard let handle = tjInitDecompress() else { throw PluginFailure.noMemory("a decoder") }
  return handle
}

/// What the markers before the first scan contain.
private struct JPEGInfo {
  var width: Int32 = 0  // at most 65500, libjpeg's limit
  var height: Int32 = 0
  private var space: Int32 = -1
  private let orientation: UInt32
  private let shrink: Int

  var isGray: Bool { space == Int32(TJCS_GRAY.rawValue) }
  var isFourColour: Bool { space == Int32(TJCS_CMYK.rawValue) || space == Int32(TJCS_YCCK.rawValue) }
  var header: ImageHeader {
    ImageHeader(
      width: Int(width), height: Int(height), format: isGray ? CLIP_PIXELS_GRAY : CLIP_PIXELS_RGB,
      orientation: orientation, shrink: shrink)
  }

  /// tjDecompressHeader3 fails for chroma subsamplings that it has no name for, but the decoder accepts all. So the
  /// values that it wrote are checked, not its result.
  init(_ handle: tjhandle, _ data: UnsafeBufferPointer<UInt8>, _ request: DecodeRequest) throws(PluginFailure) {
    var subsampling: Int32 = -1
    orientation = readOrientation(data)
    shrink = request.shrink
    tjDecompressHeader3(handle, data.baseAddress, UInt(data.count), &width, &height, &subsampling, &space)
    guard width > 0, height > 0, width <= 65535, height <= 65535, space >= 0 else { throw failure(handle) }
    // libjpeg's scaled inverse DCT rounds up.
    width = (width + Int32(shrink) - 1) / Int32(shrink)
    height = (height + Int32(shrink) - 1) / Int32(shrink)
  }
}

/// Decodes and stops at the first warning; if that is harmless, decodes again without stopping. CLIP_LIMIT for more
/// than 500 progressive scans, and for more pixels in all scans than 2^30 for each megabyte of the file.
private func decompress(
  _ handle: tjhandle, _ data: UnsafeBufferPointer<UInt8>, _ info: JPEGInfo, _ request: DecodeRequest,
  _ pixels: UnsafeMutablePointer<UInt8>, _ stride: Int32, _ format: TJPF
) throws(PluginFailure) {
  func run(_ flags: Int32) -> Int32 {
    tjDecompress2(
      handle, data.baseAddress, UInt(data.count), pixels, info.width, stride, info.height, Int32(format.rawValue),
      flags | TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS)
  }
  let structure = JPEGStructure(data)
  let pixelScans = structure.scans * Int(info.width) * Int(info.height) * request.shrink * request.shrink
  let most = (data.count >> 20 + 1) << 30
  guard pixelScans <= most else {
    throw PluginFailure(
      CLIP_LIMIT,
      "expected at most \(most) pixels in all scans of \(data.count) bytes, found \(pixelScans) in \(structure.scans)")
  }
  if request.isLenient {
    // libjpeg fills the missing part with gray.
    guard run(0) == 0 || tjGetErrorCode(handle) == Int32(TJERR_WARNING.rawValue) else { throw failure(handle) }
    return
  }
  if run(TJFLAG_STOPONWARNING) == 0 { return }
  guard isHarmlessWarning(handle), run(0) == 0 || isHarmlessWarning(handle) else { throw failure(handle) }
  // libturbojpeg keeps only the first warning, which may hide that the data ended early.
  guard structure.reachesEnd else {
    throw PluginFailure(CLIP_FORMAT, "the file is cut short: \(data.count) bytes without an end-of-image marker")
  }
}

/// Whether the last call warned about something that does not affect the image, such as stray bytes between segments.
/// libjpeg's messages are not translated.
private func isHarmlessWarning(_ handle: tjhandle) -> Bool {
  guard tjGetErrorCode(handle) == Int32(TJERR_WARNING.rawValue), let message = tjGetErrorStr2(handle) else {
    return false
  }
  return strstr(message, "extraneous bytes before marker") != nil || strstr(message, "unknown JFIF revision") != nil
    || strstr(message, "Unknown Adobe color transform") != nil || strstr(message, "Invalid SOS parameters") != nil
    || strstr(message, "Inconsistent progression") != nil
}

/// The orientation in the first EXIF segment before the first scan.
private func readOrientation(_ data: UnsafeBufferPointer<UInt8>) -> UInt32 {
  var at = 2
  while at + 4 <= data.count, data[at] == 0xFF {
    let marker = data[at + 1]
    if marker == 0xFF {
      at += 1
      continue
    }
    if marker == 0xD9 || marker == 0xDA { return 1 }
    let end = at + 2 + (Int(data[at + 2]) << 8 | Int(data[at + 3]))
    if marker == 0xE1, end <= data.count, end - at >= 10, data[(at + 4)..<(at + 10)].elementsEqual("Exif\0\0".utf8) {
      return exifOrientation(data[(at + 10)..<end])
    }
    at = end
  }
  return 1
}

/// The sequence of segments (T.81 annex B).
private struct JPEGStructure {
  var scans = 0
  /// Whether there is an end-of-image marker.
  var reachesEnd = false

  init(_ data: UnsafeBufferPointer<UInt8>) {
    var at = 2
    while at < data.count - 1 {
      guard data[at] == 0xFF else {
        guard let base = data.baseAddress, let next = memchr(base + at, 0xFF, data.count - at) else { return }
        at = UnsafeRawPointer(next) - UnsafeRawPointer(base)
        continue
      }
      switch data[at + 1] {
      case 0xD9:
        reachesEnd = true
        return
      case 0xFF: at += 1
      case 0x00, 0x01, 0xD0...0xD8: at += 2
      default:
        if data[at + 1] == 0xDA { scans += 1 }
        guard at < data.count - 3 else { return }
        at += 2 + (Int(data[at + 2]) << 8 | Int(data[at + 3]))
      }
    }
  }
}

/// Converts one row of inverted CMYK to RGB with Pillow's rounding.
private func convertRow(_ cmyk: UnsafePointer<UInt8>, _ rgb: UnsafeMutablePointer<UInt8>, _ width: Int) {
  for x in 0..<width {
    let white = Int(cmyk[x * 4 + 3])
    for channel in 0..<3 {
      let scaled = (255 - Int(cmyk[x * 4 + channel])) * white + 128
      rgb[x * 3 + channel] = UInt8(clamping: white - ((scaled >> 8) + scaled) >> 8)
    }
  }
}

/// The failure of libturbojpeg's last call.
private func failure(_ handle: tjhandle) -> PluginFailure {
  guard let message = tjGetErrorStr2(handle) else { return PluginFailure(CLIP_FORMAT, "malformed") }
  let status: clip_status =
    turbojpeg_had_no_memory(message)
    ? CLIP_OUT_OF_MEMORY
    : strstr(message, "more than 500 scans") != nil
      ? CLIP_LIMIT
      : strstr(message, "Unsupported") != nil || strstr(message, "colorspace") != nil
        ? CLIP_UNSUPPORTED : CLIP_FORMAT
  return PluginFailure(status, String(cString: message))
}
