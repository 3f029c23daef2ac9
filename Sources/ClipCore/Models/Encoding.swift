import CClip
import CSystem

/// clip_encode_options, checked.
struct EncodeOptions {
  let rawFeatures: Bool
  let truncate: Bool
  /// Whether texts are cleaned as by OpenAI; otherwise as the tokenizer's files define.
  let openAICleaning: Bool
  /// The background under transparent pixels; nil drops alpha.
  let background: Colour?
  /// The sizes that the caller's pixels and tokens were made for; 0 if not given.
  let sizes: InputSizes
  /// The name of the prompt before each text; nil: the model's default.
  let prompt: Name?
  private var callback: clip_progress

  init(_ options: clip_encode_options) throws(ClipError) {
    let flags = Int(options.flags)
    try requireFlags(
      options.flags,
      CLIP_ENCODE_RAW | CLIP_ENCODE_TRUNCATE | CLIP_ENCODE_OPENAI_CLEANING | CLIP_ENCODE_COMPOSITE_ALPHA, "CLIP_ENCODE_"
    )
    rawFeatures = flags & CLIP_ENCODE_RAW != 0
    truncate = flags & CLIP_ENCODE_TRUNCATE != 0
    openAICleaning = flags & CLIP_ENCODE_OPENAI_CLEANING != 0
    let under = try colour(rgb: options.background)
    background = flags & CLIP_ENCODE_COMPOSITE_ALPHA != 0 ? under : nil
    sizes = InputSizes(
      imageWidth: Int(options.image_width), imageHeight: Int(options.image_height),
      contextLength: Int(options.context_length))
    prompt = options.prompt.map { Name(cString: $0) }
    callback = options.progress
  }

  func progress(total: Int) -> Progress { Progress(callback, total: total) }

  /// The same options without progress, for a part of a call.
  var withoutProgress: EncodeOptions {
    var options = self
    options.callback = clip_progress()
    return options
  }
}

extension Model {
  /// The most rows of activations, and elements of one value, computed at a time. A larger batch is divided, which does
  /// not change results.
  private static var rowsAtATime: Int { 4096 }
  private static var floatsAtATime: Int { 1 << 24 }
  /// Images preprocessed, or texts tokenized, between two reports of progress.
  private static var itemsBetweenReports: Int { 64 }

  /// The number of items of `tower` computed at a time; a text has `contextLength` tokens.
  private func itemsAtATime(_ tower: Tower, contextLength: Int = 0) -> Int {
    var items = Model.rowsAtATime
    for node in tower.program.nodes {
      var rows = 1
      switch node.shape.rows {
      case .one: break
      case .fixed(let count): rows = count
      case .tokens: rows = max(1, contextLength)
      }
      if node.shape.grid == nil { items = min(items, Model.rowsAtATime / rows) }
      items = min(items, Model.floatsAtATime / (rows * node.shape.width))
    }
    return max(1, items)
  }

  func encode(
    pixels: UnsafePointer<Float>, _ n: Int, _ options: EncodeOptions, into embeddings: UnsafeMutablePointer<Float>
  )
    throws(ClipError)
  {
    let side = try imageSide()
    let size = side.preprocess.floats
    try inChunks(n, itemsAtATime(side.tower), options.progress(total: n)) { first, count throws(ClipError) in
      let output = embeddings + first * embeddingWidth
      try encode(pixels: pixels + first * size, count, side, options, into: output)
    }
  }

  /// Encodes images that are computed at a time.
  private func encode(
    pixels: UnsafePointer<Float>, _ count: Int, _ side: ImageSide, _ options: EncodeOptions,
    into embeddings: UnsafeMutablePointer<Float>
  ) throws(ClipError) {
    try side.tower.program.run(pixels: pixels, items: count, threads: runtime.threads, into: embeddings)
    if !options.rawFeatures { normalize(embeddings, count) }
  }

  func encode(
    images: UnsafePointer<clip_image_view>, _ n: Int, _ options: EncodeOptions,
    into embeddings: UnsafeMutablePointer<Float>
  )
    throws(ClipError)
  {
    let side = try imageSide()
    let size = side.preprocess.floats
    let scratch = imageScratch.take() ?? ImageScratch()
    defer { imageScratch.give(scratch) }
    try inChunks(n, itemsAtATime(side.tower), options.progress(total: n)) { first, count throws(ClipError) in
      let bytes = try product(try product(count, size, "pixels"), 4, "pixels")
      let pixels = try scratch.pixels.reserve(bytes, for: "preprocessed images").assumingMemoryBound(to: Float.self)
      try preprocess(images: images + first, count, firstIndex: first, options, scratch, into: pixels)
      try encode(pixels: pixels, count, side, options, into: embeddings + first * embeddingWidth)
    }
  }

  /// Preprocesses n images: [n, 3, height, width].
  func preprocess(
    images: UnsafePointer<clip_image_view>, _ n: Int, _ options: EncodeOptions, into pixels: UnsafeMutablePointer<Float>
  ) throws(ClipError) {
    let scratch = imageScratch.take() ?? ImageScratch()
    defer { imageScratch.give(scratch) }
    let size = try imageSide().preprocess.floats
    let progress = options.progress(total: n)
    try inChunks(n, progress.isWanted ? Model.itemsBetweenReports : n, progress) { first, count throws(ClipError) in
      try preprocess(
        images: images + first, count, firstIndex: first, options, scratch, into: pixels + first * size)
    }
  }

  /// Resizes and crops images for the tower, without normalisation: [n, height, width, 3] bytes.
  func preprocessBytes(
    images: UnsafePointer<clip_image_view>, _ n: Int, _ options: EncodeOptions, into bytes: UnsafeMutablePointer<UInt8>
  ) throws(ClipError) {
    let config = try imageSide().preprocess
    let scratch = imageScratch.take() ?? ImageScratch()
    defer { imageScratch.give(scratch) }
    scratch.reserve(pieces: 1)
    for index in 0..<n {
      do throws(ClipError) {
        let view = try ImageView(images[index], maxPixels: runtime.maxImagePixels)
        try ClipCore.preprocessBytes(
          view, config, background: options.background, into: bytes + index * config.floats, kernels: runtime.kernels,
          scratch: scratch.pieces[0])
      } catch {
        throw error.at("images[\(index)]")
      }
    }
  }

  /// Preprocesses on the runtime's threads with the given scratch. Messages number images from `firstIndex`.
  private func preprocess(
    images: UnsafePointer<clip_image_view>, _ n: Int, firstIndex: Int, _ options: EncodeOptions,
    _ scratch: ImageScratch,
    into pixels: UnsafeMutablePointer<Float>
  ) throws(ClipError) {
    let config = try imageSide().preprocess
    let pieces = max(1, min(n, runtime.threads.width))
    scratch.reserve(pieces: pieces)
    let work = PreprocessWork(
      config: config, kernels: runtime.kernels, maxPixels: runtime.maxImagePixels, scratch: scratch, images: images,
      count: n, firstIndex: firstIndex, options: options, pixels: pixels,
      pieces: pieces)
    runtime.threads.run(pieces, work)
    try scratch.failures.throwFirst()
  }

  func encode(
    tokens: UnsafePointer<Int32>, _ n: Int, _ options: EncodeOptions, into embeddings: UnsafeMutablePointer<Float>
  )
    throws(ClipError)
  {
    let side = try textSide()
    let contextLength = side.contextLength
    let size = itemsAtATime(side.tower, contextLength: contextLength)
    try inChunks(n, size, options.progress(total: n)) { first, count throws(ClipError) in
      let output = embeddings + first * embeddingWidth
      try side.tower.program.run(
        tokens: tokens + first * contextLength, items: count, firstIndex: first, threads: runtime.threads, into: output)
      if !options.rawFeatures { normalize(output, count) }
    }
  }

  func encode(
    texts: UnsafePointer<UnsafePointer<CChar>?>, _ n: Int, _ options: EncodeOptions,
    into embeddings: UnsafeMutablePointer<Float>
  ) throws(ClipError) {
    let side = try textSide()
    let scratch = textScratch.take() ?? TextScratch()
    defer { textScratch.give(scratch) }
    let ids = try scratch.tokens.reserve(try product(n, side.contextLength * 4, "tokens"), for: "tokens")
      .assumingMemoryBound(to: Int32.self)
    try tokenize(texts, n, options.withoutProgress, into: ids, lengths: nil)
    try encode(tokens: ids, n, options, into: embeddings)
  }

  /// tokens: [n, context length]; lengths: [n] or nil.
  func tokenize(
    _ texts: UnsafePointer<UnsafePointer<CChar>?>, _ n: Int, _ options: EncodeOptions,
    into tokens: UnsafeMutablePointer<Int32>,
    lengths: UnsafeMutablePointer<UInt32>?
  ) throws(ClipError) {
    let side = try textSide()
    let contextLength = side.contextLength
    guard let tokenizer = side.tokenizer else {
      throw ClipError(CLIP_UNSUPPORTED, "model: its config says that it has no tokenizer")
    }
    let scratch = textScratch.take() ?? TextScratch()
    defer { textScratch.give(scratch) }
    let prompt = try side.prompts.text(options.prompt)
    let progress = options.progress(total: n)
    for index in 0..<n {
      if index % Model.itemsBetweenReports == 0 { try progress.report(index) }
      guard let text = texts[index] else {
        throw ClipError(CLIP_INVALID_ARGUMENT, "texts[\(index)]: expected a string, found a null pointer")
      }
      let bytes = try scratch.prefixed(UnsafeRawBufferPointer(start: text, count: strlen(text)), by: prompt)
      do throws(ClipError) {
        let length = try tokenizer.encodeRow(
          bytes, truncate: options.truncate, openAICleaning: options.openAICleaning,
          into: tokens + index * contextLength)
        lengths?[index] = UInt32(clamping: length)
      } catch {
        throw error.at("texts[\(index)]")
      }
    }
    try progress.report(n)
  }

  private func normalize(_ rows: UnsafeMutablePointer<Float>, _ count: Int) {
    runtime.kernels.table.pointee.normalize(rows, rows, count, embeddingWidth)
  }

  private func inChunks(
    _ n: Int, _ size: Int, _ progress: Progress, _ body: (_ first: Int, _ count: Int) throws(ClipError) -> Void
  ) throws(ClipError) {
    var first = 0
    while first < n {
      try progress.report(first)
      let count = min(size, n - first)
      try body(first, count)
      first += count
    }
    try progress.report(n)
  }
}

/// Preprocesses images on several threads.
private struct PreprocessWork: Work {
  let config: PreprocessConfig
  let kernels: Kernels
  let maxPixels: Int
  let scratch: ImageScratch
  let images: UnsafePointer<clip_image_view>
  let count: Int
  let firstIndex: Int
  let options: EncodeOptions
  let pixels: UnsafeMutablePointer<Float>
  let pieces: Int

  func part(_ piece: Int) {
    for index in count.share(piece, of: pieces) {
      do throws(ClipError) {
        try preprocess(index, scratch.pieces[piece])
      } catch {
        scratch.failures.record(error.at("images[\(firstIndex + index)]"), index)
      }
    }
  }

  private func preprocess(_ index: Int, _ scratch: PreprocessScratch) throws(ClipError) {
    let view = try ImageView(images[index], maxPixels: maxPixels)
    try ClipCore.preprocess(
      view, config, background: options.background, into: pixels + index * config.floats, kernels: kernels,
      scratch: scratch)
  }
}
