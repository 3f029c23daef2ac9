import CClip
import CSystem

@c @implementation
public func clip_image_create(
  _ runtime: OpaquePointer?, _ format: clip_pixel_format, _ width: UInt32, _ height: UInt32,
  _ out: UnsafeMutablePointer<OpaquePointer?>?, _ pixels: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let runtime = try object(runtime, Runtime.self, "runtime")
    let out = try required(out, "out")
    let pixels = try required(pixels, "pixels")
    guard width > 0, height > 0, let known = ImageView.Format(format) else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "image: expected at least 1 x 1 pixels of a known format, found \(width) x \(height) of format \(format.rawValue)"
      )
    }
    do throws(ClipError) { try checkPixelCount(Int(width), Int(height), runtime.maxImagePixels) } catch {
      throw error.at("image")
    }
    let stride = try product(Int(width), known.channels, "a row of pixels")
    let memory = try Memory(
      byteCount: try product(stride, Int(height), "the pixels of an image"), for: "the pixels of an image")
    let view = clip_image_view(
      pixels: UnsafePointer(memory.bytes), width: width, height: height, stride: stride, format: format,
      orientation: 0, full_width: 0, full_height: 0)
    out.pointee = handle(owning: DecodedImage(memory, view))
    pixels.pointee = memory.bytes
  }
}

@c @implementation
public func clip_image_resize(
  _ runtime: OpaquePointer?, _ view: UnsafePointer<clip_image_view>?, _ resample: clip_resample, _ width: UInt32,
  _ height: UInt32, _ pixels: UnsafeMutablePointer<UInt8>?, _ capacity: Int, _ stride: Int
) -> clip_status {
  reporting { () throws(ClipError) in
    let runtime = try object(runtime, Runtime.self, "runtime")
    let view = try required(view, "view").pointee
    let pixels = try required(pixels, "pixels")
    let (width, height) = (Int(width), Int(height))
    let row = width * 3
    let stride = stride == 0 ? row : stride
    guard width > 0, height > 0, stride >= row else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "expected at least 1 x 1 pixels in rows of at least \(row) bytes, found \(width) x \(height) in rows of "
          + "\(UInt(bitPattern: stride))")
    }
    let (bytes, overflow) = try product(stride, height - 1, "rows of pixels").addingReportingOverflow(row)
    guard !overflow else { throw ClipError(CLIP_LIMIT, "rows of pixels: \(height) of \(stride) bytes are too large") }
    try requireCapacity(capacity, bytes, "pixels")
    let filter: PreprocessConfig.Resample
    switch resample {
    case CLIP_RESAMPLE_NEAREST: filter = .nearest
    case CLIP_RESAMPLE_BILINEAR: filter = .bilinear
    case CLIP_RESAMPLE_BICUBIC: filter = .bicubic
    case CLIP_RESAMPLE_LANCZOS: filter = .lanczos
    default:
      throw ClipError(CLIP_INVALID_ARGUMENT, "expected a clip_resample from 0 to 3, found \(resample.rawValue)")
    }
    try resize(
      try ImageView(view, maxPixels: runtime.maxImagePixels, place: "view"), over: nil, width: width, height: height,
      resample: filter, window: ResizeWindow(left: 0, top: 0, width: width, height: height), into: pixels,
      stride: stride, kernels: runtime.kernels, scratch: PreprocessScratch())
  }
}
