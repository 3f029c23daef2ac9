import CClip
import CSystem

/// A model in training. One thread at a time.
final class Trainer {
  let model: Model
  /// The stored tensors and their numbers of elements. The file is not kept open: its mapping would stay in memory.
  let tensors: [Name: Int]
  /// The folder that the model was opened from.
  let folder: String
  /// Elements of one preprocessed image, and tokens of one text.
  private let pixelCount: Int
  private let contextLength: Int
  let options: TrainerOptions
  let store: ParameterStore
  let optimizer: Optimizer
  let average: Memory?
  /// Updates made so far.
  var step: UInt64 = 0
  /// The caller's note in the last checkpoint that was read.
  var note: Name = ""
  /// The learning rate that the caller set later, in place of the options'.
  var setRate: Double?
  private var isEvaluating = false
  /// Whether the warning about batches of one pair was given.
  private var hasWarned = false
  private let image: TrainingTower
  private let text: TrainingTower
  private let terms: [LossTerm]
  private let scale: Int
  private let bias: Int?
  private var lowRank: LowRank?
  private let loss = PairLoss()
  private var features = GrowingBuffer()
  private var pixels = GrowingBuffer()
  private var tokens = GrowingBuffer()

  private var runtime: Runtime { model.runtime }
  private var executor: Executor { Executor(kernels: runtime.kernels, threads: runtime.threads) }

  convenience init(_ model: Model, _ options: TrainerOptions) throws(ClipError) {
    let parts = try Parts(model, options)
    // The weight file's mapping is released by now: the optimiser's moments use that memory.
    let store = parts.store
    var average: Memory?
    if options.averageDecay > 0 {
      let memory = try Memory(floats: store.count, for: "the mean of weights")
      memcpy(memory.base, store.values.base, store.count * 4)
      average = memory
    }
    let executor = Executor(kernels: model.runtime.kernels, threads: model.runtime.threads)
    let lowRank = try options.lowRank.map { settings throws(ClipError) in
      try LowRank(settings, store, executor, seed: options.seed)
    }
    self.init(model, options, parts, try Optimizer(options.optimizer, store), average, lowRank)
  }

  private init(
    _ model: Model, _ options: TrainerOptions, _ parts: Parts, _ optimizer: Optimizer, _ average: Memory?,
    _ lowRank: LowRank?
  ) {
    self.model = model
    self.options = options
    self.optimizer = optimizer
    self.average = average
    self.lowRank = lowRank
    store = parts.store
    tensors = parts.tensors
    folder = parts.folder
    pixelCount = parts.pixelCount
    contextLength = parts.contextLength
    image = parts.image
    text = parts.text
    scale = parts.scale
    bias = parts.bias
    let kind = bias == nil ? CLIP_LOSS_CONTRASTIVE : CLIP_LOSS_SIGMOID
    terms = options.losses.isEmpty ? [LossTerm(kind: kind, weight: 1, labelSmoothing: 0)] : options.losses
  }

  /// The learning rate of the next update.
  private var learningRate: Double {
    var schedule = options.schedule
    schedule.rate = setRate ?? schedule.rate
    return schedule.rate(at: step)
  }

  // MARK: A step

  /// A batch with its pixels and tokens.
  private struct Items {
    let n: Int
    let pixels: UnsafePointer<Float>
    let tokens: UnsafePointer<Int32>
  }

  /// One update.
  func train(_ batch: clip_train_batch) throws(ClipError) -> clip_train_metrics {
    if batch.n == 1, !hasWarned {
      hasWarned = true
      runtime.log.warning(
        "training: a batch of one pair has none to tell it from: its contrastive loss is 0 and trains nothing")
    }
    let items = try prepare(batch)
    let chunk = options.chunk == 0 ? items.n : min(options.chunk, items.n)
    let (images, texts) = try computeLoss(items, chunk, try teacher(batch))
    store.beginGradients()
    try run(items, chunk, images, texts, isBackward: true)
    store.finishGradients()
    if let gradient = store.gradient(scale) { gradient[0] = Float(loss.scaleGradient) }
    if let gradient = bias.flatMap({ store.gradient($0) }) { gradient[0] = Float(loss.biasGradient) }
    try lowRank?.takeGradients()

    let norm = optimizer.gradientNorm(runtime.threads)
    guard norm.isFinite else {
      let name = optimizer.firstBadEntry().map { store.entries[$0].tensor.string } ?? "a parameter"
      let maker =
        try firstBadGradient(items, chunk, images, texts).map { ", which begins with the gradient of " + $0 } ?? ""
      throw ClipError(
        CLIP_NOT_FINITE,
        "step \(step + 1): the gradient of \(name) is NaN or infinite\(maker); the weights are as they were")
    }
    if let name = badStatistic() {
      throw ClipError(
        CLIP_NOT_FINITE, "step \(step + 1): \(name.string) would be NaN or infinite; the weights are as they were")
    }
    let rate = learningRate
    let limit = options.gradientClip
    step += 1
    optimizer.update(
      step: step, rate: rate, scale: limit > 0 ? min(1, limit / (norm + 1e-6)) : 1, threads: runtime.threads)
    store.value(scale)[0] = min(max(store.value(scale)[0], 0), Float(log(100.0)))
    try lowRank?.apply()
    updateAverage()

    return metrics(gradientNorm: norm, rate: rate)
  }

  /// The loss of a batch without an update.
  func evaluate(_ batch: clip_train_batch) throws(ClipError) -> clip_train_metrics {
    isEvaluating = true
    defer { isEvaluating = false }
    let items = try prepare(batch)
    let chunk = options.chunk == 0 ? items.n : min(options.chunk, items.n)
    _ = try computeLoss(items, chunk, try teacher(batch))
    return metrics(gradientNorm: 0, rate: learningRate)
  }

  /// The loss of the items. Returns where the gradients of their features are.
  private func computeLoss(_ items: Items, _ chunk: Int, _ teacher: Teacher?) throws(ClipError)
    -> (images: UnsafeMutablePointer<Float>, texts: UnsafeMutablePointer<Float>)
  {
    let width = image.width
    let size = try product(items.n, width, "features")
    let images = try features.reserve(try product(size, 8, "features"), for: "features").assumingMemoryBound(
      to: Float.self)
    let texts = images + size
    try run(items, chunk, images, texts, isBackward: false)
    try loss.compute(
      images, texts, n: items.n, width: width, logScale: Double(store.value(scale)[0]),
      bias: bias.map { Double(store.value($0)[0]) } ?? 0, terms: terms, teacher: teacher, executor: executor)
    guard loss.loss.isFinite else { throw try badLoss(items, chunk, teacher) }
    return (images, texts)
  }

  private func metrics(gradientNorm: Double, rate: Double) -> clip_train_metrics {
    var metrics = clip_train_metrics()
    metrics.loss = loss.loss
    metrics.accuracy = Float(loss.accuracy)
    metrics.temperature = exp(Double(store.value(scale)[0]))
    metrics.gradient_norm = gradientNorm
    metrics.learning_rate = rate
    metrics.step = step
    return metrics
  }

  private func prepare(_ batch: clip_train_batch) throws(ClipError) -> Items {
    let n = batch.n
    guard n >= 1, n <= 1 << 20 else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "batch.n: expected 1 to \(1 << 20), found \(n)")
    }
    let encoding = try EncodeOptions(
      try ClipCore.options(batch.options, clip_encode_options(), "batch.options")
    ).withoutProgress
    var found = batch.pixels
    if found == nil {
      let images = try required(batch.images, "batch.pixels or batch.images")
      let numbers = try product(n, pixelCount, "pixels")
      let room = try pixels.reserve(try product(numbers, 4, "pixels"), for: "pixels").assumingMemoryBound(
        to: Float.self)
      try model.preprocess(images: images, n, encoding, into: room)
      found = UnsafePointer(room)
    }
    var ids = batch.tokens
    if ids == nil {
      let texts = try required(batch.texts, "batch.tokens or batch.texts")
      let numbers = try product(n, contextLength, "tokens")
      let room = try tokens.reserve(try product(numbers, 4, "tokens"), for: "tokens").assumingMemoryBound(
        to: Int32.self)
      try model.tokenize(texts, n, encoding, into: room, lengths: nil)
      ids = UnsafePointer(room)
    }
    return Items(n: n, pixels: try required(found, "batch.pixels"), tokens: try required(ids, "batch.tokens"))
  }

  private func teacher(_ batch: clip_train_batch) throws(ClipError) -> Teacher? {
    guard terms.contains(where: { $0.kind == CLIP_LOSS_DISTILLATION }) else { return nil }
    let width = Int(batch.teacher_width)
    guard batch.teacher_logits != nil || batch.teacher_images != nil && batch.teacher_texts != nil && width > 0 else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "batch: distillation takes teacher_logits, or teacher_images, teacher_texts and teacher_width")
    }
    return Teacher(
      logits: batch.teacher_logits, images: batch.teacher_images, texts: batch.teacher_texts, width: width,
      scale: batch.teacher_scale == 0 ? 100 : Double(batch.teacher_scale))
  }

  /// Runs all items through both towers, `chunk` at a time: forward to the features or, with `isBackward`, back from
  /// their gradients. With more than one chunk, the forward computation is repeated for it (Gao et al., "Scaling deep
  /// contrastive learning batch size", 2021).
  private func run(
    _ items: Items, _ chunk: Int, _ images: UnsafeMutablePointer<Float>, _ texts: UnsafeMutablePointer<Float>,
    isBackward: Bool
  ) throws(ClipError) {
    let isWhole = chunk == items.n
    var scrap = GrowingBuffer()
    for (tower, values) in [(image, images), (text, texts)] where !isBackward || tower.learns {
      var first = 0
      while first < items.n {
        let count = min(chunk, items.n - first)
        let rows = values + first * tower.width
        if !isBackward || !isWhole {
          let target =
            isBackward
            ? try scrap.reserve(count * tower.width * 4, for: "features").assumingMemoryBound(to: Float.self) : rows
          try tower.forward(
            try self.batch(items, first, count, tower), stepInfo(first), keeping: isWhole || isBackward,
            threads: runtime.threads, into: target)
        }
        if isBackward { tower.backward(rows, threads: runtime.threads) }
        first += count
      }
    }
  }

  private func stepInfo(_ first: Int) -> TrainingStep {
    TrainingStep(seed: options.seed, number: step, firstItem: first, towerIndex: 0, isEvaluation: isEvaluating)
  }

  private func batch(_ items: Items, _ first: Int, _ count: Int, _ tower: TrainingTower) throws(ClipError) -> Batch {
    if tower === text {
      return try tower.batch(tokens: items.tokens + first * contextLength, items: count, firstIndex: first)
    }
    return tower.batch(pixels: items.pixels + first * pixelCount, items: count)
  }

  func applyLowRank() throws(ClipError) { try lowRank?.apply() }

  /// Updates the exponential moving average of the weights.
  private func updateAverage() {
    guard let average else { return }
    let pieces = (store.count + Following.pieceFloats - 1) / Following.pieceFloats
    runtime.threads.run(
      pieces,
      Following(
        average: average.floats, values: store.values.floats, count: store.count, keep: Float(options.averageDecay)))
  }

  private struct Following: Work {
    static let pieceFloats = 65536
    let average: UnsafeMutablePointer<Float>
    let values: UnsafePointer<Float>
    let count: Int
    let keep: Float

    func part(_ piece: Int) {
      let first = piece * Following.pieceFloats
      forEachEight(min(count - first, Following.pieceFloats)) { i, lanes in
        let mean = eight(average + first + i, lanes) * keep + eight(values + first + i, lanes) * (1 - keep)
        put(mean, average + first + i, lanes)
      }
    }
  }

  /// The running statistic whose next value is not finite: a batch norm's input has elements whose squares are too
  /// large.
  private func badStatistic() -> Name? {
    for (index, entry) in store.entries.enumerated() where entry.kind == .statistic {
      guard let next = store.gradient(index) else { continue }
      for place in 0..<entry.count where !next[place].isFinite { return entry.tensor }
    }
    return nil
  }

  /// Why a loss is not finite: the first value on the way to it with NaN or infinity.
  private func badLoss(_ items: Items, _ chunk: Int, _ teacher: Teacher?) throws(ClipError) -> ClipError {
    let what =
      (isEvaluating ? "evaluation after step \(step)" : "step \(step + 1)")
      + ": the loss is NaN or infinite; the weights are as they were: "
    for (index, entry) in store.entries.enumerated() where entry.kind != .derived {
      for place in 0..<entry.count where !store.value(index)[place].isFinite {
        return ClipError(CLIP_NOT_FINITE, what + entry.tensor.string + " is not finite")
      }
    }
    for tower in [image, text] {
      var first = 0
      while first < items.n {
        let count = min(chunk, items.n - first)
        let found = try tower.firstBad(try batch(items, first, count, tower), stepInfo(first), threads: runtime.threads)
        if let found { return ClipError(CLIP_NOT_FINITE, what + (tower === image ? "images" : "texts") + ": " + found) }
        first += count
      }
    }
    return ClipError(CLIP_NOT_FINITE, what + (teacher?.firstBad(items.n) ?? "the logits"))
  }

  /// The op whose gradient is the first not to be finite, going back from the features.
  private func firstBadGradient(
    _ items: Items, _ chunk: Int, _ images: UnsafePointer<Float>, _ texts: UnsafePointer<Float>
  ) throws(ClipError) -> String? {
    store.beginGradients()
    for (tower, gradients) in [(image, images), (text, texts)] where tower.learns {
      var first = 0
      while first < items.n {
        let count = min(chunk, items.n - first)
        let found = try tower.firstBadGradient(
          try batch(items, first, count, tower), stepInfo(first), gradients + first * tower.width,
          threads: runtime.threads)
        if let found { return found }
        first += count
      }
    }
    return nil
  }
}
