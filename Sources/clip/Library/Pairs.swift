import CClip

/// Pairs of a data set, embedded, with a thumbnail of each picture.
struct Pairs {
  var keys: [String] = []
  var captions: [ByteString] = []
  /// `[keys.count, width]`
  var images: [Float] = []
  var texts: [Float] = []
  var thumbnails: [Bitmap] = []
  /// How many were bad and left out.
  var skipped = 0

  struct Source {
    var paths: [ByteString]
    var captionFields: [ByteString]
    var limit: Int
    var batch: Int
    var workers: Int
    var overWhite: Bool
    var flags: EncodeFlags
  }

  /// Reads the first `limit` pairs in the order of the sources. Bad ones are told and left out.
  init(_ model: Model, _ source: Source) throws(Failure) {
    let data = try Pairs.open(model, source)
    defer { clip_dataset_close(data) }
    let progress = ProgressBar("Pairs", total: source.limit)
    defer { progress.finish() }
    while keys.count < source.limit {
      var batch = clip_batch()
      batch.struct_size = UInt32(MemoryLayout<clip_batch>.size)
      try check(clip_dataset_next(data, &batch))
      let count = min(Int(batch.count), source.limit - keys.count)
      guard count > 0, let pixels = batch.pixels, let tokens = batch.tokens else { break }
      images += try model.encode(pixels: pixels, count: count, flags: [])
      texts += try model.encode(tokens: tokens, count: count, flags: [])
      for index in 0..<count {
        keys.append(string(batch.keys?[index]))
        captions.append(ByteString(string(batch.captions?[index])))
        if let view = batch.images?[index] { thumbnails.append(Bitmap(thumbnail: view, side: 96)) }
      }
      progress.update(keys.count)
    }
    var counters = clip_dataset_counters()
    counters.struct_size = UInt32(MemoryLayout<clip_dataset_counters>.size)
    try check(clip_dataset_get_counters(data, &counters))
    let bad = [
      counters.without_image, counters.without_caption, counters.bad_images, counters.bad_texts, counters.too_large,
    ]
    skipped = Int(clamping: bad.reduce(0, +))
    guard keys.count >= 2 else { throw Failure("\(counted(keys.count, "pair")) to analyze: expected at least 2") }
  }

  private static func open(_ model: Model, _ source: Source) throws(Failure) -> OpaquePointer {
    var encode = source.flags.options
    if source.overWhite {
      encode.flags |= UInt32(CLIP_COMPOSITE_ALPHA)
      encode.background = (255, 255, 255, 0)
    }
    var options = clip_dataset_options()
    options.struct_size = UInt32(MemoryLayout<clip_dataset_options>.size)
    options.flags = UInt32(CLIP_DATASET_ORDERED) | UInt32(CLIP_DATASET_IMAGES)
    options.epochs = 1
    options.batch_size = UInt32(source.batch)
    options.workers = UInt32(min(source.workers, 64))
    options.caption_field_count = UInt32(source.captionFields.count)
    var out: OpaquePointer?
    let status = withUnsafePointer(to: &encode) { encode in
      withCStrings(source.captionFields) { fields in
        options.encode = encode
        options.caption_fields = fields
        return withCStrings(source.paths) {
          clip_dataset_open(model.runtime.handle, model.handle, $0, source.paths.count, &options, &out)
        }
      }
    }
    try check(status)
    guard let out else { throw Failure("clip_dataset_open returned no data set") }
    return out
  }
}
