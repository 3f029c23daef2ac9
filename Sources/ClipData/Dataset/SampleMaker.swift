import CClip
import CSystem

/// Makes samples from references. Immutable: any number of workers use it at once.
final class SampleMaker {
  let options: DatasetOptions
  private let shards: [Shard]
  private let runtime: Runtime
  /// nil if the data set has no model.
  private let model: Model?

  /// The part of the random stream that chooses a caption.
  private static var captionPart: UInt32 { 2 }

  init(_ shards: [Shard], _ options: DatasetOptions, _ runtime: Runtime, _ model: Model?) {
    self.shards = shards
    self.options = options
    self.runtime = runtime
    self.model = model
  }

  /// `number` is the index of the sample's random streams.
  func make(_ reference: SampleReference, number: UInt64) -> Outcome {
    var defect = Defect.badText
    var place = shards[reference.shard].path + ": " + reference.key.string
    do throws(ClipError) {
      let files = try SampleFiles(reference, shards[reference.shard], options)
      place = shards[reference.shard].path + ": " + files.key.string
      defect = .noImage
      guard let image = files.image else { throw ClipError(CLIP_NOT_FOUND, "expected an image, found none") }
      defect = .noCaption
      guard !files.captions.isEmpty else { throw ClipError(CLIP_NOT_FOUND, "expected a caption, found none") }
      defect = .badText
      let sample = Sample(key: try CText(files.key.utf8), caption: try caption(files.captions, number))
      if options.keepsCaptions {
        for caption in files.captions.all { sample.captions.append(try SampleMaker.checked(caption)) }
      }
      try addTokens(to: sample)
      defect = .badImage
      try addImage(image, number, to: sample)
      return .sample(sample)
    } catch {
      if error.isResourceFailure { return .failed(error.at(place)) }
      if error.status == CLIP_LIMIT { defect = .tooLarge }
      if error.status == CLIP_NOT_FOUND, defect == .badImage { defect = .noImage }
      return .left(defect, error.at(place))
    }
  }

  private func caption(_ choice: CaptionChoice, _ number: UInt64) throws(ClipError) -> CText {
    var stream = RandomStream(seed: options.seed, purpose: .shuffle, stream: number, part: SampleMaker.captionPart)
    let drawn = choice.draw(&stream) ?? []
    let caption = try SampleMaker.checked(drawn)
    guard let pipeline = options.textPipeline else { return caption }
    let text = TextBuffer()
    try text.append(UnsafeRawBufferPointer(start: caption.pointer, count: drawn.count))
    let augmented = try pipeline.augment(text, seed: options.seed, index: number)
    return try CText(augmented.withCharacters { Array(UnsafeRawBufferPointer(start: $0, count: augmented.count)) })
  }

  private static func checked(_ caption: [UInt8]) throws(ClipError) -> CText {
    let text = TextBuffer()
    let buffer = try CText(caption)
    try text.append(UnsafeRawBufferPointer(start: buffer.pointer, count: caption.count))
    if let problem = text.problem { throw ClipError(CLIP_FORMAT, "its caption: \(problem)") }
    return buffer
  }

  private func addTokens(to sample: Sample) throws(ClipError) {
    guard let model, model.contextLength > 0 else { return }
    sample.tokens = [Int32](repeating: 0, count: model.contextLength)
    var text: UnsafePointer<CChar>? = sample.caption.pointer
    var length: UInt32 = 0
    var encoding = options.encoding
    let status = sample.tokens.withUnsafeMutableBufferPointer {
      clip_tokenize(model.handle, &text, 1, &encoding, $0.baseAddress, $0.count, &length, 1)
    }
    try call(status)
    sample.tokenCount = length
  }

  private func addImage(_ source: FileSource, _ number: UInt64, to sample: Sample) throws(ClipError) {
    let pixelCount = model?.pixelCount ?? 0
    guard pixelCount > 0 || options.keepsImages || options.keepsFiles else { return }
    let file = try source.read(limit: options.maxFileBytes)
    if options.keepsFiles { sample.file = file }
    guard pixelCount > 0 || options.keepsImages else { return }
    let data = UnsafeRawBufferPointer(start: file.memory.base, count: file.size)
    defer { withExtendedLifetime(file.memory) {} }
    var image = try ImageHandle.decode(data, runtime, options.decoding)
    if let pipeline = options.imagePipeline {
      image = try pipeline.augment(
        image.view, over: options.background, seed: options.seed, index: number, place: "its image")
    }
    if options.keepsImages { sample.image = image }
    guard let model, pixelCount > 0 else { return }
    var view = image.view
    var encoding = options.encoding
    let pixels = try Memory(byteCount: pixelCount, for: "a preprocessed image")
    try call(clip_preprocess_bytes(model.handle, &view, 1, &encoding, pixels.bytes, pixelCount))
    withExtendedLifetime(image) {}
    sample.pixels = pixels
  }
}
