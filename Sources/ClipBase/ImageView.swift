import CClip

/// A checked clip_image_view, upright: 8-bit pixels that belong to someone else, channels interleaved. All
/// width x height pixels are readable.
package struct ImageView {
  package enum Format {
    case rgb, rgba, bgr, bgra, gray

    package init?(_ format: clip_pixel_format) {
      switch format {
      case CLIP_PIXELS_RGB: self = .rgb
      case CLIP_PIXELS_RGBA: self = .rgba
      case CLIP_PIXELS_BGR: self = .bgr
      case CLIP_PIXELS_BGRA: self = .bgra
      case CLIP_PIXELS_GRAY: self = .gray
      default: return nil
      }
    }

    package var c: clip_pixel_format {
      switch self {
      case .rgb: CLIP_PIXELS_RGB
      case .rgba: CLIP_PIXELS_RGBA
      case .bgr: CLIP_PIXELS_BGR
      case .bgra: CLIP_PIXELS_BGRA
      case .gray: CLIP_PIXELS_GRAY
      }
    }

    package var hasAlpha: Bool { self == .rgba || self == .bgra }

    /// Bytes of one pixel.
    package var channels: Int {
      switch self {
      case .gray: 1
      case .rgb, .bgr: 3
      case .rgba, .bgra: 4
      }
    }
  }

  package let format: Format
  /// Of the upright image.
  package let width: Int
  package let height: Int
  /// The top left pixel of the upright image.
  package let pixels: UnsafePointer<UInt8>
  /// Bytes to the next pixel of a row: `format.channels` if the image is stored upright.
  package let step: Int
  /// Bytes from one row to the next.
  package let stride: Int

  package init(_ view: clip_image_view, maxPixels: Int) throws(ClipError) {
    guard let format = Format(view.format) else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT, "expected a pixel format from 1 to 5, found \(view.format.rawValue)")
    }
    guard let pixels = view.pixels else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "expected pixels, found a null pointer")
    }
    guard view.width > 0, view.height > 0 else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT, "expected at least 1 x 1 pixels, found \(view.width) x \(view.height)")
    }
    try checkPixelCount(Int(view.width), Int(view.height), maxPixels)
    let row = try product(Int(view.width), format.channels, "a row of pixels")
    guard let given = Int(exactly: view.stride), given == 0 || given >= row else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "expected a stride of 0 or at least \(row) bytes for \(view.width) pixels, found \(UInt(bitPattern: view.stride))"
      )
    }
    guard view.orientation <= 8 else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "expected an orientation from 0 to 8, found \(view.orientation)")
    }
    let (right, down) = (format.channels, given == 0 ? row : given)
    let last = (x: Int(view.width) - 1, y: Int(view.height) - 1)
    _ = try product(down, last.y + 1, "rows of pixels")
    self.format = format
    // EXIF 2.32, 4.6.5.1.7: where the stored first row and first column are in the upright image.
    let isMirrored = [2, 3, 7, 8].contains(view.orientation)
    let isFlipped = [3, 4, 6, 7].contains(view.orientation)
    self.pixels = pixels + (isMirrored ? last.x * right : 0) + (isFlipped ? last.y * down : 0)
    let (across, along) = (isMirrored ? -right : right, isFlipped ? -down : down)
    if view.orientation < 5 {
      (width, height) = (last.x + 1, last.y + 1)
      (step, stride) = (across, along)
    } else {
      (width, height) = (last.y + 1, last.x + 1)
      (step, stride) = (along, across)
    }
  }

  /// Pixels in rows without gaps. The caller guarantees that they are readable.
  package init(_ pixels: UnsafePointer<UInt8>, _ format: Format, width: Int, height: Int) {
    self.pixels = pixels
    self.format = format
    self.width = width
    self.height = height
    step = format.channels
    stride = width * format.channels
  }

  /// Whether rows are stored as they are.
  package var isStoredUpright: Bool { step == format.channels && stride > 0 }

  /// Of an image that is stored upright.
  package var c: clip_image_view {
    clip_image_view(
      pixels: pixels, width: UInt32(clamping: width), height: UInt32(clamping: height), stride: stride,
      format: format.c,
      orientation: 0)
  }
}

extension ImageView {
  /// The same, with `place` before the message of an error.
  package init(_ view: clip_image_view, maxPixels: Int, place: String) throws(ClipError) {
    do throws(ClipError) { try self.init(view, maxPixels: maxPixels) } catch { throw error.at(place) }
  }
}

/// Throws CLIP_LIMIT if width x height is more than `limit` pixels.
package func checkPixelCount(_ width: Int, _ height: Int, _ limit: Int) throws(ClipError) {
  let (count, overflow) = width.multipliedReportingOverflow(by: height)
  guard !overflow, count <= limit else {
    throw ClipError(
      CLIP_LIMIT,
      overflow
        ? "found \(width) x \(height) pixels, expected at most \(limit) (max_image_pixels)"
        : "found \(width) x \(height) = \(count) pixels, expected at most \(limit) (max_image_pixels)")
  }
}
