import CClip

/// The batch that a caller sees. Its buffers are reused for the next batch.
final class SampleBatch {
  private let model: Model?
  private let options: DatasetOptions
  private var samples: [Sample] = []
  private var pixels = GrowingBuffer()
  private var tokens = GrowingBuffer()
  private var lengths = GrowingBuffer()
  private var keys = GrowingBuffer()
  private var captions = GrowingBuffer()
  private var images = GrowingBuffer()
  private var files = GrowingBuffer()
  private var fileSizes = GrowingBuffer()
  private var allCaptions = GrowingBuffer()
  private var captionCounts = GrowingBuffer()

  init(_ options: DatasetOptions, _ model: Model?) {
    self.options = options
    self.model = model
  }

  func fill(_ samples: [Sample], epoch: Int) throws(ClipError) -> clip_batch {
    self.samples = samples
    var batch = clip_batch()
    batch.count = UInt32(clamping: samples.count)
    batch.epoch = UInt64(epoch)
    guard !samples.isEmpty else { return batch }
    batch.keys = UnsafePointer(try list(&keys) { sample -> UnsafePointer<CChar>? in sample.key.pointer })
    batch.captions = UnsafePointer(try list(&captions) { sample -> UnsafePointer<CChar>? in sample.caption.pointer })
    if let model, model.pixelCount > 0 { batch.pixels = UnsafePointer(try fillPixels(model)) }
    if let model, model.contextLength > 0 {
      batch.tokens = UnsafePointer(try fillTokens(model.contextLength))
      batch.lengths = UnsafePointer(try list(&lengths) { $0.tokenCount })
    }
    if options.keepsImages { batch.images = UnsafePointer(try list(&images) { $0.image?.view ?? clip_image_view() }) }
    if options.keepsFiles {
      batch.files = UnsafePointer(
        try list(&files) { sample -> UnsafeRawPointer? in sample.file.map { UnsafeRawPointer($0.memory.base) } })
      batch.file_sizes = UnsafePointer(try list(&fileSizes) { $0.file?.size ?? 0 })
    }
    if options.keepsCaptions {
      batch.all_captions = UnsafePointer(try fillCaptions())
      batch.caption_counts = UnsafePointer(try list(&captionCounts) { UInt32(clamping: $0.captions.count) })
    }
    return batch
  }

  private func fillCaptions() throws(ClipError) -> UnsafeMutablePointer<UnsafePointer<CChar>?> {
    let count = samples.reduce(0) { $0 + $1.captions.count }
    let size = MemoryLayout<UnsafePointer<CChar>?>.stride
    let pointers = try allCaptions.reserve(try product(count, size, "a batch"), for: "a batch")
      .bindMemory(to: UnsafePointer<CChar>?.self, capacity: count)
    var next = pointers
    for sample in samples {
      for caption in sample.captions {
        next.initialize(to: caption.pointer)
        next += 1
      }
    }
    return pointers
  }

  /// One value of each sample.
  private func list<Value>(_ buffer: inout GrowingBuffer, _ value: (Sample) -> Value) throws(ClipError)
    -> UnsafeMutablePointer<Value>
  {
    let bytes = try product(options.batchSize, MemoryLayout<Value>.stride, "a batch")
    let values = try buffer.reserve(bytes, for: "a batch").bindMemory(to: Value.self, capacity: options.batchSize)
    for (index, sample) in samples.enumerated() { (values + index).initialize(to: value(sample)) }
    return values
  }

  private func fillPixels(_ model: Model) throws(ClipError) -> UnsafeMutablePointer<Float> {
    let bytes = try product(try product(options.batchSize, model.pixelCount, "a batch's pixels"), 4, "a batch's pixels")
    let floats = try pixels.reserve(bytes, for: "a batch's pixels").assumingMemoryBound(to: Float.self)
    for (index, sample) in samples.enumerated() {
      guard let bytes = sample.pixels else { continue }
      let target = floats + index * model.pixelCount
      try call(clip_normalize_bytes(model.handle, bytes.bytes, 1, nil, target, model.pixelCount))
      sample.pixels = nil
    }
    return floats
  }

  private func fillTokens(_ contextLength: Int) throws(ClipError) -> UnsafeMutablePointer<Int32> {
    let bytes = try product(try product(options.batchSize, contextLength, "a batch's tokens"), 4, "a batch's tokens")
    let ids = try tokens.reserve(bytes, for: "a batch's tokens").assumingMemoryBound(to: Int32.self)
    for (index, sample) in samples.enumerated() {
      for (column, token) in sample.tokens.enumerated() { ids[index * contextLength + column] = token }
    }
    return ids
  }
}
