import CClip

/// Which towers of a model a command needs.
struct Towers: OptionSet {
  let rawValue: UInt32
  static let image = Towers(rawValue: UInt32(CLIP_TOWER_IMAGE))
  static let text = Towers(rawValue: UInt32(CLIP_TOWER_TEXT))
}

/// Flags of an encode call, `CLIP_RAW_FEATURES` and the others.
struct EncodeFlags: OptionSet, Sendable {
  let rawValue: UInt32
  static let rawFeatures = EncodeFlags(rawValue: UInt32(CLIP_RAW_FEATURES))
  static let truncate = EncodeFlags(rawValue: UInt32(CLIP_TRUNCATE))
  static let openAICleaning = EncodeFlags(rawValue: UInt32(CLIP_OPENAI_CLEANING))

  var options: clip_encode_options {
    var options = clip_encode_options()
    options.struct_size = UInt32(MemoryLayout<clip_encode_options>.size)
    options.flags = rawValue
    return options
  }
}

/// An open `clip_model`. Every call may be made from any thread.
final class Model: @unchecked Sendable {
  let runtime: Runtime
  let info: clip_model_info
  let handle: OpaquePointer

  /// `flags` are CLIP_OPEN_* bits.
  init(
    _ runtime: Runtime, folder: ByteString, towers: Towers, storage: clip_storage = CLIP_STORAGE_F32, flags: Int32 = 0
  ) throws(Failure) {
    var options = clip_model_options()
    options.struct_size = UInt32(MemoryLayout<clip_model_options>.size)
    options.towers = towers.rawValue
    options.storage = storage
    options.flags = UInt32(flags)
    var out: OpaquePointer?
    try check(folder.withCString { clip_model_open(runtime.handle, $0, &options, &out) })
    guard let out else { throw Failure("clip_model_open returned no model") }
    var info = clip_model_info()
    let described = Model.describe(out, &info)
    self.runtime = runtime
    self.info = info
    handle = out
    try check(described)
  }

  deinit {
    clip_model_close(handle)
  }

  private static func describe(_ handle: OpaquePointer, _ info: inout clip_model_info) -> clip_status {
    info.struct_size = UInt32(MemoryLayout<clip_model_info>.size)
    return clip_model_describe(handle, &info)
  }

  /// As it is now, where `info` is as it was opened.
  func logitScale() throws(Failure) -> Float {
    var info = clip_model_info()
    try check(Model.describe(handle, &info))
    return info.logit_scale
  }

  /// Numbers in one embedding.
  var width: Int { Int(info.embedding_width) }

  /// Numbers in one preprocessed picture: 3 · height · width.
  var pixelCount: Int { 3 * Int(info.image_width) * Int(info.image_height) }

  /// Decodes one picture and writes its `pixelCount` numbers to `pixels`.
  func load(_ path: ByteString, into pixels: UnsafeMutablePointer<Float>) throws(Failure) {
    var image: OpaquePointer?
    try check(path.withCString { clip_image_load(runtime.handle, $0, &image) })
    defer { clip_image_free(image) }
    var view = clip_image_view()
    view.struct_size = UInt32(MemoryLayout<clip_image_view>.size)
    try check(clip_image_get_view(image, &view))
    try check(clip_preprocess(handle, &view, 1, nil, pixels))
  }

  /// Embeds `count` preprocessed pictures: `[count, width]` numbers.
  func encode(pixels: UnsafePointer<Float>, count: Int, flags: EncodeFlags) throws(Failure) -> [Float] {
    var options = flags.options
    return try floats(count * width) { clip_encode_pixels(handle, pixels, count, &options, $0) }
  }

  /// Embeds `count` rows of `context_length` tokens: `[count, width]` numbers.
  func encode(tokens: UnsafePointer<Int32>, count: Int, flags: EncodeFlags) throws(Failure) -> [Float] {
    var options = flags.options
    return try floats(count * width) { clip_encode_tokens(handle, tokens, count, &options, $0) }
  }

  /// Embeds decoded pictures: `[images.count, width]` numbers.
  func encode(images: [clip_image_view], options: clip_encode_options) throws(Failure) -> [Float] {
    var options = options
    return try floats(images.count * width) { clip_encode_image(handle, images, images.count, &options, $0) }
  }

  /// Embeds texts of C: `[texts.count, width]` numbers.
  func encode(texts: [UnsafePointer<CChar>?], options: clip_encode_options) throws(Failure) -> [Float] {
    var options = options
    return try floats(texts.count * width) { clip_encode_text(handle, texts, texts.count, &options, $0) }
  }

  /// Embeds texts: `[texts.count, width]` numbers.
  func encode(texts: [ByteString], flags: EncodeFlags) throws(Failure) -> [Float] {
    var options = flags.options
    return try floats(texts.count * width) { out in
      withCStrings(texts) { clip_encode_text(handle, $0, texts.count, &options, out) }
    }
  }

  /// The tokens of one text up to and including its end token.
  func tokenize(_ text: ByteString, flags: EncodeFlags) throws(Failure) -> [Int32] {
    var options = flags.options
    var tokens = [Int32](repeating: 0, count: Int(info.context_length))
    var length: UInt32 = 0
    try check(withCStrings([text]) { clip_tokenize(handle, $0, 1, &options, &tokens, &length) })
    return Array(tokens.prefix(Int(length)))
  }

  /// Probabilities `[images, texts]` from unit-length embeddings.
  func classify(images: [Float], texts: [Float]) throws(Failure) -> [Float] {
    let n = images.count / width
    let m = texts.count / width
    return try floats(n * m) { clip_classify(handle, images, n, texts, m, $0) }
  }

  private func floats(
    _ count: Int, _ fill: (UnsafeMutablePointer<Float>?) -> clip_status
  ) throws(Failure) -> [Float] {
    var status = CLIP_OK
    let values = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      buffer.initialize(repeating: 0)
      status = fill(buffer.baseAddress)
      initialized = count
    }
    try check(status)
    return values
  }
}
