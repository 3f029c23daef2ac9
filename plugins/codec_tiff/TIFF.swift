import CClip
import CSystem
import CTIFF
import ClipPluginKit

/// TIFF 6.0 by libtiff: the first page, in every form that libtiff converts to 8-bit RGBA.

func recognises(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
  guard let data, size >= 8 else { return 0 }
  let isLittle = data[0] == 0x49 && data[1] == 0x49 && (data[2] == 42 || data[2] == 43) && data[3] == 0
  let isBig = data[0] == 0x4d && data[1] == 0x4d && data[2] == 0 && (data[3] == 42 || data[3] == 43)
  return isLittle || isBig ? 1 : 0
}

func readHeader(_ data: UnsafeBufferPointer<UInt8>, _ request: DecodeRequest) throws(PluginFailure) -> ImageHeader {
  try withFile(data) { file throws(PluginFailure) in try header(file) }
}

func decode(_ data: UnsafeBufferPointer<UInt8>, _ target: DecodeTarget) throws(PluginFailure) {
  // libtiff crashes if some of its allocations fail, so memory is checked first.
  try requireMemory(target.decodingBytes)
  try withFile(data) { file throws(PluginFailure) in
    let header = try header(file)
    try target.check(header)
    var image = TIFFRGBAImage()
    var message = [CChar](repeating: 0, count: 1024)
    guard TIFFRGBAImageBegin(&image, file, target.request.isLenient ? 0 : 1, &message) != 0 else {
      throw PluginFailure(
        CLIP_UNSUPPORTED, String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
    }
    defer { TIFFRGBAImageEnd(&image) }
    // As stored; the host applies the orientation.
    image.orientation = UInt16(ORIENTATION_TOPLEFT)
    image.req_orientation = UInt16(ORIENTATION_TOPLEFT)
    let count = header.width * header.height
    guard let raster = malloc(count * 4)?.assumingMemoryBound(to: UInt32.self) else {
      throw PluginFailure(CLIP_OUT_OF_MEMORY, "no memory for \(count) pixels")
    }
    defer { free(raster) }
    memset(raster, 0, count * 4)
    let isWhole = TIFFRGBAImageGet(&image, raster, UInt32(header.width), UInt32(header.height)) != 0
    guard isWhole || target.request.isLenient else {
      throw PluginFailure(CLIP_FORMAT, "the pixels are cut short or malformed (\(data.count) bytes)")
    }
    for y in 0..<header.height {
      var out = target.pixels + y * target.stride
      for x in 0..<header.width {
        let pixel = raster[y * header.width + x]
        let alpha = pixel >> 24
        for channel in 0..<header.channels {
          var value = pixel >> UInt32(8 * channel) & 0xff
          // libtiff multiplies colours by alpha; this divides them again.
          if header.channels == 4, channel < 3, alpha > 0 { value = min(255, (value * 255 + alpha / 2) / alpha) }
          out[channel] = UInt8(truncatingIfNeeded: value)
        }
        out += header.channels
      }
    }
  }
}

private func header(_ file: OpaquePointer) throws(PluginFailure) -> ImageHeader {
  var (width, height): (UInt32, UInt32) = (0, 0)
  csystem_tiff_sides(file, &width, &height)
  guard width > 0, height > 0, width <= 1 << 20, height <= 1 << 20 else {
    throw PluginFailure(CLIP_FORMAT, "expected sides from 1 to 1048576, found \(width) x \(height)")
  }
  let orientation = csystem_tiff_orientation(file)
  let isGray = csystem_tiff_is_gray(file) != 0
  let hasAlpha = csystem_tiff_has_alpha(file) != 0
  return ImageHeader(
    width: Int(width), height: Int(height),
    format: hasAlpha ? CLIP_PIXELS_RGBA : isGray ? CLIP_PIXELS_GRAY : CLIP_PIXELS_RGB,
    orientation: (1...8).contains(orientation) ? UInt32(orientation) : 1)
}

private func withFile<Result>(
  _ data: UnsafeBufferPointer<UInt8>, _ body: (OpaquePointer) throws(PluginFailure) -> Result
) throws(PluginFailure) -> Result {
  var source = ByteSource(data)
  return try withUnsafeMutablePointer(to: &source) { source throws(PluginFailure) in
    guard let options = TIFFOpenOptionsAlloc() else {
      throw PluginFailure.noMemory("a decoder")
    }
    defer { TIFFOpenOptionsFree(options) }
    // Limits one strip or tile, against decompression bombs.
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, 1 << 30)
    csystem_tiff_silence(options)
    let file = TIFFClientOpenExt(
      "tiff", "rm", source,
      { handle, buffer, count in
        guard let source = handle?.assumingMemoryBound(to: ByteSource.self), let buffer else { return -1 }
        return tmsize_t(source.pointee.read(Int(count), into: buffer))
      },
      { _, _, _ in -1 },
      { handle, offset, whence in
        guard let source = handle?.assumingMemoryBound(to: ByteSource.self) else { return UInt64.max }
        let base =
          whence == SEEK_SET ? 0 : whence == SEEK_CUR ? UInt64(source.pointee.at) : UInt64(source.pointee.data.count)
        // An offset beyond the file is stored as its end.
        source.pointee.at = Int(clamping: base &+ offset)
        return base &+ offset
      },
      { _ in 0 },
      { handle in handle.map { UInt64($0.assumingMemoryBound(to: ByteSource.self).pointee.data.count) } ?? 0 },
      { _, _, _ in 0 }, { _, _, _ in }, options)
    guard let file else { throw PluginFailure(CLIP_FORMAT, "malformed header or directory (\(data.count) bytes)") }
    defer { TIFFClose(file) }
    return try body(file)
  }
}
