import CClip
import Foundation
import Support

/// A data set, and what its batches hold, copied.
final class Dataset {
  struct Item: Equatable {
    var key = ""
    var caption = ""
    var epoch = 0
    var tokens: [Int32] = []
    var pixels: [Float] = []
    var file = Data()
    var image: [UInt8] = []
    /// All of them, where they are asked for.
    var captions: [String] = []
  }

  struct Options {
    var flags: UInt32 = 0
    var seed: UInt64 = 1
    var batch = 4
    var epochs = 1
    var buffer = 0
    var workers = 0
    var prefetch = 0
    var part = 0
    var parts = 0
    var captions: [String] = []
    var image: String?
    var badShare = 0.0
    var maxFile = 0
    var pipeline: OpaquePointer?
    var textPipeline: OpaquePointer?
    var background: (UInt8, UInt8, UInt8, UInt8)?

    init(_ change: (inout Options) -> Void = { _ in }) { change(&self) }
  }

  let handle: OpaquePointer
  private let model: Model?
  private let runtime: Runtime

  init(_ sources: [String], _ options: Options = Options(), model: Model? = nil, runtime: Runtime? = nil) throws {
    let runtime = try runtime ?? model?.runtime ?? Runtime()
    var raw = clip_dataset_options()
    raw.struct_size = size(of: clip_dataset_options.self)
    raw.flags = options.flags
    raw.seed = options.seed
    raw.batch_size = UInt32(options.batch)
    raw.epochs = UInt32(options.epochs)
    raw.shuffle_buffer = UInt32(options.buffer)
    raw.workers = UInt32(options.workers)
    raw.prefetch = UInt32(options.prefetch)
    raw.shard_index = UInt32(options.part)
    raw.shard_count = UInt32(options.parts)
    raw.max_bad_share = options.badShare
    raw.max_file_bytes = UInt64(options.maxFile)
    raw.image_pipeline = options.pipeline
    raw.text_pipeline = options.textPipeline
    raw.caption_field_count = UInt32(options.captions.count)
    var encode = clip_encode_options()
    encode.struct_size = size(of: clip_encode_options.self)
    if let background = options.background {
      encode.flags = UInt32(CLIP_COMPOSITE_ALPHA)
      encode.background = background
    }
    var handle: OpaquePointer?
    try check(
      withCStrings(options.captions + [options.image ?? ""]) { names in
        raw.caption_fields = names
        raw.image_field = options.image == nil ? nil : names[options.captions.count]
        return withCStrings(sources) { paths in
          withUnsafePointer(to: &encode) {
            raw.encode = $0
            return clip_dataset_open(runtime.handle, model?.handle, paths, sources.count, &raw, &handle)
          }
        }
      })
    guard let handle else { throw SupportError("clip_dataset_open gave no data set") }
    self.handle = handle
    self.model = model
    self.runtime = runtime
  }

  deinit { clip_dataset_release(handle) }

  /// The next batch, empty at the end.
  func next() throws -> [Item] {
    var batch = clip_batch()
    batch.struct_size = size(of: clip_batch.self)
    try check(clip_dataset_next(handle, &batch))
    var nextCaption = 0
    return (0..<Int(batch.count)).map { index in
      var item = Item(epoch: Int(batch.epoch))
      item.key = batch.keys[index].map { String(cString: $0) } ?? ""
      item.caption = batch.captions[index].map { String(cString: $0) } ?? ""
      if let tokens = batch.tokens, let model {
        item.tokens = Array(UnsafeBufferPointer(start: tokens + index * model.context, count: model.context))
      }
      if let pixels = batch.pixels, let model {
        item.pixels = Array(UnsafeBufferPointer(start: pixels + index * model.imageNumbers, count: model.imageNumbers))
      }
      if let files = batch.files, let file = files[index] {
        item.file = Data(bytes: file, count: batch.file_sizes[index])
      }
      if let images = batch.images {
        let view = images[index]
        item.image = Array(UnsafeBufferPointer(start: view.pixels, count: view.stride * Int(view.height)))
      }
      if let counts = batch.caption_counts {
        item.captions = (0..<Int(counts[index])).compactMap {
          batch.all_captions[nextCaption + $0].map { String(cString: $0) }
        }
        nextCaption += Int(counts[index])
      }
      return item
    }
  }

  /// Everything up to the end.
  func rest() throws -> [Item] {
    var items: [Item] = []
    while true {
      let batch = try next()
      if batch.isEmpty { return items }
      items += batch
    }
  }

  func save() throws -> [UInt8] {
    var state = [UInt8](repeating: 0, count: Int(CLIP_DATASET_STATE_BYTES))
    try check(clip_dataset_save(handle, &state))
    return state
  }

  func restore(_ state: [UInt8]) throws { try check(clip_dataset_restore(handle, state, state.count)) }

  var counters: clip_dataset_counters {
    var counters = clip_dataset_counters()
    counters.struct_size = size(of: clip_dataset_counters.self)
    clip_dataset_get_counters(handle, &counters)
    return counters
  }

  var bad: UInt64 {
    let counters = counters
    return counters.without_image + counters.without_caption + counters.bad_images + counters.bad_texts
      + counters.too_large
  }
}

/// Files for data sets in a folder of their own.
final class DataFolder {
  let folder: TemporaryFolder
  static let picture = (try? Data(contentsOf: Paths.fixtures.appending(path: "codecs/gray1.png"))) ?? Data()

  init() throws { folder = try TemporaryFolder() }

  func path(_ name: String) -> String { folder.file(name).path }

  @discardableResult func write(_ name: String, _ data: Data) throws -> String {
    let file = folder.file(name)
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try data.write(to: file)
    return file.path
  }

  @discardableResult func write(_ name: String, _ text: String) throws -> String { try write(name, Data(text.utf8)) }

  /// A shard of pairs `numbers`, with captions "caption <number>".
  @discardableResult func shard(_ name: String, _ numbers: Range<Int>) throws -> String {
    var tar = TarWriter()
    for number in numbers {
      tar.file("\(number).png", Self.picture)
      tar.file("\(number).txt", Data("caption \(number)".utf8))
    }
    tar.end()
    return try write(name, tar.bytes)
  }

  func tar(_ build: (inout TarWriter) -> Void) throws -> String {
    var tar = TarWriter()
    build(&tar)
    return try write("\(UUID().uuidString).tar", tar.bytes)
  }
}

let ordered = UInt32(CLIP_DATASET_ORDERED)
