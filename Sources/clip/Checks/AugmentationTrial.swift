import CClip

/// The input of an augmentation.
enum AugmentationInput: Sendable {
  case image(TrialImage)
  case text(String)

  var text: String {
    switch self {
    case .image(let image): image.text
    case .text(let text): "\"\(text.prefix(24))\""
    }
  }
}

/// The result of an augmentation.
struct AugmentationOutcome: Sendable {
  var isDone: Bool
  var result: [UInt8]
  /// The message of a failure.
  var words: String
  /// The host's message if it refused to allocate, "" for one of its limits; nil if it did not refuse.
  var refusal: String?
  var problems: [String]
}

/// An image in memory that ends at a protected page.
struct TrialImage: Sendable {
  let format: clip_pixel_format
  let width: Int
  let height: Int
  /// Bytes between rows.
  let gap: Int

  var text: String { "\(width) x \(height) of format \(format.rawValue)" }

  func run(
    _ table: clip_augmentation, _ instance: AugmentationCheck.Instance, _ random: TrialRandom, fill: UInt8,
    refuses: Bool
  ) -> AugmentationOutcome {
    let channels = channelCount(format) ?? 1
    var numbers = RandomNumbers(seed: UInt64(width * 1000 + height))
    let stride = width * channels + gap
    let source = (0..<(stride * (height - 1) + width * channels)).map { _ in
      UInt8(truncatingIfNeeded: numbers.next() >> 20)
    }
    let sink = TrialImageSink(fill: fill, refuses: refuses)
    guard let memory = GuardedBytes(source), let apply = table.apply_image else {
      return AugmentationOutcome(isDone: false, result: [], words: "no memory", refusal: nil, problems: [])
    }
    var view = clip_image_view(
      pixels: UnsafePointer(memory.data), width: UInt32(width), height: UInt32(height), stride: stride, format: format,
      orientation: 0, full_width: 0, full_height: 0)
    let words = sink.lend { sink in
      random.lend { random in PluginWords { apply(instance.pointer, &view, sink, random, $0) } }
    }
    var problems: [String] = []
    if let refusal = sink.refusal, !refusal.isEmpty { problems.append(refusal) }
    if !memory.isMarginIntact || memory.bytes != source { problems.append("it wrote to the image it was given") }
    if !sink.isIntact { problems.append("it wrote beside its result of \(sink.width) x \(sink.height)") }
    let isDone = words.status == CLIP_OK
    return AugmentationOutcome(
      isDone: isDone, result: isDone ? sink.pixels : [], words: words.text, refusal: sink.refusal, problems: problems)
  }
}

/// A text in memory that ends at a protected page.
struct TrialText {
  let text: String
  init(_ text: String) { self.text = text }

  func run(
    _ table: clip_augmentation, _ instance: AugmentationCheck.Instance, _ random: TrialRandom, refuses: Bool
  ) -> AugmentationOutcome {
    let source = Array(text.utf8) + [0]
    let sink = TrialTextSink(refuses: refuses)
    guard let memory = GuardedBytes(source), let apply = table.apply_text else {
      return AugmentationOutcome(isDone: false, result: [], words: "no memory", refusal: nil, problems: [])
    }
    let words = UnsafeMutableRawPointer(memory.data).withMemoryRebound(to: CChar.self, capacity: source.count) {
      characters in
      sink.lend { sink in
        random.lend { random in
          PluginWords { apply(instance.pointer, characters, source.count - 1, sink, random, $0) }
        }
      }
    }
    var problems: [String] = []
    if let refusal = sink.refusal, !refusal.isEmpty { problems.append(refusal) }
    if !memory.isMarginIntact || memory.bytes != source { problems.append("it wrote to the text it was given") }
    let isDone = words.status == CLIP_OK
    if isDone, sink.bytes.contains(0) || String(validating: sink.bytes, as: UTF8.self) == nil {
      problems.append("expected UTF-8 without NUL, found something else")
    }
    return AugmentationOutcome(
      isDone: isDone, result: isDone ? sink.bytes : [], words: words.text, refusal: sink.refusal, problems: problems)
  }
}
