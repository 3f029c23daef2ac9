import CClip
import CGIF
import CSystem
import ClipPluginKit

/// GIF 87a and 89a by giflib: the canvas after the first frame. Pixels outside the frame are transparent.

func recognises(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
  guard let data, size >= 13 else { return 0 }
  return memcmp(data, "GIF87a", 6) == 0 || memcmp(data, "GIF89a", 6) == 0 ? 1 : 0
}

func readHeader(_ data: UnsafeBufferPointer<UInt8>, _ request: DecodeRequest) throws(PluginFailure) -> ImageHeader {
  try withFrame(data) { frame throws(PluginFailure) in frame.header }
}

func decode(_ data: UnsafeBufferPointer<UInt8>, _ target: DecodeTarget) throws(PluginFailure) {
  try withFrame(data) { frame throws(PluginFailure) in
    try target.check(frame.header)
    try frame.decode(target)
  }
}

private func withFrame<Result>(
  _ data: UnsafeBufferPointer<UInt8>, _ body: (Frame) throws(PluginFailure) -> Result
) throws(PluginFailure) -> Result {
  var source = ByteSource(data)
  return try withUnsafeMutablePointer(to: &source) { source throws(PluginFailure) in
    var code: Int32 = 0
    let file = DGifOpen(
      source,
      { file, bytes, count in
        guard let bytes, let source = file?.pointee.UserData?.assumingMemoryBound(to: ByteSource.self) else { return 0 }
        return Int32(source.pointee.read(Int(count), into: bytes))
      }, &code)
    guard let file else { throw Frame.failure(code) }
    defer { DGifCloseFile(file, nil) }
    return try body(try Frame(file))
  }
}

/// An open file, read up to the pixels of its first frame.
private struct Frame {
  private let file: UnsafeMutablePointer<GifFileType>
  /// The palette entry that is transparent; -1: none.
  private let transparent: Int32
  let header: ImageHeader

  init(_ file: UnsafeMutablePointer<GifFileType>) throws(PluginFailure) {
    self.file = file
    transparent = try Frame.seekFrame(file)
    let (width, height) = (Int(file.pointee.SWidth), Int(file.pointee.SHeight))
    let frame = file.pointee.Image
    let covers = frame.Left <= 0 && frame.Top <= 0 && Int(frame.Width) >= width && Int(frame.Height) >= height
    header = ImageHeader(
      width: width, height: height, format: transparent >= 0 || !covers ? CLIP_PIXELS_RGBA : CLIP_PIXELS_RGB)
  }

  /// Reads records up to the first frame's description and returns the transparent entry.
  private static func seekFrame(_ file: UnsafeMutablePointer<GifFileType>) throws(PluginFailure) -> Int32 {
    var transparent: Int32 = -1
    for _ in 0..<100_000 {
      var type = UNDEFINED_RECORD_TYPE
      guard DGifGetRecordType(file, &type) == GIF_OK else { throw failure(file.pointee.Error) }
      switch type {
      case EXTENSION_RECORD_TYPE:
        var code: Int32 = 0
        var block: UnsafeMutablePointer<UInt8>?
        guard DGifGetExtension(file, &code, &block) == GIF_OK else { throw failure(file.pointee.Error) }
        while let bytes = block {
          if code == Int32(GRAPHICS_EXT_FUNC_CODE), bytes[0] >= 4 {
            transparent = bytes[1] & 1 != 0 ? Int32(bytes[4]) : -1
          }
          guard DGifGetExtensionNext(file, &block) == GIF_OK else { throw failure(file.pointee.Error) }
        }
      case IMAGE_DESC_RECORD_TYPE:
        guard DGifGetImageDesc(file) == GIF_OK else { throw failure(file.pointee.Error) }
        guard file.pointee.SWidth > 0, file.pointee.SHeight > 0, file.pointee.Image.Width > 0,
          file.pointee.Image.Height > 0
        else { throw PluginFailure(CLIP_FORMAT, "expected sides from 1, found an empty frame") }
        return transparent
      default: throw PluginFailure(CLIP_FORMAT, "expected a frame, found the end")
      }
    }
    throw PluginFailure(CLIP_LIMIT, "more than 100000 records before the first frame")
  }

  func decode(_ target: DecodeTarget) throws(PluginFailure) {
    let frame = file.pointee.Image
    guard let colours = frame.ColorMap ?? file.pointee.SColorMap else {
      throw PluginFailure(CLIP_FORMAT, "expected a palette, found none")
    }
    let (width, height) = (Int(frame.Width), Int(frame.Height))
    let most = max(4 * header.width * header.height, 1 << 22)
    guard width * height <= most else {
      throw PluginFailure(CLIP_LIMIT, "expected a frame of at most \(most) pixels, found \(width) x \(height)")
    }
    target.clear()
    guard let line = malloc(width)?.assumingMemoryBound(to: UInt8.self) else {
      throw PluginFailure(CLIP_OUT_OF_MEMORY, "no memory for a row of \(width) pixels")
    }
    defer { free(line) }
    // Of an interlaced frame every eighth row comes first (GIF 89a, appendix E).
    let passes: [(first: Int, step: Int)] = frame.Interlace ? [(0, 8), (4, 8), (2, 4), (1, 2)] : [(0, 1)]
    for pass in passes {
      var y = pass.first
      while y < height {
        guard DGifGetLine(file, line, frame.Width) == GIF_OK else {
          if target.request.isLenient { return }
          throw Frame.failure(file.pointee.Error)
        }
        write(line, width, Int(frame.Left), Int(frame.Top) + y, colours, target)
        y += pass.step
      }
    }
  }

  private func write(
    _ line: UnsafePointer<UInt8>, _ count: Int, _ left: Int, _ y: Int, _ colours: UnsafePointer<ColorMapObject>,
    _ target: DecodeTarget
  ) {
    guard (0..<header.height).contains(y) else { return }
    for x in 0..<count where left + x < header.width && left + x >= 0 {
      guard Int32(line[x]) != transparent, Int32(line[x]) < colours.pointee.ColorCount else { continue }
      let colour = colours.pointee.Colors[Int(line[x])]
      let pixel = target.pixels + y * target.stride + (left + x) * header.channels
      (pixel[0], pixel[1], pixel[2]) = (colour.Red, colour.Green, colour.Blue)
      if header.channels == 4 { pixel[3] = 255 }
    }
  }

  static func failure(_ code: Int32) -> PluginFailure {
    let message = GifErrorString(code).map { String(cString: $0) } ?? "malformed"
    return PluginFailure(code == D_GIF_ERR_NOT_ENOUGH_MEM ? CLIP_OUT_OF_MEMORY : CLIP_FORMAT, message)
  }
}
