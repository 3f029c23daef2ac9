package import CClip

/// The channels of a pixel, one byte each.
public enum PixelFormat: UInt32, Sendable, CaseIterable {
  case rgb = 1
  /// Alpha is not premultiplied.
  case rgba = 2
  case bgr = 3
  case bgra = 4
  case gray = 5

  /// Bytes of a pixel.
  public var channels: Int {
    switch self {
    case .gray: 1
    case .rgb, .bgr: 3
    case .rgba, .bgra: 4
    }
  }
}

/// An immutable image of 8-bit pixels. May be used from any thread.
public final class Image: @unchecked Sendable {
  public let format: PixelFormat
  /// Pixels of the upright image.
  public var width: Int { Int(isTransposed ? view.height : view.width) }
  public var height: Int { Int(isTransposed ? view.width : view.height) }
  private var isTransposed: Bool { view.orientation >= 5 }
  /// The pixels as stored, and their orientation.
  package let view: clip_image_view
  private let owner: Owner

  private enum Owner {
    case library(OpaquePointer)
    case bytes(UnsafeMutableBufferPointer<UInt8>)
  }

  /// How a file is decoded.
  public struct Options: Sendable {
    /// Whether the orientation in the file is ignored.
    public var asStored: Bool
    /// Whether the decodable part of a damaged file is kept.
    public var lenient: Bool
    /// The pixels that the smaller side needs: a larger image may be decoded at a fraction of its size. 0: full size.
    public var smallerSide: Int

    public init(asStored: Bool = false, lenient: Bool = false, smallerSide: Int = 0) {
      (self.asStored, self.lenient, self.smallerSide) = (asStored, lenient, smallerSide)
    }

    package func value() throws(CLIPError) -> clip_image_options {
      var options = sized(clip_image_options(), \.struct_size)
      options.flags = UInt32((asStored ? CLIP_IMAGE_AS_STORED : 0) | (lenient ? CLIP_IMAGE_LENIENT : 0))
      options.smaller_side = try number(smallerSide, "smallerSide")
      return options
    }
  }

  /// Decodes an image file: JPEG, PNG, WebP, BMP, GIF, TIFF, HEIC, AVIF, JPEG XL, or another format for which a codec
  /// plugin is loaded. The image is upright.
  public convenience init(_ path: String, runtime: Runtime, options: Options = Options()) throws(CLIPError) {
    try self.init(path: path.utf8, runtime: runtime, options: options)
  }

  /// Decodes an image file whose path need not be UTF-8: bytes without NUL.
  public convenience init(
    path: some Collection<UInt8>, runtime: Runtime, options: Options = Options()
  ) throws(CLIPError) {
    var out: OpaquePointer?
    var given = try options.value()
    try withCMemory { memory throws(CLIPError) in
      try check(clip_image_load(runtime.handle, try memory.bytes(path, "path"), &given, &out))
    }
    try self.init(owning: out)
  }

  /// Decodes the bytes of a file.
  public convenience init(decoding bytes: [UInt8], runtime: Runtime, options: Options = Options()) throws(CLIPError) {
    var out: OpaquePointer?
    var given = try options.value()
    try check(clip_image_decode(runtime.handle, bytes, bytes.count, &given, &out))
    try self.init(owning: out)
  }

  /// Pixels in rows from top to bottom, as stored.
  ///
  /// - Parameter stride: Bytes from one row to the next; nil: rows without gaps.
  /// - Parameter orientation: EXIF's, 1 to 8; 6 is upright after a rotation by 90 degrees to the right.
  public init(
    width: Int, height: Int, format: PixelFormat = .rgb, stride: Int? = nil, orientation: Int = 1, bytes: [UInt8]
  ) throws(CLIPError) {
    let row = width.multipliedReportingOverflow(by: format.channels)
    let stride = stride ?? row.partialValue
    let last = (height - 1).multipliedReportingOverflow(by: stride)
    let needed = last.partialValue.addingReportingOverflow(row.partialValue)
    guard (1...8).contains(orientation) else {
      throw CLIPError(.invalidArgument, "orientation: expected 1 to 8, found \(orientation)")
    }
    guard width > 0, height > 0, !row.overflow, !last.overflow, !needed.overflow, stride >= row.partialValue,
      bytes.count >= needed.partialValue
    else {
      throw CLIPError(
        .invalidArgument,
        "expected the bytes of \(height) rows of \(width) \(format) pixels, \(stride) bytes apart, found \(bytes.count)"
      )
    }
    self.format = format
    let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
    _ = copy.initialize(from: bytes)
    owner = .bytes(copy)
    var view = clip_image_view()
    view.format = clip_pixel_format(format.rawValue)
    view.width = try number(width, "width")
    view.height = try number(height, "height")
    view.stride = stride
    view.orientation = UInt32(orientation)
    view.pixels = UnsafePointer(copy.baseAddress)
    self.view = view
  }

  /// Copies pixels.
  package convenience init(copying view: clip_image_view) throws(CLIPError) {
    guard let format = PixelFormat(rawValue: UInt32(view.format.rawValue)) else {
      throw CLIPError(.unsupported, "pixels of the unknown format \(view.format.rawValue)")
    }
    let row = Int(view.width) * format.channels
    let stride = view.stride == 0 ? row : view.stride
    let size = (Int(view.height) - 1) * stride + row
    try self.init(
      width: Int(view.width), height: Int(view.height), format: format, stride: stride,
      orientation: max(1, Int(view.orientation)),
      bytes: Array(UnsafeBufferPointer(start: view.pixels, count: size)))
  }

  /// Takes ownership of a clip_image.
  package init(owning image: OpaquePointer?) throws(CLIPError) {
    guard let image else { throw CLIPError(.plugin, "the library returned no image") }
    owner = .library(image)
    var view = clip_image_view()
    let status = clip_image_get_view(image, &view)
    self.view = view
    format = PixelFormat(rawValue: UInt32(view.format.rawValue)) ?? .rgb
    try check(status)
  }

  deinit {
    switch owner {
    case .library(let image): clip_image_release(image)
    case .bytes(let bytes): bytes.deallocate()
    }
  }

  /// A copy of the upright image's pixels, rows from top to bottom without gaps: [height, width, channels].
  public var bytes: [UInt8] {
    guard let pixels = view.pixels else { return [] }
    let (width, height, channels) = (width, height, format.channels)
    let stride = view.stride == 0 ? Int(view.width) * channels : view.stride
    // EXIF 2.32, 4.6.5.1.7: the sides of the upright image at which the stored first row and first column are.
    let isMirrored = [2, 3, 7, 8].contains(view.orientation)
    let isFlipped = [3, 4, 6, 7].contains(view.orientation)
    let first =
      pixels + (isMirrored ? (Int(view.width) - 1) * channels : 0) + (isFlipped ? (Int(view.height) - 1) * stride : 0)
    let (right, below) = (isMirrored ? -channels : channels, isFlipped ? -stride : stride)
    let (step, next) = isTransposed ? (below, right) : (right, below)
    return [UInt8](unsafeUninitializedCapacity: width * height * channels) { buffer, count in
      guard let target = buffer.baseAddress else { return }
      for y in 0..<height {
        let row = (from: first + y * next, to: target + y * width * channels)
        if step == channels {
          row.to.initialize(from: row.from, count: width * channels)
          continue
        }
        for x in 0..<width { (row.to + x * channels).initialize(from: row.from + x * step, count: channels) }
      }
      count = width * height * channels
    }
  }
}
