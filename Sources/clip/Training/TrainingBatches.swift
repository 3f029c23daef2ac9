import Glibc

/// The batches of a run: of its data, and with replay a fixed share of each from other data.
final class TrainingBatches {
  private let data: Dataset
  private let replay: Dataset?
  private let teacher: Model?
  private let config: TrainingConfig
  private let pixelCount: Int
  private let contextLength: Int
  /// The two parts of a mixed batch, one after the other.
  private let pixels: UnsafeMutablePointer<Float>?
  private let tokens: UnsafeMutablePointer<Int32>?
  /// Of the last batch, from 0.
  private(set) var epoch = 0
  /// The teacher's embeddings of the batch.
  private var images: [Float] = []
  private var texts: [Float] = []

  init(_ runtime: Runtime, _ model: Model, _ config: TrainingConfig) throws(CLIPError) {
    self.config = config
    pixelCount = model.pixelCount
    contextLength = Int(model.info.context_length)
    let views = config.teacher == nil ? 0 : CLIP_DATASET_IMAGES
    let replayed = config.replayCount
    let full = config.dropLast ? CLIP_DATASET_FULL_BATCHES : 0
    let seed = UInt64(config.seed)
    data = try Dataset(
      runtime, model, config.source, config,
      .init(batchSize: config.batchSize - replayed, epochs: config.epochs, flags: Int32(views | full), seed: seed))
    replay = try config.replay.map { replay throws(CLIPError) in
      try Dataset(
        runtime, model, replay.source, config,
        .init(batchSize: replayed, epochs: 0, flags: Int32(views | CLIP_DATASET_FULL_BATCHES), seed: ~seed))
    }
    teacher = try config.teacher.map { folder throws(CLIPError) in
      try Model(runtime, folder: folder, towers: [.image, .text])
    }
    pixels = replay == nil ? nil : malloc(4 * config.batchSize * pixelCount)?.assumingMemoryBound(to: Float.self)
    tokens = replay == nil ? nil : malloc(4 * config.batchSize * contextLength)?.assumingMemoryBound(to: Int32.self)
    guard replay == nil || pixels != nil && tokens != nil else {
      throw CLIPError("not enough memory for a batch of \(config.batchSize): take a smaller batch_size")
    }
  }

  deinit {
    free(pixels)
    free(tokens)
  }

  /// Calls `use` with the next batch; false when all epochs are over.
  func next(_ use: (inout clip_train_batch) throws(CLIPError) -> Void) throws(CLIPError) -> Bool {
    guard let first = try data.next() else { return false }
    epoch = Int(clamping: first.epoch)
    let second = try replay?.next()
    var batch = clip_train_batch()
    batch.n = Int(first.count) + Int(second?.count ?? 0)
    batch.pixels = first.pixels
    batch.tokens = first.tokens
    if let second, let pixels, let tokens {
      var done = 0
      for part in [first, second] {
        guard let source = part.pixels, let ids = part.tokens else { continue }
        memcpy(pixels + done * pixelCount, source, 4 * Int(part.count) * pixelCount)
        memcpy(tokens + done * contextLength, ids, 4 * Int(part.count) * contextLength)
        done += Int(part.count)
      }
      batch.pixels = UnsafePointer(pixels)
      batch.tokens = UnsafePointer(tokens)
    }
    if let teacher { try teach(teacher, [first, second].compactMap { $0 }, &batch) }
    try images.withUnsafeBufferPointer { images throws(CLIPError) in
      try texts.withUnsafeBufferPointer { texts throws(CLIPError) in
        batch.teacher_images = images.baseAddress
        batch.teacher_texts = texts.baseAddress
        try use(&batch)
      }
    }
    return true
  }

  /// Lets the teacher embed the same pictures and captions, varied as they are.
  private func teach(_ teacher: Model, _ parts: [clip_batch], _ batch: inout clip_train_batch) throws(CLIPError) {
    var views: [clip_image_view] = []
    var captions: [UnsafePointer<CChar>?] = []
    for part in parts {
      views += UnsafeBufferPointer(start: part.images, count: Int(part.count))
      captions += UnsafeBufferPointer(start: part.captions, count: Int(part.count))
    }
    images = try teacher.encode(images: views, options: config.encoding)
    texts = try teacher.encode(texts: captions, options: config.encoding)
    batch.teacher_width = UInt32(teacher.width)
    batch.teacher_scale = teacher.info.logit_scale
  }

  /// Where the run is in its data, as members of a checkpoint's note.
  func state() throws(CLIPError) -> [(key: String, value: JSON)] {
    var members: [(key: String, value: JSON)] = [("data", .string(hexadecimal(try data.state())))]
    if let replay { members.append(("replay", .string(hexadecimal(try replay.state())))) }
    return members
  }

  /// Goes on where `state` was.
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

  func counters() throws(CLIPError) -> clip_dataset_counters { try data.counters() }
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
