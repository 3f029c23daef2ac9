import CClip

/// The size and format of the pixels that a codec writes for a file.
public struct ImageHeader {
  public let width: Int
  public let height: Int
  public let format: clip_pixel_format
  /// EXIF's Orientation, 1 to 8.
  public let orientation: UInt32
  /// The factor by which the sides are smaller than in the file.
  public let shrink: Int

  /// `width` and `height` are in 1...UInt32.max. `format` is RGB, RGBA or gray.
  public init(width: Int, height: Int, format: clip_pixel_format, orientation: UInt32 = 1, shrink: Int = 1) {
    self.width = width
    self.height = height
    self.format = format
    self.orientation = orientation
    self.shrink = shrink
  }

  /// Bytes of one pixel.
  public var channels: Int { format == CLIP_PIXELS_GRAY ? 1 : format == CLIP_PIXELS_RGBA ? 4 : 3 }
}

/// How the host wants a file decoded.
public struct DecodeRequest {
  /// The factor by which sides may be decoded smaller: 1, 2, 4 or 8.
  public let shrink: Int
  /// Whether to keep what can be decoded of a damaged file.
  public let isLenient: Bool

  fileprivate init(_ header: clip_codec_header) {
    shrink = [2, 4, 8].contains(header.shrink) ? Int(header.shrink) : 1
    isLenient = header.flags & UInt32(CLIP_CODEC_LENIENT) != 0
  }
}

/// The host's memory for the pixels of a file.
public struct DecodeTarget {
  public let pixels: UnsafeMutablePointer<UInt8>
  /// Bytes from one row to the next.
  public let stride: Int
  fileprivate let header: clip_codec_header

  public var request: DecodeRequest { DecodeRequest(header) }

  /// Sets all pixels to black, and transparent if there is alpha: the parts that a damaged file lacks.
  public func clear() {
    let row = Int(header.width) * (header.format == CLIP_PIXELS_GRAY ? 1 : header.format == CLIP_PIXELS_RGBA ? 4 : 3)
    for y in 0..<Int(header.height) { (pixels + y * stride).update(repeating: 0, count: row) }
  }

  /// Bytes of all rows.
  public var size: Int { stride * Int(header.height) }

  /// Checks that the memory is for the pixels of `found`, the header of the file that is decoded now.
  public func check(_ found: ImageHeader) throws(PluginFailure) {
    let row = found.width * found.channels
    guard Int(header.width) == found.width, Int(header.height) == found.height, stride >= row else {
      throw PluginFailure(
        CLIP_INVALID_ARGUMENT,
        "expected \(found.width) x \(found.height) pixels in rows of at least \(row) bytes, "
          + "found \(header.width) x \(header.height) in rows of \(stride)")
    }
  }
}

extension DecodeTarget {
  /// The most memory that decoding needs beside the pixels, in bytes.
  public var decodingBytes: Int {
    let (pixels, overflow) = size.multipliedReportingOverflow(by: 4)
    return overflow ? Int.max : pixels &+ (1 << 20)
  }
}

/// The body of `clip_image_codec.read_header`. Messages begin with `name`, such as "PNG".
public func readImageHeader(
  _ name: String, _ data: UnsafePointer<UInt8>?, _ size: Int, _ header: UnsafeMutablePointer<clip_codec_header>?,
  _ error: UnsafeMutablePointer<clip_plugin_error>?,
  _ read: (UnsafeBufferPointer<UInt8>, DecodeRequest) throws(PluginFailure) -> ImageHeader
) -> clip_status {
  reporting(error, prefix: name + ": ") { () throws(PluginFailure) in
    guard let data, let header, size > 0 else {
      throw PluginFailure(CLIP_INVALID_ARGUMENT, "expected data and a header")
    }
    let request = DecodeRequest(header.pointee)
    let found = try believed(1 << 16) { () throws(PluginFailure) in
      try read(UnsafeBufferPointer(start: data, count: size), request)
    }
    header.pointee.width = UInt32(clamping: found.width)
    header.pointee.height = UInt32(clamping: found.height)
    header.pointee.format = found.format
    header.pointee.orientation = found.orientation
    header.pointee.shrink = UInt32(found.shrink)
  }
}

/// The body of `clip_image_codec.decode`. `decode` calls `check` on its target before it writes to it.
public func decodeImage(
  _ name: String, _ data: UnsafePointer<UInt8>?, _ size: Int, _ header: UnsafePointer<clip_codec_header>?,
  _ pixels: UnsafeMutablePointer<UInt8>?, _ stride: Int, _ error: UnsafeMutablePointer<clip_plugin_error>?,
  _ decode: (UnsafeBufferPointer<UInt8>, DecodeTarget) throws(PluginFailure) -> Void
) -> clip_status {
  reporting(error, prefix: name + ": ") { () throws(PluginFailure) in
    guard let data, let header, let pixels, size > 0 else {
      throw PluginFailure(CLIP_INVALID_ARGUMENT, "expected data, a header and memory for the pixels")
    }
    let target = DecodeTarget(pixels: pixels, stride: stride, header: header.pointee)
    try believed(target.decodingBytes) { () throws(PluginFailure) in
      try decode(UnsafeBufferPointer(start: data, count: size), target)
    }
  }
}

/// Libraries call a file malformed or unsupported when they get no memory. So a file that `body` calls so is read once
/// more, after a check that `byteCount` bytes are free.
private func believed<Result>(
  _ byteCount: Int, _ body: () throws(PluginFailure) -> Result
) throws(PluginFailure) -> Result {
  do throws(PluginFailure) { return try body() } catch {
    guard error.status == CLIP_FORMAT || error.status == CLIP_UNSUPPORTED else { throw error }
    try requireMemory(byteCount)
    return try body()
  }
}

extension PluginTable {
  /// Adds an image codec. `extensions` are in lower case, separated by commas. `readHeader` and `decode` are C
  /// functions whose bodies call `readImageHeader` and `decodeImage`.
  public mutating func addImageCodec(
    id: StaticString, description: StaticString, extensions: StaticString,
    recognises: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32,
    readHeader:
      @convention(c) (
        UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<clip_codec_header>?, UnsafeMutablePointer<clip_plugin_error>?
      ) -> clip_status,
    decode:
      @convention(c) (
        UnsafePointer<UInt8>?, Int, UnsafePointer<clip_codec_header>?, UnsafeMutablePointer<UInt8>?, Int,
        UnsafeMutablePointer<clip_plugin_error>?
      ) -> clip_status
  ) {
    add(
      clip_image_codec(
        struct_size: UInt32(MemoryLayout<clip_image_codec>.size), id: id.cString, description: description.cString,
        extensions: extensions.cString, recognises: recognises, read_header: readHeader, decode: decode))
  }
}
