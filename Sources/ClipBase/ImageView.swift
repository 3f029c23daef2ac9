import CClip

/// A checked clip_image_view, seen upright. The pixels belong to someone else, with 8 bits a channel and channels
/// interleaved. All width x height pixels are readable.
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
  /// The upright image's width in pixels.
  package let width: Int
  package let height: Int
  /// The top left pixel of the upright image.
  package let pixels: UnsafePointer<UInt8>
  /// Bytes to the next pixel of a row: `format.channels` if the image is stored upright.
  package let step: Int
  /// Bytes from one row to the next.
  package let stride: Int
  /// The upright image's size before it was decoded at a fraction of it, in pixels; else `width` and `height`.
  package let fullWidth: Int
  package let fullHeight: Int
  /// The full image's extent in units of these pixels: the last column or row may stand for fewer full columns or rows
  /// than the others.
  package let across: (from: Double, count: Double)
  package let down: (from: Double, count: Double)

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
    let (right, below) = (format.channels, given == 0 ? row : given)
    let last = (x: Int(view.width) - 1, y: Int(view.height) - 1)
    _ = try product(below, last.y + 1, "rows of pixels")
    let shrink = try ImageView.shrink(view)
    let full = (
      x: view.full_width == 0 ? Int(view.width) : Int(view.full_width),
      y: view.full_height == 0 ? Int(view.height) : Int(view.full_height)
    )
    self.format = format
    // EXIF 2.32, 4.6.5.1.7: where the stored first row and first column are in the upright image.
    let isMirrored = [2, 3, 7, 8].contains(view.orientation)
    let isFlipped = [3, 4, 6, 7].contains(view.orientation)
    self.pixels = pixels + (isMirrored ? last.x * right : 0) + (isFlipped ? last.y * below : 0)
    func axis(_ full: Int, _ last: Int, _ isTurned: Bool) -> (from: Double, count: Double) {
      let count = Double(full) / shrink
      return (isTurned ? Double(last + 1) - count : 0, count)
    }
    let x = (side: last.x + 1, full: full.x, step: isMirrored ? -right : right, axis: axis(full.x, last.x, isMirrored))
    let y = (side: last.y + 1, full: full.y, step: isFlipped ? -below : below, axis: axis(full.y, last.y, isFlipped))
    let (first, second) = view.orientation < 5 ? (x, y) : (y, x)
    (width, fullWidth, step, across) = first
    (height, fullHeight, stride, down) = second
  }

  /// The factor by which `view` is smaller than the full image.
  private static func shrink(_ view: clip_image_view) throws(ClipError) -> Double {
    guard view.full_width != 0 || view.full_height != 0 else { return 1 }
    for shrink in [1, 2, 4, 8] as [UInt64] {
      if (UInt64(view.full_width) + shrink - 1) / shrink == UInt64(view.width),
        (UInt64(view.full_height) + shrink - 1) / shrink == UInt64(view.height)
      {
        return Double(shrink)
      }
    }
    throw ClipError(
      CLIP_INVALID_ARGUMENT,
      "expected full sides that are 1, 2, 4 or 8 times \(view.width) x \(view.height), "
        + "found \(view.full_width) x \(view.full_height)")
  }

  /// Pixels in rows without gaps. The caller guarantees that they are readable.
  package init(_ pixels: UnsafePointer<UInt8>, _ format: Format, width: Int, height: Int) {
    self.pixels = pixels
    self.format = format
    self.width = width
    self.height = height
    step = format.channels
    stride = width * format.channels
    (fullWidth, fullHeight) = (width, height)
    (across, down) = ((0, Double(width)), (0, Double(height)))
  }

  /// Whether the image is stored upright.
  package var isStoredUpright: Bool { step == format.channels && stride > 0 }

  /// The C view of an image that is stored upright.
  package var c: clip_image_view {
    clip_image_view(
      pixels: pixels, width: UInt32(clamping: width), height: UInt32(clamping: height), stride: stride,
      format: format.c,
      orientation: 0, full_width: 0, full_height: 0)
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
