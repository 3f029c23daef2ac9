import CClip

/// A `clip_dataset`.
final class Dataset {
  private let handle: OpaquePointer

  struct Settings {
    var batchSize: Int
    /// 0: without end.
    var epochs: Int
    var flags: Int32 = 0
    var seed: UInt64
    /// With the run's pipelines, and the part of the sources that is the run's.
    var isTraining = true
  }

  /// Without a model, pairs have keys and captions alone.
  init(
    _ runtime: Runtime, _ model: Model?, _ source: TrainingConfig.Source, _ config: TrainingConfig, _ settings: Settings
  )
    throws(Failure)
  {
    let strings = CStrings()
    let isVaried = settings.isTraining && model != nil
    let images = isVaried ? try Dataset.pipeline(runtime, config.imagePipeline, "image_pipeline") : nil
    let texts = isVaried ? try Dataset.pipeline(runtime, config.textPipeline, "text_pipeline") : nil
    let shard = settings.isTraining ? config.shard : nil
    var encoding = config.encoding
    var options = clip_dataset_options()
    options.struct_size = UInt32(MemoryLayout<clip_dataset_options>.size)
    options.flags = UInt32(settings.flags)
    options.seed = settings.seed
    options.batch_size = UInt32(settings.batchSize)
    options.epochs = UInt32(settings.epochs)
    options.shuffle_buffer = UInt32(config.shuffleBuffer)
    options.workers = UInt32(config.workers)
    // One batch while a step computes; for small ones some more, as not every picture takes the same time.
    options.prefetch = UInt32(max(settings.batchSize, 64))
    options.shard_index = UInt32(shard?.index ?? 0)
    options.shard_count = UInt32(shard?.count ?? 0)
    options.image_field = strings.pointer(source.imageField)
    options.max_bad_share = config.maxBadShare
    options.image_pipeline = images?.handle
    options.text_pipeline = texts?.handle
    let fields = source.captionFields.map { strings.pointer($0) }
    let paths = source.paths.map { strings.pointer($0) }
    var out: OpaquePointer?
    let status = withUnsafePointer(to: &encoding) { encoding in
      fields.withUnsafeBufferPointer { fields in
        options.encode = encoding
        options.caption_fields = fields.baseAddress
        options.caption_field_count = UInt32(fields.count)
        return clip_dataset_open(runtime.handle, model?.handle, paths, paths.count, &options, &out)
      }
    }
    withExtendedLifetime((strings, images, texts)) {}
    try check(status)
    guard let out else { throw Failure("clip_dataset_open returned no data set") }
    handle = out
  }

  deinit { clip_dataset_release(handle) }

  private static func pipeline(_ runtime: Runtime, _ json: ByteString?, _ key: String) throws(Failure)
    -> AugmentationPipeline?
  {
    guard let json else { return nil }
    do {
      return try AugmentationPipeline(runtime, json: json)
    } catch {
      throw Failure("\(key): \(error.message)", status: error.status)
    }
  }

  /// The next batch, valid until the following call; nil when all epochs are over.
  func next() throws(Failure) -> clip_batch? {
    var batch = clip_batch()
    batch.struct_size = UInt32(MemoryLayout<clip_batch>.size)
    try check(clip_dataset_next(handle, &batch))
    return batch.count > 0 ? batch : nil
  }

  /// Where it is, after the batches given so far.
  func state() throws(Failure) -> [UInt8] {
    var state = [UInt8](repeating: 0, count: Int(CLIP_DATASET_STATE_BYTES))
    try check(clip_dataset_save(handle, &state))
    return state
  }

  func restore(_ state: [UInt8]) throws(Failure) { try check(clip_dataset_restore(handle, state, state.count)) }

  func counters() throws(Failure) -> clip_dataset_counters {
    var counters = clip_dataset_counters()
    counters.struct_size = UInt32(MemoryLayout<clip_dataset_counters>.size)
    try check(clip_dataset_get_counters(handle, &counters))
    return counters
  }
}

extension clip_dataset_counters {
  var bad: Int { Int(clamping: [without_image, without_caption, bad_images, bad_texts, too_large].reduce(0, +)) }
}
