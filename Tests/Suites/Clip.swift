import CClip
import Foundation
import Support

/// What a call of the library reported.
struct Failure: Error, CustomStringConvertible {
  let status: clip_status
  let message: String
  var description: String { "\(String(cString: clip_status_name(status))): \(message)" }
}

/// Throws what `status` and clip_last_error say, unless all is well.
func check(_ status: clip_status) throws {
  if status != CLIP_OK { throw Failure(status: status, message: String(cString: clip_last_error())) }
}

func size<T>(of type: T.Type) -> UInt32 { UInt32(MemoryLayout<T>.size) }

/// What a runtime says to its log.
final class LogBook: @unchecked Sendable {
  private let lock = NSLock()
  private var kept: [String] = []
  var lines: [String] { lock.withLock { kept } }
  func add(_ line: String) { lock.withLock { kept.append(line) } }
}

final class Runtime: @unchecked Sendable {
  let handle: OpaquePointer
  let log = LogBook()

  init(threads: Int = 1, maxPixels: Int = 0, kernels: String? = nil, plugins: [String] = []) throws {
    var options = clip_runtime_options()
    options.struct_size = size(of: clip_runtime_options.self)
    options.threads = UInt32(threads)
    options.max_image_pixels = UInt64(maxPixels)
    // The runtime lives at most as long as this does, unless a model outlives both: none logs then.
    options.log_user = Unmanaged.passUnretained(log).toOpaque()
    options.log = { user, _, message in
      guard let user, let message else { return }
      Unmanaged<LogBook>.fromOpaque(user).takeUnretainedValue().add(String(cString: message))
    }
    var handle: OpaquePointer?
    let status = withOptionalCString(kernels) { name in
      options.kernels = name
      // One string at least, since there must be a pointer to take.
      return withCStrings(plugins + [""]) { paths in
        options.plugin_paths = paths
        options.plugin_path_count = plugins.count
        return clip_runtime_create(&options, &handle)
      }
    }
    try check(status)
    guard let handle else { throw SupportError("clip_runtime_create gave no runtime") }
    self.handle = handle
  }

  deinit { clip_runtime_release(handle) }

  func plugins() throws -> [clip_plugin_info] {
    try (0..<clip_plugin_count(handle)).map { index in
      var info = clip_plugin_info()
      info.struct_size = size(of: clip_plugin_info.self)
      try check(clip_plugin_at(handle, index, &info))
      return info
    }
  }

  func load(_ url: URL) throws -> Picture {
    var image: OpaquePointer?
    try check(clip_image_load(handle, url.path, &image))
    return try Picture(owned: image)
  }

  func decode(_ data: Data) throws -> Picture {
    var image: OpaquePointer?
    try check(data.withUnsafeBytes { clip_image_decode(handle, $0.baseAddress, $0.count, &image) })
    return try Picture(owned: image)
  }
}

func withOptionalCString<R>(_ string: String?, _ body: (UnsafePointer<CChar>?) -> R) -> R {
  guard let string else { return body(nil) }
  return string.withCString(body)
}

/// Pixels, and whoever owns them.
final class Picture {
  private(set) var view = clip_image_view()
  private let image: OpaquePointer?
  private let pixels: UnsafeMutableBufferPointer<UInt8>?

  init(owned image: OpaquePointer?) throws {
    guard let image else { throw SupportError("a call that succeeded gave no image") }
    self.image = image
    pixels = nil
    view.struct_size = size(of: clip_image_view.self)
    try check(clip_image_get_view(image, &view))
  }

  /// `bytes` holds at least `stride` (or a dense row) times `height`.
  init(_ format: clip_pixel_format, width: Int, height: Int, stride: Int = 0, bytes: [UInt8]) {
    image = nil
    let pixels = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
    _ = pixels.initialize(from: bytes)
    self.pixels = pixels
    view.struct_size = size(of: clip_image_view.self)
    view.format = format
    view.width = UInt32(width)
    view.height = UInt32(height)
    view.stride = stride
    view.pixels = UnsafePointer(pixels.baseAddress)
  }

  deinit {
    clip_image_free(image)
    pixels?.deallocate()
  }

  var width: Int { Int(view.width) }
  var height: Int { Int(view.height) }
  var channels: Int {
    switch view.format {
    case CLIP_PIXELS_GRAY: 1
    case CLIP_PIXELS_RGBA, CLIP_PIXELS_BGRA: 4
    default: 3
    }
  }

  /// The pixels without gaps between rows.
  var bytes: [UInt8] {
    let row = width * channels
    let stride = view.stride == 0 ? row : view.stride
    return (0..<height).flatMap { y in Array(UnsafeBufferPointer(start: view.pixels + y * stride, count: row)) }
  }
}

final class Model: @unchecked Sendable {
  let handle: OpaquePointer
  let runtime: Runtime
  private(set) var info: clip_model_info

  init(
    _ folder: URL, runtime: Runtime? = nil, towers: UInt32 = 0, storage: clip_storage = CLIP_STORAGE_F32,
    allowExtra: Bool = false, flags: UInt32 = 0
  ) throws {
    let runtime = try runtime ?? Runtime()
    var options = clip_model_options()
    options.struct_size = size(of: clip_model_options.self)
    options.towers = towers
    options.storage = storage
    options.flags = flags | (allowExtra ? UInt32(CLIP_OPEN_ALLOW_EXTRA_TENSORS) : 0)
    var handle: OpaquePointer?
    try check(clip_model_open(runtime.handle, folder.path, &options, &handle))
    guard let handle else { throw SupportError("clip_model_open gave no model") }
    var info = clip_model_info()
    info.struct_size = size(of: clip_model_info.self)
    try check(clip_model_describe(handle, &info))
    self.handle = handle
    self.runtime = runtime
    self.info = info
  }

  deinit { clip_model_close(handle) }

  /// Swaps towers, 0 for all, and asks for the facts again.
  func swap(_ towers: Int, to folder: URL?, storage: clip_storage? = nil) throws {
    var options = clip_model_options()
    options.struct_size = size(of: clip_model_options.self)
    options.storage = storage ?? CLIP_STORAGE_F32
    try check(
      withOptionalCString(folder?.path) { folder in
        storage == nil
          ? clip_model_swap(handle, UInt32(towers), folder, nil)
          : clip_model_swap(handle, UInt32(towers), folder, &options)
      })
    try check(clip_model_describe(handle, &info))
  }

  var width: Int { Int(info.embedding_width) }
  var imageNumbers: Int { 3 * Int(info.image_width) * Int(info.image_height) }
  var context: Int { Int(info.context_length) }

  static func options(_ flags: UInt32, background: (UInt8, UInt8, UInt8) = (0, 0, 0)) -> clip_encode_options {
    var options = clip_encode_options()
    options.struct_size = size(of: clip_encode_options.self)
    options.flags = flags
    options.background = (background.0, background.1, background.2, 0)
    return options
  }

  /// The options, with the sizes that the model told last.
  private func sized(_ flags: UInt32, background: (UInt8, UInt8, UInt8) = (0, 0, 0)) -> clip_encode_options {
    var options = Self.options(flags, background: background)
    options.image_width = info.image_width
    options.image_height = info.image_height
    options.context_length = info.context_length
    return options
  }

  func encode(pixels: [Float], flags: UInt32 = 0) throws -> [Float] {
    let n = pixels.count / imageNumbers
    var options = sized(flags)
    var embeddings = [Float](repeating: .nan, count: n * width)
    try check(clip_encode_pixels(handle, pixels, n, &options, &embeddings))
    return embeddings
  }

  func encode(tokens: [Int32], flags: UInt32 = 0) throws -> [Float] {
    let n = tokens.count / context
    var options = sized(flags)
    var embeddings = [Float](repeating: .nan, count: n * width)
    try check(clip_encode_tokens(handle, tokens, n, &options, &embeddings))
    return embeddings
  }

  func encode(texts: [String], flags: UInt32 = 0) throws -> [Float] {
    var options = Self.options(flags)
    var embeddings = [Float](repeating: .nan, count: texts.count * width)
    try check(withCStrings(texts) { clip_encode_text(handle, $0, texts.count, &options, &embeddings) })
    return embeddings
  }

  func encode(images: [Picture], flags: UInt32 = 0, background: (UInt8, UInt8, UInt8) = (0, 0, 0)) throws -> [Float] {
    var options = Self.options(flags, background: background)
    var embeddings = [Float](repeating: .nan, count: images.count * width)
    try withExtendedLifetime(images) {
      try check(clip_encode_image(handle, images.map(\.view), images.count, &options, &embeddings))
    }
    return embeddings
  }

  func preprocess(_ images: [Picture], flags: UInt32 = 0, background: (UInt8, UInt8, UInt8) = (0, 0, 0)) throws
    -> [Float]
  {
    var options = sized(flags, background: background)
    var pixels = [Float](repeating: .nan, count: images.count * imageNumbers)
    try withExtendedLifetime(images) {
      try check(clip_preprocess(handle, images.map(\.view), images.count, &options, &pixels))
    }
    return pixels
  }

  /// Each text's ids, without padding.
  func tokenize(_ texts: [String], flags: UInt32 = 0) throws -> [[Int32]] {
    var options = sized(flags)
    var tokens = [Int32](repeating: -1, count: texts.count * context)
    var lengths = [UInt32](repeating: 0, count: texts.count)
    try check(withCStrings(texts) { clip_tokenize(handle, $0, texts.count, &options, &tokens, &lengths) })
    return texts.indices.map { Array(tokens[$0 * context..<$0 * context + Int(lengths[$0])]) }
  }

  /// Whole rows of ids, with padding, one text after another.
  func rows(_ texts: [String], flags: UInt32 = 0) throws -> [Int32] {
    var options = Self.options(flags)
    var tokens = [Int32](repeating: -1, count: texts.count * context)
    try check(withCStrings(texts) { clip_tokenize(handle, $0, texts.count, &options, &tokens, nil) })
    return tokens
  }

  func similarity(_ images: [Float], _ texts: [Float]) throws -> [Float] {
    var logits = [Float](repeating: .nan, count: images.count / width * (texts.count / width))
    try check(clip_similarity(handle, images, images.count / width, texts, texts.count / width, &logits))
    return logits
  }

  func classify(_ images: [Float], _ texts: [Float]) throws -> [Float] {
    var probabilities = [Float](repeating: .nan, count: images.count / width * (texts.count / width))
    try check(clip_classify(handle, images, images.count / width, texts, texts.count / width, &probabilities))
    return probabilities
  }
}

/// `strings` as C has them, for the time of `body`.
func withCStrings<R>(_ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> R) -> R {
  let copies = UnsafeMutablePointer<UnsafePointer<CChar>?>.allocate(capacity: max(1, strings.count))
  for (index, string) in strings.enumerated() { copies[index] = UnsafePointer(strdup(string)) }
  defer {
    for index in strings.indices { free(UnsafeMutablePointer(mutating: copies[index])) }
    copies.deallocate()
  }
  return body(copies)
}
