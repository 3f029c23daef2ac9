import CClip
@_spi(Handles) public import CLIP
import Synchronization

/// What a data set reads, and how.
public struct DatasetOptions: Sendable {
  /// The content and order of batches.
  public struct Flags: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The order of the sources, without shuffling.
    public static let ordered = Flags(rawValue: UInt32(CLIP_DATASET_ORDERED))
    /// An incomplete last batch of an epoch is dropped.
    public static let fullBatches = Flags(rawValue: UInt32(CLIP_DATASET_FULL_BATCHES))
    /// Batches have the images, decoded and augmented.
    public static let images = Flags(rawValue: UInt32(CLIP_DATASET_IMAGES))
    /// Batches have the files of the images as they are stored.
    public static let files = Flags(rawValue: UInt32(CLIP_DATASET_FILES))
    /// Tables may name files outside their own folder.
    public static let pathsOutside = Flags(rawValue: UInt32(CLIP_DATASET_PATHS_OUTSIDE))
    /// Batches have all captions of each pair, not augmented.
    public static let allCaptions = Flags(rawValue: UInt32(CLIP_DATASET_ALL_CAPTIONS))
  }

  public var flags: Flags = []
  /// The seed of the order, the choice of captions and augmentation.
  public var seed: UInt64 = 0
  /// The most samples of a batch.
  public var batchSize = 32
  /// Passes over the data; 0: without end.
  public var epochs = 1
  /// The size of the shuffle buffer in pairs, about 200 bytes each.
  public var shuffleBuffer = 10_000
  /// Threads, 1 to 64.
  public var workers = 1
  /// The most samples that are made ahead; nil: `batchSize`.
  public var prefetch: Int?
  /// This run reads part `index`, from 0, of `count` disjoint parts that make up the whole; nil: all.
  public var shard: Shard?
  /// Names of columns or JSON keys, "txt" for a caption's own file and "cls" for a class file. One is drawn for each
  /// sample. Empty: the usual names (docs/training-data.md).
  public var captionFields: [String] = []
  /// The column or key of an image's path; in archives and folders the ending of the image's name. nil: the usual ones.
  public var imageField: String?
  /// The run stops if more than this share of an epoch's samples, of at least 100, is bad.
  public var maxBadShare = 0.1
  /// The most bytes of an image file.
  public var maxFileBytes = 64 << 20
  /// Cleaning of captions and background of images. Captions are always truncated.
  public var encode = EncodeOptions()
  /// How images are decoded.
  public var image = Image.Options()
  /// The augmentation of images and captions; nil: none.
  public var imagePipeline: Pipeline?
  public var textPipeline: Pipeline?

  public struct Shard: Hashable, Sendable {
    public var index: Int
    public var count: Int

    public init(index: Int, count: Int) {
      self.index = index
      self.count = count
    }
  }

  public init() {}

  fileprivate func value(_ memory: CMemory) throws(CLIPError) -> clip_dataset_options {
    var options = sized(clip_dataset_options(), \.struct_size)
    options.flags = flags.rawValue
    options.seed = seed
    options.batch_size = try number(batchSize, "batchSize")
    options.epochs = try number(epochs, "epochs")
    options.shuffle_buffer = try number(shuffleBuffer, "shuffleBuffer")
    options.workers = try number(workers, "workers")
    options.prefetch = try number(prefetch ?? 0, "prefetch")
    options.shard_index = try number(shard?.index ?? 0, "shard.index")
    options.shard_count = try number(shard?.count ?? 0, "shard.count")
    options.caption_fields = try memory.strings(captionFields, "captionFields")
    options.caption_field_count = try number(captionFields.count, "captionFields")
    options.image_field = try memory.string(imageField, "imageField")
    options.max_bad_share = maxBadShare
    options.max_file_bytes = try number(maxFileBytes, "maxFileBytes")
    options.encode = memory.array([try encode.value(memory)])
    options.image_pipeline = imagePipeline?.handle
    options.text_pipeline = textPipeline?.handle
    options.image = memory.array([try image.value()])
    return options
  }
}

/// Samples of a data set.
public struct DatasetBatch: Sendable {
  /// The number of samples.
  public var count: Int { keys.count }
  /// The epoch, from 0, of all samples of the batch.
  public let epoch: Int
  /// The names of the pairs.
  public let keys: [String]
  public let captions: [String]
  /// [count, 3, imageHeight, imageWidth]; empty without an image tower.
  public let pixels: [Float]
  /// [count, contextLength]; empty without a tokenizer.
  public let tokens: [Int32]
  /// Tokens of each caption, including its end token; empty without a tokenizer.
  public let lengths: [Int]
  /// Empty without `DatasetOptions.Flags.images`.
  public let images: [Image]
  /// Empty without `DatasetOptions.Flags.files`.
  public let files: [[UInt8]]
  /// All captions of each pair, at least one; empty without `DatasetOptions.Flags.allCaptions`.
  public let allCaptions: [[String]]

  fileprivate init(_ batch: clip_batch, _ sizes: ModelInfo?) throws(CLIPError) {
    let count = Int(batch.count)
    epoch = Int(clamping: batch.epoch)
    keys = (0..<count).map { string(batch.keys?[$0]) }
    captions = (0..<count).map { string(batch.captions?[$0]) }
    let (pixelCount, context) = (sizes?.pixelCount ?? 0, sizes?.contextLength ?? 0)
    pixels = Array(UnsafeBufferPointer(start: batch.pixels, count: batch.pixels == nil ? 0 : count * pixelCount))
    tokens = Array(UnsafeBufferPointer(start: batch.tokens, count: batch.tokens == nil ? 0 : count * context))
    lengths = UnsafeBufferPointer(start: batch.lengths, count: batch.lengths == nil ? 0 : count).map { Int($0) }
    var copies: [Image] = []
    if let views = batch.images {
      for index in 0..<count { copies.append(try Image(copying: views[index])) }
    }
    images = copies
    var contents: [[UInt8]] = []
    if let data = batch.files, let sizes = batch.file_sizes {
      for index in 0..<count { contents.append(Array(UnsafeRawBufferPointer(start: data[index], count: sizes[index]))) }
    }
    files = contents
    var lists: [[String]] = []
    if let counts = batch.caption_counts {
      var next = 0
      for index in 0..<count {
        let end = next + Int(counts[index])
        lists.append((next..<end).map { string(batch.all_captions?[$0]) })
        next = end
      }
    }
    allCaptions = lists
  }
}

/// Counts of samples over all epochs.
public struct DatasetCounters: Hashable, Sendable {
  /// Good samples that were given.
  public let samples: Int
  public let withoutImage: Int
  public let withoutCaption: Int
  /// Images that are undecodable or refused by a pipeline.
  public let badImages: Int
  /// Captions that are not UTF-8, and malformed records and JSON.
  public let badTexts: Int
  /// Images and texts beyond a limit.
  public let tooLarge: Int
  /// Shards that are truncated, malformed or missing. The rest of such a shard is skipped in each epoch.
  public let damagedShards: Int
  /// The time that calls for batches waited for the workers.
  public let waitedNanoseconds: Int

  /// Samples that were left out.
  public var bad: Int { withoutImage + withoutCaption + badImages + badTexts + tooLarge }

  fileprivate init(_ counters: clip_dataset_counters) {
    samples = Int(clamping: counters.samples)
    withoutImage = Int(clamping: counters.without_image)
    withoutCaption = Int(clamping: counters.without_caption)
    badImages = Int(clamping: counters.bad_images)
    badTexts = Int(clamping: counters.bad_texts)
    tooLarge = Int(clamping: counters.too_large)
    damagedShards = Int(clamping: counters.damaged_shards)
    waitedNanoseconds = Int(clamping: counters.waited_nanoseconds)
  }
}

/// Pairs of images and captions. Worker threads read them from files in random order, decode, augment and preprocess
/// them ahead of the caller (docs/training-data.md). All calls may be made from any thread.
public final class Dataset: @unchecked Sendable {
  @_spi(Handles) public let handle: OpaquePointer
  private let runtime: Runtime
  private let model: Model?
  private let sizes: ModelInfo?
  /// Held while a batch of C, which is valid until the next call, is copied.
  private let turn = Mutex<Void>(())

  /// Opens WebDataset archives (.tar), tables (.csv, .tsv, .jsonl, .ndjson) and folders. A path may be a pattern:
  /// "shards/{000..127}.tar". Threads start in the first call of `next`.
  ///
  /// - Parameter model: Preprocesses images and tokenizes captions, as it is now; nil: neither.
  public init(
    _ sources: [String], runtime: Runtime, model: Model? = nil, options: DatasetOptions = .init()
  ) throws(CLIPError) {
    let sizes = try model?.describe()
    var out: OpaquePointer?
    try withCMemory { memory throws(CLIPError) in
      var options = try options.value(memory)
      let paths = try memory.strings(sources, "sources")
      try check(clip_dataset_open(runtime.handle, model?.handle, paths, sources.count, &options, &out))
    }
    guard let out else { throw CLIPError(.plugin, "clip_dataset_open returned no data set") }
    handle = out
    self.runtime = runtime
    self.model = model
    self.sizes = sizes
    let now = try model?.describe()
    guard now?.pixelCount == sizes?.pixelCount, now?.contextLength == sizes?.contextLength else {
      throw CLIPError(.mismatch, "the model was swapped to other sizes while the data set was opened")
    }
  }

  deinit { clip_dataset_release(handle) }

  /// The next batch; nil after the last epoch. Waits for the workers. A bad sample is counted, logged and skipped.
  /// After an error every call throws it again, until `restore`.
  public func next() throws(CLIPError) -> DatasetBatch? {
    let result: Result<DatasetBatch?, CLIPError> = turn.withLock { _ in
      do throws(CLIPError) {
        var batch = sized(clip_batch(), \.struct_size)
        try check(clip_dataset_next(handle, &batch))
        return .success(batch.count == 0 ? nil : try DatasetBatch(batch, sizes))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  /// The position in the data after the batches given so far. May be restored on any machine.
  public func state() throws(CLIPError) -> [UInt8] {
    try filled(Int(CLIP_DATASET_STATE_BYTES)) { out, capacity throws(CLIPError) in
      try check(clip_dataset_save(handle, out, capacity))
    }
  }

  /// Continues from a saved position with the batches that would have followed. Sources and options that determine the
  /// order must be the same, or `mismatch` is thrown.
  public func restore(_ state: [UInt8]) throws(CLIPError) {
    try check(turn.withLock { _ in clip_dataset_restore(handle, state, state.count) })
  }

  /// The current counts. May be called while another thread waits for a batch.
  public func counters() throws(CLIPError) -> DatasetCounters {
    var counters = sized(clip_dataset_counters(), \.struct_size)
    try check(clip_dataset_get_counters(handle, &counters))
    return DatasetCounters(counters)
  }
}
