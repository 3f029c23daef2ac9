import CClip

/// clip_dataset_options, checked, with defaults instead of zeros.
struct DatasetOptions {
  let isOrdered: Bool
  let wantsFullBatches: Bool
  let keepsImages: Bool
  let keepsFiles: Bool
  let keepsCaptions: Bool
  let allowsPathsOutside: Bool
  let seed: UInt64
  let batchSize: Int
  /// 0: without end.
  let epochs: Int
  let shuffleBuffer: Int
  /// This run reads part `part` of `parts`.
  let part: Int
  let parts: Int
  let workers: Int
  /// The number of samples made before the caller asks for them.
  let prefetch: Int
  let maxBadShare: Double
  let maxFileBytes: Int
  let fields: FieldNames
  /// The name endings of images in folders and archives.
  let imageEndings: [Name]
  let decoding: clip_image_options
  let encoding: clip_encode_options
  /// The background under transparent pixels; nil drops alpha.
  let background: Colour?
  let imagePipeline: Pipeline?
  let textPipeline: Pipeline?

  init(_ given: clip_dataset_options, _ runtime: Runtime) throws(ClipError) {
    try requireFlags(
      given.flags,
      CLIP_DATASET_ORDERED | CLIP_DATASET_FULL_BATCHES | CLIP_DATASET_IMAGES | CLIP_DATASET_FILES
        | CLIP_DATASET_PATHS_OUTSIDE | CLIP_DATASET_ALL_CAPTIONS, "CLIP_DATASET_")
    let flags = Int(given.flags)
    isOrdered = flags & CLIP_DATASET_ORDERED != 0
    wantsFullBatches = flags & CLIP_DATASET_FULL_BATCHES != 0
    keepsImages = flags & CLIP_DATASET_IMAGES != 0
    keepsFiles = flags & CLIP_DATASET_FILES != 0
    keepsCaptions = flags & CLIP_DATASET_ALL_CAPTIONS != 0
    allowsPathsOutside = flags & CLIP_DATASET_PATHS_OUTSIDE != 0
    seed = given.seed
    epochs = Int(given.epochs)
    batchSize = try DatasetOptions.number(given.batch_size, 32, atMost: 1 << 20, "batch_size")
    shuffleBuffer = try DatasetOptions.number(given.shuffle_buffer, 10000, atMost: 1 << 24, "shuffle_buffer")
    workers = try DatasetOptions.number(given.workers, 1, atMost: 64, "workers")
    prefetch = try DatasetOptions.number(given.prefetch, batchSize, atMost: 1 << 20, "prefetch")
    guard given.shard_index < max(1, given.shard_count) else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "options.shard_index: expected less than shard_count, \(given.shard_count), found \(given.shard_index)")
    }
    part = Int(given.shard_index)
    parts = max(1, Int(given.shard_count))
    guard given.max_bad_share >= 0, given.max_bad_share <= 1 else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "options.max_bad_share: expected a number from 0 to 1")
    }
    maxBadShare = given.max_bad_share == 0 ? 0.1 : given.max_bad_share
    maxFileBytes = given.max_file_bytes == 0 ? 64 << 20 : Int(clamping: given.max_file_bytes)
    fields = FieldNames(
      image: given.image_field.map { Name(cString: $0) },
      captions: try DatasetOptions.names(given.caption_fields, Int(given.caption_field_count)))
    imageEndings = fields.image.map { [$0] } ?? runtime.imageEndings
    // A caption that is too long is truncated and does not stop a run.
    var encoding = try encodingOptions(given.encode)
    encoding.flags |= UInt32(CLIP_ENCODE_TRUNCATE)
    decoding = try decodingOptions(given.image)
    // Sizes of a caller's buffers do not apply to a data set.
    (encoding.image_width, encoding.image_height, encoding.context_length) = (0, 0, 0)
    self.encoding = encoding
    let under = try colour(rgb: encoding.background)
    background = encoding.flags & UInt32(CLIP_ENCODE_COMPOSITE_ALPHA) == 0 ? nil : under
    imagePipeline = try DatasetOptions.pipeline(given.image_pipeline, CLIP_KIND_IMAGE_AUGMENTATION)
    textPipeline = try DatasetOptions.pipeline(given.text_pipeline, CLIP_KIND_TEXT_AUGMENTATION)
  }

  private static func number(_ given: UInt32, _ usual: Int, atMost: Int, _ name: String) throws(ClipError) -> Int {
    guard Int(given) <= atMost else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "options.\(name): expected at most \(atMost), found \(given)")
    }
    return given == 0 ? usual : Int(given)
  }

  private static func names(_ given: UnsafePointer<UnsafePointer<CChar>?>?, _ count: Int) throws(ClipError) -> [Name] {
    guard count >= 0, count <= 256, count == 0 || given != nil else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT, "options.caption_fields: expected up to 256 names, found \(count) or a null pointer")
    }
    var names: [Name] = []
    for index in 0..<count {
      guard let name = given?[index] else {
        throw ClipError(
          CLIP_INVALID_ARGUMENT, "options.caption_fields[\(index)]: expected a name, found a null pointer")
      }
      names.append(Name(cString: name))
    }
    return names
  }

  private static func pipeline(_ given: OpaquePointer?, _ kind: clip_plugin_kind) throws(ClipError) -> Pipeline? {
    guard given != nil else { return nil }
    let pipeline = try object(given, Pipeline.self, "pipeline")
    try pipeline.require(kind)
    return pipeline
  }
}
