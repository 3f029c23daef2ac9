/// The embedded pairs of a data set.
struct Pairs {
  var keys: [String] = []
  /// One caption of each pair; or all captions of the first pair, then of the next.
  var captions: [String] = []
  /// The indices of each pair's captions.
  var own: [[Int]] = []
  /// `[keys.count, width]`
  var images: [Float] = []
  /// `[captions.count, width]`, if requested.
  var texts: [Float] = []
  var thumbnails: [Bitmap] = []
  /// The number of bad pairs, which are left out.
  var skipped = 0

  /// What is kept in addition to keys, captions and image embeddings.
  struct Parts: OptionSet {
    let rawValue: Int
    static let texts = Parts(rawValue: 1)
    static let thumbnails = Parts(rawValue: 2)
    static let allCaptions = Parts(rawValue: 4)
  }

  struct Source {
    var paths: [String]
    var captionFields: [String]
    /// The most pairs, drawn at random with the seed; nil: all, in the order of the sources.
    var limit: Int?
    var seed: UInt64
    var batch: Int
    var workers: Int
    var encode: EncodeOptions
    var keeps: Parts
  }

  /// Bad pairs are reported and left out.
  init(_ model: Model, _ source: Source) throws(CLIPError) {
    let data = try Dataset(source.paths, runtime: model.runtime, model: model, options: source.options)
    let most = source.limit ?? Int.max
    let progress = source.limit.map { ProgressBar("Pairs", total: $0) }
    defer { Console.shared.show("") }
    while keys.count < most, let batch = try data.next(), !batch.pixels.isEmpty {
      let count = min(batch.count, most - keys.count)
      let pixels = count < batch.count ? Array(batch.pixels.prefix(count * model.info.pixelCount)) : batch.pixels
      images += try model.encode(pixels: pixels)
      add(batch, count)
      // The total is unknown until the end.
      if let progress { progress.update(keys.count) } else { Console.shared.show("Pairs  \(keys.count)") }
    }
    Console.shared.show("")
    skipped = try data.counters().bad
    if source.keeps.contains(.texts) {
      texts = try model.embed(texts: captions, batch: source.batch, options: source.encode)
    }
  }

  private mutating func add(_ batch: DatasetBatch, _ count: Int) {
    for index in 0..<count {
      keys.append(batch.keys[index])
      let all = batch.allCaptions.isEmpty ? [batch.captions[index]] : batch.allCaptions[index]
      var seen: Set<[UInt8]> = []
      // As bytes, since Swift's == takes canonically equivalent texts as equal.
      let different = all.filter { seen.insert(Array($0.utf8)).inserted }
      own.append(Array(captions.count..<(captions.count + different.count)))
      captions += different
      if !batch.images.isEmpty { thumbnails.append(Bitmap(thumbnail: batch.images[index], side: 96)) }
    }
  }
}

extension Pairs.Source {
  fileprivate var options: DatasetOptions {
    var options = DatasetOptions()
    if limit == nil { options.flags.insert(.ordered) }
    if keeps.contains(.thumbnails) { options.flags.insert(.images) }
    if keeps.contains(.allCaptions) { options.flags.insert(.allCaptions) }
    options.seed = seed
    // The largest shuffle buffer, so that every pair is equally likely.
    options.shuffleBuffer = 1 << 24
    options.batchSize = batch
    options.workers = min(workers, 64)
    options.captionFields = captionFields
    options.encode = encode
    return options
  }
}
