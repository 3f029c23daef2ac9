import CClip

/// 8-bit pixels that the library owns: a decoded file (RGB, RGBA or gray) or an augmented image. Immutable.
final class DecodedImage {
  let view: clip_image_view
  private let memory: Memory

  /// Decodes `data` with the first of `codecs` that recognises it. The size is checked against `maxPixels`
  /// before memory is allocated. `place` is the file's path or another name for the data, for messages.
  /// `data` is not needed after the call.
  convenience init(data: UnsafeRawBufferPointer, codecs: [CodecTable], maxPixels: Int, place: String) throws(ClipError)
  {
    guard let base = data.baseAddress, data.count > 0 else {
      throw ClipError(CLIP_FORMAT, "\(place): expected an image file, found no bytes")
    }
    let bytes = base.assumingMemoryBound(to: UInt8.self)
    guard let codec = codecs.first(where: { $0.table.pointee.recognises(bytes, data.count) == 1 })
    else { throw DecodedImage.unrecognised(data, codecs, place) }

    var header = clip_codec_header()
    header.struct_size = UInt32(MemoryLayout<clip_codec_header>.size)
    try callPlugin(codec.id, place) { error in
      codec.table.pointee.read_header(bytes, data.count, &header, error)
    }
    let (width, height) = (Int(header.width), Int(header.height))
    guard width > 0, height > 0, let format = ImageView.Format(header.format), format != .bgr, format != .bgra else {
      throw ClipError(
        CLIP_PLUGIN,
        "\(place): expected RGB, RGBA or gray pixels from \(codec.id), "
          + "found \(width) x \(height) of format \(header.format.rawValue)")
    }
    do throws(ClipError) { try checkPixelCount(width, height, maxPixels) } catch { throw error.at(place) }

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
        format: header.format))
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

/// Recognises common kinds of files that no codec reads by their first bytes, for messages.
private struct ImageSignature {
  let name: StaticString

  init?(_ data: UnsafeRawBufferPointer) {
    func starts(_ bytes: StaticString, at offset: Int = 0) -> Bool {
      guard data.count >= offset + bytes.utf8CodeUnitCount else { return false }
      return data[offset..<offset + bytes.utf8CodeUnitCount]
        .elementsEqual(UnsafeBufferPointer(start: bytes.utf8Start, count: bytes.utf8CodeUnitCount))
    }
    if starts("GIF8") {
      name = "GIF"
    } else if starts("BM") {
      name = "BMP"
    } else if starts("II*\0") || starts("MM\0*") {
      name = "TIFF"
    } else if starts("ftyp", at: 4) {
      name = "AVIF, HEIC or MP4"
    } else if starts("%PDF") {
      name = "PDF"
    } else if starts("PK\u{3}\u{4}") {
      name = "a zip archive"
    } else if starts("<") {
      name = "SVG, XML or HTML"
    } else {
      return nil
    }
  }
}
