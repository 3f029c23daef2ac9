/// The batches of a run. With replay a fixed share of each is from other data.
final class TrainingBatches {
  private let data: Dataset
  private let replay: Dataset?
  private let teacher: Model?
  private let config: TrainingConfig
  /// The epoch of the last batch, from 0.
  private(set) var epoch = 0

  init(_ runtime: Runtime, _ model: Model, _ config: TrainingConfig) throws(CLIPError) {
    self.config = config
    let replayed = config.replayCount
    let pipelines = (
      try TrainingBatches.pipeline(runtime, config.imagePipeline, "image_pipeline"),
      try TrainingBatches.pipeline(runtime, config.textPipeline, "text_pipeline")
    )
    func open(
      _ source: TrainingConfig.Source, _ size: Int, _ seed: UInt64, epochs: Int, isFull: Bool
    ) throws(CLIPError) -> Dataset {
      var options = config.datasetOptions(batchSize: size, seed: seed, source)
      options.epochs = epochs
      if isFull { options.flags.insert(.fullBatches) }
      if config.teacher != nil { options.flags.insert(.images) }
      options.shard = config.shard
      (options.imagePipeline, options.textPipeline) = pipelines
      return try Dataset(source.paths, runtime: runtime, model: model, options: options)
    }
    let seed = UInt64(config.seed)
    data = try open(
      config.source, config.batchSize - replayed, seed, epochs: config.epochs, isFull: config.dropLast)
    replay = try config.replay.map { replay throws(CLIPError) in
      try open(replay.source, replayed, ~seed, epochs: 0, isFull: true)
    }
    teacher = try config.teacher.map { folder throws(CLIPError) in try Model(folder, runtime: runtime, towers: .both) }
  }

  private static func pipeline(
    _ runtime: Runtime, _ json: String?, _ key: String
  ) throws(CLIPError) -> Pipeline? {
    guard let json else { return nil }
    do throws(CLIPError) {
      return try Pipeline(json, runtime: runtime)
    } catch {
      throw CLIPError(error.status, "\(key): \(error.message)")
    }
  }

  /// The next batch and its size; nil after the last epoch.
  func next() throws(CLIPError) -> (batch: TrainingBatch, count: Int)? {
    guard let first = try data.next() else { return nil }
    epoch = first.epoch
    guard let replay else { return (try batch(first.pixels, first.tokens, [first]), first.count) }
    guard let second = try replay.next() else { return (try batch(first.pixels, first.tokens, [first]), first.count) }
    return (
      try batch(first.pixels + second.pixels, first.tokens + second.tokens, [first, second]),
      first.count + second.count
    )
  }

  /// A teacher embeds the same augmented images and captions.
  private func batch(
    _ pixels: [Float], _ tokens: [Int32], _ parts: [DatasetBatch]
  ) throws(CLIPError) -> TrainingBatch {
    var batch = TrainingBatch(images: .pixels(pixels), texts: .tokens(tokens))
    if let teacher {
      batch.teacher = .embeddings(
        images: try teacher.encode(images: parts.flatMap(\.images), options: config.encoding),
        texts: try teacher.encode(texts: parts.flatMap(\.captions), options: config.encoding),
        width: teacher.width, scale: teacher.info.logitScale)
    }
    return batch
  }

  /// The position in the data, as members of a checkpoint's note.
  func state() throws(CLIPError) -> [(key: String, value: JSON)] {
    var members: [(key: String, value: JSON)] = [("data", .string(hexadecimal(try data.state())))]
    if let replay { members.append(("replay", .string(hexadecimal(try replay.state())))) }
    return members
  }

  /// Continues from the position of `state`.
  func restore(_ note: ObjectReader) throws(CLIPError) {
    try data.restore(try bytes(note, "data"))
    if let replay { try replay.restore(try bytes(note, "replay")) }
  }

  private func bytes(_ reader: ObjectReader, _ key: String) throws(CLIPError) -> [UInt8] {
    guard let text = try reader.text(key), let bytes = fromHexadecimal(text) else {
      throw CLIPError("\(reader.place): \(key): expected a data set's position, found none")
    }
    return bytes
  }

  func counters() throws(CLIPError) -> DatasetCounters { try data.counters() }
}

private func hexadecimal(_ bytes: [UInt8]) -> String {
  let digits = Array("0123456789abcdef".utf8)
  var text: [UInt8] = []
  for byte in bytes { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
  return String(decoding: text, as: UTF8.self)
}

private func fromHexadecimal(_ text: String) -> [UInt8]? {
  let digits = Array(text.utf8)
  guard digits.count % 2 == 0 else { return nil }
  var bytes: [UInt8] = []
  for index in stride(from: 0, to: digits.count, by: 2) {
    guard let byte = UInt8(String(decoding: digits[index..<index + 2], as: UTF8.self), radix: 16) else { return nil }
    bytes.append(byte)
  }
  return bytes
}
