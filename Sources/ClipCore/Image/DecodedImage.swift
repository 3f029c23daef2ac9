import CClip

/// 8-bit pixels that the library owns: a decoded file (RGB, RGBA or gray) or an augmented image. Immutable.
final class DecodedImage {
  let view: clip_image_view
  private let memory: Memory

  /// Decodes `data` with the first of `codecs` that recognises it. Before memory is allocated, the size is checked
  /// against `maxPixels` and, unless the file is trusted, against the file's own size. `place` is the file's path or
  /// another name for the data, for messages. `data` is not needed after the call.
  convenience init(
    data: UnsafeRawBufferPointer, codecs: [CodecTable], maxPixels: Int, isTrusted: Bool, place: String,
    _ options: clip_image_options
  ) throws(ClipError) {
    try requireFlags(options.flags, CLIP_IMAGE_AS_STORED | CLIP_IMAGE_LENIENT, "CLIP_IMAGE_")
    guard let base = data.baseAddress, data.count > 0 else {
      throw ClipError(CLIP_FORMAT, "\(place): expected an image file, found no bytes")
    }
    let bytes = base.assumingMemoryBound(to: UInt8.self)
    guard let codec = codecs.first(where: { $0.table.pointee.recognises(bytes, data.count) == 1 })
    else { throw DecodedImage.unrecognised(data, codecs, place) }

    var header = clip_codec_header()
    header.struct_size = UInt32(MemoryLayout<clip_codec_header>.size)
    if options.flags & UInt32(CLIP_IMAGE_LENIENT) != 0 { header.flags = UInt32(CLIP_CODEC_LENIENT) }
    func readHeader() throws(ClipError) {
      try callPlugin(codec.id, place) { error in
        codec.table.pointee.read_header(bytes, data.count, &header, error)
      }
    }
    try readHeader()
    do throws(ClipError) { try checkPixelCount(Int(header.width), Int(header.height), maxPixels) } catch {
      throw error.at(place)
    }
    let full = (width: header.width, height: header.height)
    let shrink = DecodedImage.shrink(min(header.width, header.height), keeping: options.smaller_side)
    if shrink > 1 {
      header.shrink = shrink
      try readHeader()
    }
    let isWhole = header.width == full.width && header.height == full.height
    let (width, height) = (Int(header.width), Int(header.height))
    guard
      isWhole
        || [2, 4, 8].contains(where: {
          DecodedImage.shrunk(full.width, $0) == width && DecodedImage.shrunk(full.height, $0) == height
        })
    else {
      throw ClipError(
        CLIP_PLUGIN,
        "\(place): expected \(full.width) x \(full.height) pixels or those at 1/2, 1/4 or 1/8 from \(codec.id), "
          + "found \(width) x \(height)")
    }
    guard width > 0, height > 0, let format = ImageView.Format(header.format), format != .bgr, format != .bgra,
      header.orientation <= 8
    else {
      throw ClipError(
        CLIP_PLUGIN,
        "\(place): expected RGB, RGBA or gray pixels and an orientation up to 8 from \(codec.id), "
          + "found \(width) x \(height) of format \(header.format.rawValue) and orientation \(header.orientation)")
    }
    do throws(ClipError) {
      try checkPixelCount(width, height, maxPixels)
      if !isTrusted { try DecodedImage.checkProportion(width * height * format.channels, data.count) }
    } catch {
      throw error.at(place)
    }

    let stride = try product(width, format.channels, "a row of pixels")
    let memory = try Memory(
      byteCount: try product(stride, height, "the pixels of an image"), for: "the pixels of an image")
    let pixels = memory.bytes
    try callPlugin(codec.id, place) { error in
      codec.table.pointee.decode(bytes, data.count, &header, pixels, stride, error)
    }
    self.init(
      memory,
      clip_image_view(
        pixels: UnsafePointer(pixels), width: header.width, height: header.height, stride: stride,
        format: header.format,
        orientation: options.flags & UInt32(CLIP_IMAGE_AS_STORED) != 0 ? 1 : max(1, header.orientation),
        full_width: isWhole ? 0 : full.width, full_height: isWhole ? 0 : full.height))
  }

  private static func shrunk(_ side: UInt32, _ factor: Int) -> Int { (Int(side) + factor - 1) / factor }

  /// The factor, 1, 2, 4 or 8, by which a side may be reduced and keep `smallest` pixels; 1 if that is 0.
  private static func shrink(_ side: UInt32, keeping smallest: UInt32) -> UInt32 {
    guard smallest > 0 else { return 1 }
    for factor in [8, 4, 2] as [UInt32] where side / factor >= smallest { return factor }
    return 1
  }

  /// Each started megabyte of a file may give 256 MB of memory. Decoders need about twice the memory of the pixels.
  private static func checkProportion(_ bytes: Int, _ fileBytes: Int) throws(ClipError) {
    let most = max(1, (fileBytes + (1 << 20) - 1) >> 20) * (256 << 20) / 3
    guard bytes <= most else {
      throw ClipError(
        CLIP_LIMIT,
        "expected at most \(most) bytes of pixels from \(fileBytes) bytes of a file, found \(bytes); a host that trusts "
          + "its files sets max_image_pixels")
    }
  }

  /// The pixels of `view` lie in `memory`.
  init(_ memory: Memory, _ view: clip_image_view) {
    self.memory = memory
    self.view = view
  }

  /// The error for data that no codec recognises: CLIP_FORMAT if it is shorter than the longest signature,
  /// otherwise CLIP_UNSUPPORTED.
  private static func unrecognised(_ data: UnsafeRawBufferPointer, _ codecs: [CodecTable], _ place: String) -> ClipError
  {
    var known = ""
    for codec in codecs { known += (known.isEmpty ? "" : ", ") + codec.id }
    let expected = known.isEmpty ? "an image codec plugin, found none" : "an image for one of \(known)"
    var found = ""
    for byte in data.prefix(12) {
      found += (found.isEmpty ? "" : " ") + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
    let signature = ImageSignature(data).map { " (\($0.name))" } ?? ""
    return ClipError(
      data.count < 12 ? CLIP_FORMAT : CLIP_UNSUPPORTED,
      "\(place): expected \(expected); found \(data.count) bytes that start with \(found)\(signature)")
  }
}
