import CClip

/// The size and format of the pixels that a codec writes for a file.
public struct ImageHeader {
  public let width: Int
  public let height: Int
  public let format: clip_pixel_format

  /// `width` and `height` are in 1...UInt32.max. `format` is RGB, RGBA or gray.
  public init(width: Int, height: Int, format: clip_pixel_format) {
    self.width = width
    self.height = height
    self.format = format
  }

  /// Bytes of one pixel.
  public var channels: Int { format == CLIP_PIXELS_GRAY ? 1 : format == CLIP_PIXELS_RGBA ? 4 : 3 }
}

/// The host's memory for the pixels of a file.
public struct DecodeTarget {
  public let pixels: UnsafeMutablePointer<UInt8>
  /// Bytes from one row to the next.
  public let stride: Int
  fileprivate let header: clip_codec_header

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

/// The body of `clip_image_codec.read_header`. Messages begin with `name`, such as "PNG".
public func readImageHeader(
  _ name: String, _ data: UnsafePointer<UInt8>?, _ size: Int, _ header: UnsafeMutablePointer<clip_codec_header>?,
  _ error: UnsafeMutablePointer<clip_plugin_error>?,
  _ read: (UnsafeBufferPointer<UInt8>) throws(PluginFailure) -> ImageHeader
) -> clip_status {
  reporting(error, prefix: name + ": ") { () throws(PluginFailure) in
    guard let data, let header, size > 0 else {
      throw PluginFailure(CLIP_INVALID_ARGUMENT, "expected data and a header")
    }
    let found = try read(UnsafeBufferPointer(start: data, count: size))
    header.pointee.width = UInt32(clamping: found.width)
    header.pointee.height = UInt32(clamping: found.height)
    header.pointee.format = found.format
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
    try decode(
      UnsafeBufferPointer(start: data, count: size),
      DecodeTarget(pixels: pixels, stride: stride, header: header.pointee))
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
    var table = clip_image_codec()
    table.struct_size = UInt32(MemoryLayout<clip_image_codec>.size)
    table.id = id.cString
    table.description = description.cString
    table.extensions = extensions.cString
    table.recognises = recognises
    table.read_header = readHeader
    table.decode = decode
    add(table)
  }
}
