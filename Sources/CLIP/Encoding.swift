package import CClip

/// Red, green and blue.
public struct Color: Hashable, Sendable {
  public var red: UInt8
  public var green: UInt8
  public var blue: UInt8

  public init(red: UInt8, green: UInt8, blue: UInt8) {
    (self.red, self.green, self.blue) = (red, green, blue)
  }

  public static let white = Color(red: 255, green: 255, blue: 255)
}

/// How images and texts are prepared and embedded. A call ignores options that do not concern it.
public struct EncodeOptions: Sendable {
  /// Whether embeddings are not scaled to unit length.
  public var raw: Bool
  /// Whether a text that is too long is truncated, keeping its end token. Otherwise it is `limit`.
  public var truncate: Bool
  /// Whether CLIP's tokenizer cleans texts as OpenAI's Python instead of Hugging Face's.
  public var openAICleaning: Bool
  /// The color under transparent pixels; nil drops alpha.
  public var background: Color?
  /// The sizes for which pixels and tokens were made; nil: those that the model was opened with.
  public var sizes: ModelInfo?
  /// The name of one of the model's prompts, which is put before each text. "": none; nil: the model's default.
  public var prompt: String?
  /// Progress of encoding, in items.
  public var progress: ProgressHandler?

  public init(
    raw: Bool = false, truncate: Bool = false, openAICleaning: Bool = false, background: Color? = nil,
    sizes: ModelInfo? = nil, prompt: String? = nil, progress: ProgressHandler? = nil
  ) {
    self.raw = raw
    self.truncate = truncate
    self.openAICleaning = openAICleaning
    self.background = background
    self.sizes = sizes
    self.prompt = prompt
    self.progress = progress
  }

  package func value(_ memory: CMemory) throws(CLIPError) -> clip_encode_options {
    var options = sized(clip_encode_options(), \.struct_size)
    if raw { options.flags |= UInt32(CLIP_ENCODE_RAW) }
    if truncate { options.flags |= UInt32(CLIP_ENCODE_TRUNCATE) }
    if openAICleaning { options.flags |= UInt32(CLIP_ENCODE_OPENAI_CLEANING) }
    if let background {
      options.flags |= UInt32(CLIP_ENCODE_COMPOSITE_ALPHA)
      options.background = UInt32(background.red) << 16 | UInt32(background.green) << 8 | UInt32(background.blue)
    }
    if let sizes {
      options.image_width = UInt32(clamping: sizes.imageWidth)
      options.image_height = UInt32(clamping: sizes.imageHeight)
      options.context_length = UInt32(clamping: sizes.contextLength)
    }
    options.progress = memory.progress(progress)
    options.prompt = try memory.string(prompt, "prompt")
    return options
  }
}

/// Embeddings are rows of `info.embeddingWidth` elements, one for each item, in one array. An item's result does not
/// depend on the other items of the call.
extension Model {
  /// Embeds images: [images.count, embeddingWidth].
  public func encode(images: [Image], options: EncodeOptions = .init()) throws(CLIPError) -> [Float] {
    try call(options) { options throws(CLIPError) in
      try embeddings(images.count) { out, capacity in
        withExtendedLifetime(images) {
          clip_encode_image(handle, images.map(\.view), images.count, options, out, capacity)
        }
      }
    }
  }

  /// Embeds texts: [texts.count, embeddingWidth].
  public func encode(texts: [String], options: EncodeOptions = .init()) throws(CLIPError) -> [Float] {
    try withTexts(texts, options) { pointers, options throws(CLIPError) in
      try embeddings(texts.count) { clip_encode_text(handle, pointers, texts.count, options, $0, $1) }
    }
  }

  /// Embeds preprocessed images, [n, 3, imageHeight, imageWidth]: [n, embeddingWidth].
  public func encode(pixels: [Float], options: EncodeOptions = .init()) throws(CLIPError) -> [Float] {
    let n = try rows(pixels.count, (options.sizes ?? info).pixelCount, "pixels")
    return try call(options) { options throws(CLIPError) in
      try embeddings(n) { clip_encode_pixels(handle, pixels, n, options, $0, $1) }
    }
  }

  /// Embeds tokenized texts, [n, contextLength]: [n, embeddingWidth].
  public func encode(tokens: [Int32], options: EncodeOptions = .init()) throws(CLIPError) -> [Float] {
    let n = try rows(tokens.count, (options.sizes ?? info).contextLength, "tokens")
    return try call(options) { options throws(CLIPError) in
      try embeddings(n) { clip_encode_tokens(handle, tokens, n, options, $0, $1) }
    }
  }

  /// Resizes, crops and normalises images as the model's files define: [images.count, 3, imageHeight, imageWidth],
  /// channels in the order red, green, blue.
  public func preprocess(_ images: [Image], options: EncodeOptions = .init()) throws(CLIPError) -> [Float] {
    let count = images.count * (options.sizes ?? info).pixelCount
    return try call(options) { options throws(CLIPError) in
      try filled(count) { out, capacity throws(CLIPError) in
        let status = withExtendedLifetime(images) {
          clip_preprocess(handle, images.map(\.view), images.count, options, out, capacity)
        }
        try check(status)
      }
    }
  }

  /// The tokens of texts, [texts.count, contextLength]. A row has a start token (none in SigLIP), the text, an end
  /// token and padding.
  public func tokenRows(_ texts: [String], options: EncodeOptions = .init()) throws(CLIPError) -> [Int32] {
    let count = texts.count * (options.sizes ?? info).contextLength
    return try withTexts(texts, options) { pointers, options throws(CLIPError) in
      try filled(count) { out, capacity throws(CLIPError) in
        try check(clip_tokenize(handle, pointers, texts.count, options, out, capacity, nil, 0))
      }
    }
  }

  /// The tokens of each text up to and including its end token.
  public func tokenize(_ texts: [String], options: EncodeOptions = .init()) throws(CLIPError) -> [[Int32]] {
    let context = (options.sizes ?? info).contextLength
    var lengths = [UInt32](repeating: 0, count: texts.count)
    let tokens: [Int32] = try withTexts(texts, options) { pointers, options throws(CLIPError) in
      try filled(texts.count * context) { out, capacity throws(CLIPError) in
        let lengthCount = lengths.count
        try check(clip_tokenize(handle, pointers, texts.count, options, out, capacity, &lengths, lengthCount))
      }
    }
    return texts.indices.map { Array(tokens[$0 * context..<$0 * context + Int(lengths[$0])]) }
  }

  /// logitScale · cosine + logitBias of every image with every text, from embeddings of unit length: [n, m].
  public func similarity(images: [Float], texts: [Float]) throws(CLIPError) -> [Float] {
    let n = try rows(images.count, info.embeddingWidth, "images")
    let m = try rows(texts.count, info.embeddingWidth, "texts")
    return try filled(n * m) { out, capacity throws(CLIPError) in
      try check(clip_similarity(handle, images, n, texts, m, out, capacity))
    }
  }

  /// Probabilities of m texts for each of n images, from embeddings of unit length: [n, m]. A softmax of the logits
  /// over the texts; for a model with a logit bias, the sigmoid of each logit.
  public func classify(images: [Float], texts: [Float]) throws(CLIPError) -> [Float] {
    let n = try rows(images.count, info.embeddingWidth, "images")
    let m = try rows(texts.count, info.embeddingWidth, "texts")
    return try filled(n * m) { out, capacity throws(CLIPError) in
      try check(clip_classify(handle, images, n, texts, m, out, capacity))
    }
  }

  private func call<Result>(
    _ options: EncodeOptions, _ body: (UnsafePointer<clip_encode_options>) throws(CLIPError) -> Result
  ) throws(CLIPError) -> Result {
    try withCMemory { memory throws(CLIPError) in
      let options = memory.array([try options.value(memory)])
      guard let options else { throw CLIPError(.outOfMemory, "options") }
      return try body(options)
    }
  }

  private func withTexts<Result>(
    _ texts: [String], _ options: EncodeOptions,
    _ body: (UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<clip_encode_options>) throws(CLIPError) -> Result
  ) throws(CLIPError) -> Result {
    try call(options) { options throws(CLIPError) in
      try withCMemory { memory throws(CLIPError) in try body(try memory.strings(texts, "texts"), options) }
    }
  }

  private func embeddings(
    _ n: Int, _ encode: (UnsafeMutablePointer<Float>?, Int) -> clip_status
  ) throws(CLIPError) -> [Float] {
    try filled(n * info.embeddingWidth) { out, capacity throws(CLIPError) in try check(encode(out, capacity)) }
  }

  /// The number of rows of `count` elements. Throws if the last row is incomplete.
  func rows(_ count: Int, _ width: Int, _ name: String) throws(CLIPError) -> Int {
    guard width > 0 else { throw CLIPError(.unsupported, "\(name): the model has no such tower open") }
    guard count % width == 0 else {
      throw CLIPError(.invalidArgument, "\(name): expected rows of \(width) elements, found \(count) elements")
    }
    return count / width
  }
}
