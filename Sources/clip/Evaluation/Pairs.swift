
/// Pairs of a data set, embedded.
struct Pairs {
  var keys: [String] = []
  /// One of each pair, or all of the first pair, then of the next.
  var captions: [ByteString] = []
  /// Of each pair, its captions' indices.
  var own: [[Int]] = []
  /// `[keys.count, width]`
  var images: [Float] = []
  /// `[captions.count, width]`, where they are asked for.
  var texts: [Float] = []
  var thumbnails: [Bitmap] = []
  /// How many were bad and left out.
  var skipped = 0

  /// What is kept beside keys, captions and pictures' embeddings.
  struct Parts: OptionSet {
    let rawValue: Int
    static let texts = Parts(rawValue: 1)
    static let thumbnails = Parts(rawValue: 2)
    static let allCaptions = Parts(rawValue: 4)
  }

  struct Source {
    var paths: [ByteString]
    var captionFields: [ByteString]
    /// How many pairs at most, drawn at random by the seed; nil: all, in the order of the sources.
    var limit: Int?
    var seed: UInt64
    var batch: Int
    var workers: Int
    var flags: EncodeFlags
    var keeps: Parts
  }

  /// Bad pairs are told and left out.
  init(_ model: Model, _ source: Source) throws(CLIPError) {
    let data = try Pairs.open(model, source)
    defer { clip_dataset_close(data) }
    let most = source.limit ?? Int.max
    let progress = source.limit.map { ProgressBar("Pairs", total: $0) }
    while keys.count < most {
      var batch = clip_batch()
      batch.struct_size = UInt32(MemoryLayout<clip_batch>.size)
      do {
        try check(clip_dataset_next(data, &batch))
      } catch {
        Console.shared.show("")
        throw error
      }
      let count = min(Int(batch.count), most - keys.count)
      guard count > 0, let pixels = batch.pixels else { break }
      images += try model.encode(pixels: pixels, count: count, flags: [])
      add(batch, count)
      // How many there are is not known before the end.
      if let progress { progress.update(keys.count) } else { Console.shared.show("Pairs  \(keys.count)") }
    }
    Console.shared.show("")
    var counters = clip_dataset_counters()
    counters.struct_size = UInt32(MemoryLayout<clip_dataset_counters>.size)
    try check(clip_dataset_get_counters(data, &counters))
    skipped = counters.bad
    if source.keeps.contains(.texts) {
      texts = try model.embed(texts: captions, batch: source.batch, flags: source.flags)
    }
  }

  private mutating func add(_ batch: clip_batch, _ count: Int) {
    var next = 0
    for index in 0..<count {
      keys.append(string(batch.keys?[index]))
      var all = [ByteString(string(batch.captions?[index]))]
      if let counts = batch.caption_counts {
        let range = next..<(next + Int(counts[index]))
        all = range.map { ByteString(string(batch.all_captions?[$0])) }
        next = range.upperBound
      }
      var seen: Set<ByteString> = []
      all = all.filter { seen.insert($0).inserted }
      own.append(Array(captions.count..<(captions.count + all.count)))
      captions += all
      if let view = batch.images?[index] { thumbnails.append(Bitmap(thumbnail: view, side: 96)) }
    }
  }

  private static func open(_ model: Model, _ source: Source) throws(CLIPError) -> OpaquePointer {
    var encode = source.flags.options
    var options = clip_dataset_options()
    options.struct_size = UInt32(MemoryLayout<clip_dataset_options>.size)
    if source.limit == nil { options.flags |= UInt32(CLIP_DATASET_ORDERED) }
    if source.keeps.contains(.thumbnails) { options.flags |= UInt32(CLIP_DATASET_IMAGES) }
    if source.keeps.contains(.allCaptions) { options.flags |= UInt32(CLIP_DATASET_ALL_CAPTIONS) }
    options.seed = source.seed
    // What is mixed is as much as there can be: every pair is as likely.
    options.shuffle_buffer = 1 << 24
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
    guard let out else { throw CLIPError("clip_dataset_open returned no data set") }
    return out
  }
}
