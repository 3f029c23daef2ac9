/// Recognises kinds of files by their first bytes: for messages, and to find the codec that is loaded on demand.
struct ImageSignature {
  /// For messages.
  let name: StaticString
  /// The codec in the folder "on-demand"; nil for a kind whose codec is always loaded, or that has none.
  let codec: Name?

  /// The codecs in the folder "on-demand", and the endings of their files.
  static var onDemand: [(codec: Name, endings: Name)] {
    [
      ("clipcore.codec.gif", "gif"), ("clipcore.codec.tiff", "tif,tiff"), ("clipcore.codec.heif", "heic,heif,hif,avif"),
      ("clipcore.codec.jxl", "jxl"),
    ]
  }

  init?(_ data: UnsafeRawBufferPointer) {
    func starts(_ bytes: StaticString, at offset: Int = 0) -> Bool {
      guard data.count >= offset + bytes.utf8CodeUnitCount else { return false }
      return data[offset..<offset + bytes.utf8CodeUnitCount]
        .elementsEqual(UnsafeBufferPointer(start: bytes.utf8Start, count: bytes.utf8CodeUnitCount))
    }
    let isJPEGXL = data.count > 1 && data[0] == 0xff && data[1] == 0x0a || starts("JXL ", at: 4)
    if starts("GIF8") {
      (name, codec) = ("GIF", "clipcore.codec.gif")
    } else if starts("II*\0") || starts("MM\0*") || starts("II+\0") || starts("MM\0+") {
      (name, codec) = ("TIFF", "clipcore.codec.tiff")
    } else if starts("ftyp", at: 4) {
      (name, codec) = ("AVIF, HEIC or MP4", "clipcore.codec.heif")
    } else if isJPEGXL {
      (name, codec) = ("JPEG XL", "clipcore.codec.jxl")
    } else if starts("BM") {
      (name, codec) = ("BMP", nil)
    } else if starts("%PDF") {
      (name, codec) = ("PDF", nil)
    } else if starts("PK\u{3}\u{4}") {
      (name, codec) = ("a zip archive", nil)
    } else if starts("<") {
      (name, codec) = ("SVG, XML or HTML", nil)
    } else {
      return nil
    }
  }
}
