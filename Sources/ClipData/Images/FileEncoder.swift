import CClip

/// The checked clip_encode_files_options.
struct FileOptions {
  let batchSize: Int
  let workers: Int
  let decoding: clip_image_options
  let encoding: clip_encode_options
  let progress: clip_progress

  init(_ given: clip_encode_files_options, _ runtime: Runtime, _ model: Model) throws(ClipError) {
    try requireFlags(given.flags, CLIP_FILES_SHRINK, "CLIP_FILES_")
    batchSize = try FileOptions.count(given.batch_size, 4096, "options.batch_size", default: 32)
    workers = try FileOptions.count(given.workers, 256, "options.workers", default: runtime.threads)
    var decoding = try decodingOptions(given.image)
    if decoding.smaller_side == 0, given.flags & UInt32(CLIP_FILES_SHRINK) != 0 {
      decoding.smaller_side = UInt32(clamping: model.resizedSide / 2 * 3)
    }
    self.decoding = decoding
    encoding = try encodingOptions(given.encode)
    progress = given.progress
  }

  private static func count(
    _ given: UInt32, _ most: Int, _ what: StaticString, default usual: Int
  ) throws(ClipError) -> Int {
    guard given <= most else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "\(what): expected up to \(most), found \(given)")
    }
    return given == 0 ? usual : Int(given)
  }
}

/// Embeds the images of files in batches, while workers decode and resize those of the next batch.
struct FileEncoder {
  let model: Model
  let runtime: Runtime
  let options: FileOptions
  let receive: clip_encoded_fn
  let user: UnsafeMutableRawPointer?

  func run(_ files: UnsafePointer<clip_image_file>, _ count: Int) throws(ClipError) {
    let batchSize = min(options.batchSize, count)
    let workers = min(options.workers, count)
    let progress = Progress(options.progress, total: count)
    let bytes = try Memory(byteCount: try product(batchSize, model.pixelCount, "pixels"), for: "preprocessed images")
    let pixels = try Memory(
      floats: try product(batchSize, model.pixelCount, "pixels"), for: "preprocessed images")
    let embeddings = try Memory(floats: try product(batchSize, model.embeddingWidth, "embeddings"), for: "embeddings")
    let source = ImageFiles(files, count, runtime, model, options.decoding, options.encoding)
    let queue = try OrderedQueue(source, capacity: max(batchSize, workers))
    let threads = try Workers(queue, count: workers)
    defer { withExtendedLifetime(threads) {} }

    var failures: [ClipError?] = []
    try failures.reserve(batchSize, for: "a batch")
    var first = 0
    while first < count {
      let size = min(batchSize, count - first)
      failures.removeAll(keepingCapacity: true)
      var good = 0
      for index in 0..<size {
        switch queue.next() {
        case .pixels(let image):
          (bytes.base + good * model.pixelCount).copyMemory(from: image.base, byteCount: model.pixelCount)
          good += 1
          failures.append(nil)
        case .failed(let error):
          if error.status == CLIP_OUT_OF_MEMORY { throw error }
          failures.append(error)
        }
        try progress.report(first + (index + 1) / 2)
      }
      if good > 0 { try encode(good, bytes, pixels, embeddings) }
      try give(first, failures, embeddings)
      first += size
      try progress.report(first)
    }
  }

  private func encode(_ count: Int, _ bytes: Memory, _ pixels: Memory, _ embeddings: Memory) throws(ClipError) {
    var encoding = options.encoding
    let failures = Failures()
    try runtime.run(count) { index in
      let status = clip_normalize_bytes(
        model.handle, bytes.bytes + index * model.pixelCount, 1, nil, pixels.floats + index * model.pixelCount,
        model.pixelCount)
      do throws(ClipError) { try call(status) } catch { failures.record(error, index) }
    }
    try failures.throwFirst()
    try call(
      clip_encode_pixels(
        model.handle, pixels.floats, count, &encoding, embeddings.floats, count * model.embeddingWidth))
  }

  /// Passes a batch to the receiver. `first` is the index of its first image; `embeddings` has a row for each image
  /// without a failure.
  private func give(_ first: Int, _ failures: [ClipError?], _ embeddings: Memory) throws(ClipError) {
    var row = 0
    for (index, failure) in failures.enumerated() {
      let answer: Int32
      if let failure {
        answer = failure.message.withCString { receive(user, first + index, nil, failure.status, $0) }
      } else {
        answer = receive(
          user, first + index, embeddings.floats + row * model.embeddingWidth, CLIP_OK, StaticString("").cString)
        row += 1
      }
      guard answer == 0 else {
        throw ClipError(CLIP_CANCELLED, "cancelled by the receiver of image \(first + index)")
      }
    }
  }
}
