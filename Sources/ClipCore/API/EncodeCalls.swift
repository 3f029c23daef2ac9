import CClip

/// Checks the arguments that all batch calls share, then runs `body` on the current model, which a swap during the call
/// does not change. `buffers` are the sizes of the model that the caller's buffers depend on.
private func batch(
  _ model: OpaquePointer?, _ n: Int, _ options: UnsafePointer<clip_encode_options>?, buffers: InputSizes.Kind? = nil,
  _ body: (Model, EncodeOptions) throws(ClipError) -> Void
) -> clip_status {
  reporting { () throws(ClipError) in
    let open = try object(model, OpenModel.self, "model")
    let model = open.current
    try requirePositive(n, "n")
    // No caller's buffer is larger than memory, whatever n is.
    let widest = max(model.embeddingWidth, model.image?.preprocess.floats ?? 0, model.text?.contextLength ?? 0)
    _ = try product(n, widest * 4, "n")
    let options = try EncodeOptions(try ClipCore.options(options, clip_encode_options(), "options"))
    if let buffers { try model.inputSizes.check(buffers, said: options.sizes, opened: open.opened) }
    try body(model, options)
  }
}

@c @implementation
public func clip_preprocess(
  _ model: OpaquePointer?, _ images: UnsafePointer<clip_image_view>?, _ n: Int,
  _ options: UnsafePointer<clip_encode_options>?, _ pixels: UnsafeMutablePointer<Float>?, _ capacity: Int
) -> clip_status {
  batch(model, n, options, buffers: .pixels) { model, options throws(ClipError) in
    let images = try required(images, "images")
    let pixels = try buffer(pixels, capacity, for: n, of: try model.imageSide().preprocess.floats, "pixels")
    try model.preprocess(images: images, n, options, into: pixels)
  }
}

@c @implementation
public func clip_tokenize(
  _ model: OpaquePointer?, _ texts: UnsafePointer<UnsafePointer<CChar>?>?, _ n: Int,
  _ options: UnsafePointer<clip_encode_options>?, _ tokens: UnsafeMutablePointer<Int32>?, _ capacity: Int,
  _ lengths: UnsafeMutablePointer<UInt32>?, _ lengthsCapacity: Int
) -> clip_status {
  batch(model, n, options, buffers: .tokens) { model, options throws(ClipError) in
    let texts = try required(texts, "texts")
    let tokens = try buffer(tokens, capacity, for: n, of: try model.textSide().contextLength, "tokens")
    if lengths != nil { try requireCapacity(lengthsCapacity, n, "lengths") }
    try model.tokenize(texts, n, options, into: tokens, lengths: lengths)
  }
}

@c @implementation
public func clip_encode_image(
  _ model: OpaquePointer?, _ images: UnsafePointer<clip_image_view>?, _ n: Int,
  _ options: UnsafePointer<clip_encode_options>?, _ embeddings: UnsafeMutablePointer<Float>?, _ capacity: Int
) -> clip_status {
  batch(model, n, options) { model, options throws(ClipError) in
    let images = try required(images, "images")
    let embeddings = try buffer(embeddings, capacity, for: n, of: model.embeddingWidth, "embeddings")
    try model.encode(images: images, n, options, into: embeddings)
  }
}

@c @implementation
public func clip_encode_pixels(
  _ model: OpaquePointer?, _ pixels: UnsafePointer<Float>?, _ n: Int,
  _ options: UnsafePointer<clip_encode_options>?, _ embeddings: UnsafeMutablePointer<Float>?, _ capacity: Int
) -> clip_status {
  batch(model, n, options, buffers: .pixels) { model, options throws(ClipError) in
    let pixels = try required(pixels, "pixels")
    let embeddings = try buffer(embeddings, capacity, for: n, of: model.embeddingWidth, "embeddings")
    try model.encode(pixels: pixels, n, options, into: embeddings)
  }
}

@c @implementation
public func clip_encode_text(
  _ model: OpaquePointer?, _ texts: UnsafePointer<UnsafePointer<CChar>?>?, _ n: Int,
  _ options: UnsafePointer<clip_encode_options>?, _ embeddings: UnsafeMutablePointer<Float>?, _ capacity: Int
) -> clip_status {
  batch(model, n, options) { model, options throws(ClipError) in
    let texts = try required(texts, "texts")
    let embeddings = try buffer(embeddings, capacity, for: n, of: model.embeddingWidth, "embeddings")
    try model.encode(texts: texts, n, options, into: embeddings)
  }
}

@c @implementation
public func clip_encode_tokens(
  _ model: OpaquePointer?, _ tokens: UnsafePointer<Int32>?, _ n: Int,
  _ options: UnsafePointer<clip_encode_options>?, _ embeddings: UnsafeMutablePointer<Float>?, _ capacity: Int
) -> clip_status {
  batch(model, n, options, buffers: .tokens) { model, options throws(ClipError) in
    let tokens = try required(tokens, "tokens")
    let embeddings = try buffer(embeddings, capacity, for: n, of: model.embeddingWidth, "embeddings")
    try model.encode(tokens: tokens, n, options, into: embeddings)
  }
}

@c @implementation
public func clip_preprocess_bytes(
  _ model: OpaquePointer?, _ images: UnsafePointer<clip_image_view>?, _ n: Int,
  _ options: UnsafePointer<clip_encode_options>?, _ bytes: UnsafeMutablePointer<UInt8>?, _ capacity: Int
) -> clip_status {
  batch(model, n, options, buffers: .pixels) { model, options throws(ClipError) in
    let images = try required(images, "images")
    let bytes = try buffer(bytes, capacity, for: n, of: try model.imageSide().preprocess.floats, "bytes")
    try model.preprocessBytes(images: images, n, options, into: bytes)
  }
}

@c @implementation
public func clip_normalize_bytes(
  _ model: OpaquePointer?, _ bytes: UnsafePointer<UInt8>?, _ n: Int, _ options: UnsafePointer<clip_encode_options>?,
  _ pixels: UnsafeMutablePointer<Float>?, _ capacity: Int
) -> clip_status {
  batch(model, n, options, buffers: .pixels) { model, _ throws(ClipError) in
    let bytes = try required(bytes, "bytes")
    let config = try model.imageSide().preprocess
    let pixels = try buffer(pixels, capacity, for: n, of: config.floats, "pixels")
    for index in 0..<n { normalizePixels(bytes + index * config.floats, config, into: pixels + index * config.floats) }
  }
}
