import CClip
import CSystem

/// A decoded and resized image, or why there is none.
enum LoadedImage {
  /// [height, width, 3] bytes in the model's size, before normalisation.
  case pixels(Memory)
  case failed(ClipError)
}

/// The files of a call, decoded and resized in order.
final class ImageFiles: ItemSource {
  private let files: UnsafePointer<clip_image_file>
  private let count: Int
  private let runtime: Runtime
  private let model: Model
  private let decoding: clip_image_options
  private let encoding: clip_encode_options
  private var drawn = 0

  private static var largest: UInt64 { 1 << 30 }

  /// `files` must be valid until the workers have ended.
  init(
    _ files: UnsafePointer<clip_image_file>, _ count: Int, _ runtime: Runtime, _ model: Model,
    _ decoding: clip_image_options, _ encoding: clip_encode_options
  ) {
    self.files = files
    self.count = count
    self.runtime = runtime
    self.model = model
    self.decoding = decoding
    self.encoding = encoding
  }

  /// An index of `files`; `count` after the last.
  func next() -> Int {
    defer { drawn = min(drawn + 1, count) }
    return drawn
  }

  func make(_ index: Int) -> LoadedImage {
    guard index < count else { return .failed(ClipError(CLIP_NOT_FOUND, "there is no image \(index)")) }
    do throws(ClipError) { return .pixels(try load(files[index])) } catch { return .failed(error) }
  }

  func stop() {}

  private func load(_ file: clip_image_file) throws(ClipError) -> Memory {
    let path = Name(cString: try required(file.path, "files[].path"))
    let (bytes, size) = try read(file, path)
    let pixels = try Memory(byteCount: model.pixelCount, for: "a preprocessed image")
    do throws(ClipError) {
      let image = try ImageHandle.decode(UnsafeRawBufferPointer(start: bytes.base, count: size), runtime, decoding)
      var (view, encoding) = (image.view, encoding)
      try call(clip_preprocess_bytes(model.handle, &view, 1, &encoding, pixels.bytes, model.pixelCount))
      withExtendedLifetime((image, bytes)) {}
    } catch {
      throw ClipError(error.status, ImageFiles.message(error, path), isResourceFailure: error.isResourceFailure)
    }
    return pixels
  }

  private func read(_ file: clip_image_file, _ path: Name) throws(ClipError) -> (Memory, Int) {
    let reader = try FileReader(path.string)
    let rest = UInt64(reader.size) > file.offset ? UInt64(reader.size) - file.offset : 0
    let size = file.size == 0 ? rest : file.size
    guard size <= ImageFiles.largest, let offset = Int(exactly: file.offset) else {
      throw ClipError(CLIP_LIMIT, "\(path.string): expected at most \(ImageFiles.largest) bytes, found \(size)")
    }
    guard size > 0 else { throw ClipError(CLIP_FORMAT, path.string + ": expected an image file, found no bytes") }
    return (try reader.read(Extent(offset: offset, size: Int(size)), for: "an image file"), Int(size))
  }

  /// Replaces the core's name of its argument by the file's path.
  private static func message(_ error: ClipError, _ path: Name) -> String {
    let text = Name(error.message)
    for argument in ["image: ", "images[0]: "] as [Name] where text.hasPrefix(argument) {
      return path.string + ": " + Name(utf8: Array(text.utf8[argument.utf8.count...])).string
    }
    return path.string + ": " + error.message
  }
}
