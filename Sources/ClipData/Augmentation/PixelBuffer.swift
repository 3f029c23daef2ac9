import CClip
import CSystem

/// Pixels between steps: a view, and the handle that owns the pixels, nil if they are the caller's.
struct PixelBuffer {
  let view: ImageView
  let handle: ImageHandle?

  init(_ view: ImageView, _ handle: ImageHandle? = nil) {
    self.view = view
    self.handle = handle
  }

  /// An image with uninitialised pixels, and a pointer to write them through.
  static func make(
    _ format: ImageView.Format, width: Int, height: Int, _ runtime: Runtime
  ) throws(ClipError) -> (buffer: PixelBuffer, pixels: UnsafeMutablePointer<UInt8>) {
    let (image, pixels) = try ImageHandle.make(format, width: width, height: height, runtime)
    let view = ImageView(UnsafePointer(pixels), format, width: width, height: height)
    return (PixelBuffer(view, image), pixels)
  }

  /// A copy, and a pointer to its pixels.
  func copied(_ runtime: Runtime) throws(ClipError) -> (buffer: PixelBuffer, pixels: UnsafeMutablePointer<UInt8>) {
    defer { withExtendedLifetime(self) {} }
    let copy = try PixelBuffer.make(view.format, width: view.width, height: view.height, runtime)
    let row = copy.buffer.view.stride
    for y in 0..<view.height {
      let (target, source) = (copy.pixels + y * row, view.pixels + y * view.stride)
      if view.step == view.format.channels {
        memcpy(target, source, row)
      } else {
        for x in 0..<view.width {
          memcpy(target + x * view.format.channels, source + x * view.step, view.format.channels)
        }
      }
    }
    return copy
  }

  /// The image in another format. Gray is repeated in all channels; colour becomes gray by ITU-R 601-2 luma
  /// in Pillow's fixed point; alpha is dropped, or set to 255 if the source has none.
  func converted(to format: ImageView.Format, _ runtime: Runtime) throws(ClipError) -> PixelBuffer {
    if format == view.format { return self }
    defer { withExtendedLifetime(self) {} }
    let (buffer, pixels) = try PixelBuffer.make(format, width: view.width, height: view.height, runtime)
    let (from, to) = (view.format.channelOffsets, format.channelOffsets)
    let (step, stride) = (view.format.channels, format.channels)
    for y in 0..<view.height {
      var source = view.pixels + y * view.stride
      var target = pixels + y * buffer.view.stride
      for _ in 0..<view.width {
        let (red, green, blue) = (source[from.red], source[from.green], source[from.blue])
        if format == .gray {
          let sum = UInt32(red) &* 19595 &+ UInt32(green) &* 38470 &+ UInt32(blue) &* 7471 &+ 0x8000
          target[0] = UInt8(truncatingIfNeeded: sum >> 16)
        } else {
          target[to.red] = red
          target[to.green] = green
          target[to.blue] = blue
          if stride == 4 { target[3] = step == 4 ? source[3] : 255 }
        }
        source += step
        target += stride
      }
    }
    return buffer
  }

  /// The image in RGB, composited over `background` if it has alpha.
  func composited(over background: Colour, _ runtime: Runtime) throws(ClipError) -> PixelBuffer {
    defer { withExtendedLifetime(self) {} }
    let (buffer, pixels) = try PixelBuffer.make(.rgb, width: view.width, height: view.height, runtime)
    let row = try Memory(byteCount: try product(view.width, 4, "a row of pixels"), for: "a row of pixels")
    defer { withExtendedLifetime(row) {} }
    var target = pixels
    for y in 0..<view.height {
      view.copyRow(y, from: 0, to: view.width, over: background, into: row.base)
      for x in 0..<view.width {
        memcpy(target, row.base + x * 4, 3)
        target += 3
      }
    }
    return buffer
  }
}

extension ImageView.Format {
  /// The offsets of red, green and blue in a pixel. Alpha is at offset 3.
  fileprivate var channelOffsets: (red: Int, green: Int, blue: Int) {
    switch self {
    case .rgb, .rgba: (0, 1, 2)
    case .bgr, .bgra: (2, 1, 0)
    case .gray: (0, 0, 0)
    }
  }

  /// The format, of those whose bit (1 << clip_pixel_format) is set in `formats`, that keeps most of this one. 0 allows
  /// every format. nil if no known bit is set.
  func nearest(in formats: UInt32) -> ImageView.Format? {
    let order: [ImageView.Format] =
      switch self {
      case .gray: [.gray, .rgb, .bgr, .rgba, .bgra]
      case .rgb: [.rgb, .bgr, .rgba, .bgra, .gray]
      case .bgr: [.bgr, .rgb, .bgra, .rgba, .gray]
      case .rgba: [.rgba, .bgra, .rgb, .bgr, .gray]
      case .bgra: [.bgra, .rgba, .bgr, .rgb, .gray]
      }
    return formats == 0 ? self : order.first { formats & (1 << $0.c.rawValue) != 0 }
  }
}
