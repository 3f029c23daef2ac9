/// The configuration of a training run (docs/training.md).
struct TrainingConfig {
  enum LossKind: String, CaseIterable { case contrastive, sigmoid, distillation }
  enum OptimizerKind: String, CaseIterable { case adamw, sgd }
  enum ScheduleKind: String, CaseIterable { case constant, cosine, linear }

  struct Source {
    var paths: [String]
    var captionFields: [String]
    var imageField: String?
    /// Whether tables may name files outside their folders.
    var allowsPathsOutside: Bool
  }

  struct Replay {
    var source: Source
    /// The share of each batch.
    var share: Double
  }

  /// Pairs that are not trained on, and are evaluated at intervals.
  struct Evaluation {
    var source: Source
    /// The steps between two evaluations.
    var every: Int
    /// The most pairs.
    var limit: Int
  }

  struct Loss {
    var kind: LossKind
    var weight: Double
    var labelSmoothing: Double
  }

  struct Optimizer {
    var kind: OptimizerKind
    var learningRate: Double
    var beta1: Double
    var beta2: Double
    var epsilon: Double
    var weightDecay: Double
    var gradientClip: Double
  }

  struct Schedule {
    var kind: ScheduleKind
    var warmupSteps: Int
    var finalRate: Double
  }

  var model: ByteString
  /// Only the configuration and the tokenizer of the model folder are used; weights are drawn from the seed.
  var fromScratch: Bool
  var output: ByteString
  var source: Source
  var replay: Replay?
  var evaluation: Evaluation?
  var teacher: String?
  /// The JSON of a pipeline; nil for none.
  var imagePipeline: String?
  var textPipeline: String?
  /// The colour under transparent images; nil drops alpha.
  var background: Color?
  /// Whether the orientation of images is ignored.
  var asStored: Bool
  var openAICleaning: Bool
  var batchSize: Int
  var chunk: Int
  /// Exactly one of the two is above 0.
  var epochs: Int
  var steps: Int
  var dropLast: Bool
  var shuffleBuffer: Int
  var shard: DatasetOptions.Shard?
  var maxBadShare: Double
  var workers: Int
  /// 0: one for each processor.
  var threads: Int
  var seed: Int
  var losses: [Loss]
  var optimizer: Optimizer
  var schedule: Schedule
  /// In order of precedence; rate 0 freezes.
  var groups: [TensorGroup]
  var lowRank: LowRank?
  var averageDecay: Double
  var recompute: Bool
  var saveEvery: Int
  var keep: Int
  var logEvery: Int
  /// The effective value of each key.
  let effective: JSON

  /// The keys that may change when a run is resumed.
  static let free = [
    "threads", "workers", "epochs", "steps", "max_bad_share", "eval", "save_every", "keep", "log_every",
  ]

  init(_ json: JSON, _ place: String) throws(CLIPError) {
    let reader = try ObjectReader(json, place)
    func required(_ key: String, _ value: String?) throws(CLIPError) -> ByteString {
      guard let value else { throw CLIPError("\(place): expected the key \(key), found none") }
      return ByteString(value)
    }
    model = try required("model", try reader.text("model"))
    fromScratch = try reader.bool("from_scratch")
    source = try Source(reader)
    guard !source.paths.isEmpty else {
      throw CLIPError("\(place): expected the key data, one source or more, found none")
    }
    output = try required("output", try reader.text("output"))
    imagePipeline = try reader.pipeline("image_pipeline")
    textPipeline = try reader.pipeline("text_pipeline")
    background = try reader.colour("background")
    asStored = try reader.bool("as_stored")
    openAICleaning = try reader.bool("openai_cleaning")
    batchSize = try reader.integer("batch_size", 1...65536, default: 32)
    chunk = try reader.integer("chunk", 0...65536, default: 0)
    steps = try reader.integer("steps", 0...1_000_000_000, default: 0)
    epochs = try reader.integer("epochs", 0...1_000_000, default: steps > 0 ? 0 : 1)
    dropLast = try reader.bool("drop_last", default: true)
    shuffleBuffer = try reader.integer("shuffle_buffer", 1...100_000_000, default: 10_000)
    shard = try reader.shard("shard")
    maxBadShare = try reader.number("max_bad_share", 1e-9...1, default: 0.1)
    workers = try reader.integer("workers", 1...64, default: 2)
    threads = try reader.integer("threads", 0...256, default: 0)
    seed = try reader.integer("seed", 0...Int.max, default: 0)
    losses = []
    for item in try reader.objects("losses") { losses.append(try Loss(item)) }
    teacher = try reader.text("teacher")
    optimizer = try Optimizer(try reader.object("optimizer"))
    schedule = try Schedule(try reader.object("schedule"))
    groups = try reader.texts("freeze").map { TensorGroup($0, rate: 0) }
    for item in try reader.objects("groups") {
      let pattern = try item.text("pattern")
      let rate = try item.number("rate", 0...1e5, default: 1)
      guard let pattern else { throw CLIPError("\(item.place): expected the key pattern, found none") }
      try item.finish()
      groups.append(TensorGroup(pattern, rate: Float(rate)))
    }
    lowRank = try reader.optionalObject("lora").map { item throws(CLIPError) in try LowRank(item) }
    averageDecay = try reader.number("average_decay", 0...0.9999999, default: 0)
    recompute = try reader.bool("recompute")
    replay = try reader.optionalObject("replay").map { item throws(CLIPError) in try Replay(item) }
    evaluation = try reader.optionalObject("eval").map { item throws(CLIPError) in try Evaluation(item) }
    saveEvery = try reader.integer("save_every", 0...1_000_000_000, default: 500)
    keep = try reader.integer("keep", 1...1_000_000, default: 3)
    logEvery = try reader.integer("log_every", 1...1_000_000, default: 10)
    try reader.finish()
    effective = reader.effective

    guard (epochs == 0) != (steps == 0) else {
      throw CLIPError("\(place): expected epochs or steps, found \(epochs) epochs and \(steps) steps")
    }
    let distils = losses.contains { $0.kind == .distillation }
    guard distils == (teacher != nil) else {
      throw CLIPError(
        distils
          ? "\(place): teacher: expected a model's folder, as there is a distillation loss, found none"
          : "\(place): teacher: expected a distillation loss in losses that uses it, found none")
    }
    guard replay == nil || (1..<batchSize).contains(replayCount) else {
      throw CLIPError(
        "\(place): replay: a share of \(replay?.share ?? 0) of \(batchSize) samples is \(replayCount): expected 1 to \(batchSize - 1)"
      )
    }
  }

  /// The number of replayed samples in a batch.
  var replayCount: Int { Int((Double(batchSize) * (replay?.share ?? 0)).rounded()) }

  /// For the encode calls of the data set and the teacher.
  var encoding: EncodeOptions {
    EncodeOptions(truncate: true, openAICleaning: openAICleaning, background: background)
  }
}

extension TrainingConfig.Source {
  init(_ reader: ObjectReader) throws(CLIPError) {
    paths = try reader.texts("data")
    captionFields = try reader.texts("caption_fields")
    imageField = try reader.text("image_field")
    allowsPathsOutside = try reader.bool("paths_outside")
  }
}

extension TrainingConfig.Replay {
  init(_ reader: ObjectReader) throws(CLIPError) {
    source = try .init(reader)
    guard !source.paths.isEmpty else { throw CLIPError("\(reader.place): expected the key data, found none") }
    share = try reader.number("share", 0...1, default: 0.1)
    try reader.finish()
  }
}

extension TrainingConfig.Evaluation {
  init(_ reader: ObjectReader) throws(CLIPError) {
    source = try .init(reader)
    guard !source.paths.isEmpty else { throw CLIPError("\(reader.place): expected the key data, found none") }
    every = try reader.integer("every", 1...1_000_000_000, default: 500)
    limit = try reader.integer("limit", 2...100_000, default: 1000)
    try reader.finish()
  }
}

extension TrainingConfig.Loss {
  init(_ reader: ObjectReader) throws(CLIPError) {
    kind = try reader.choice("kind", default: .contrastive)
    weight = try reader.number("weight", 1e-9...1e5, default: 1)
    labelSmoothing = try reader.number("label_smoothing", 0...0.999, default: 0)
    try reader.finish()
  }
}

extension TrainingConfig.Optimizer {
  init(_ reader: ObjectReader) throws(CLIPError) {
    kind = try reader.choice("kind", default: .adamw)
    learningRate = try reader.number("learning_rate", 1e-30...1e5, default: 5e-4)
    beta1 = try reader.number("beta1", 0...0.9999999, default: 0.9)
    beta2 = try reader.number("beta2", 1e-9...0.9999999, default: 0.98)
    epsilon = try reader.number("epsilon", 1e-30...0.999, default: 1e-6)
    weightDecay = try reader.number("weight_decay", 0...1e5, default: 0.2)
    gradientClip = try reader.number("gradient_clip", 0...1e29, default: 1)
    try reader.finish()
  }
}

extension TrainingConfig.Schedule {
  init(_ reader: ObjectReader) throws(CLIPError) {
    kind = try reader.choice("kind", default: .cosine)
    warmupSteps = try reader.integer("warmup_steps", 0...1_000_000_000, default: 0)
    finalRate = try reader.number("final_rate", 0...1, default: 0)
    try reader.finish()
  }
}

extension LowRank {
  fileprivate init(_ reader: ObjectReader) throws(CLIPError) {
    self.init(rank: 0, patterns: [])
    rank = try reader.integer("rank", 1...4096, default: 8)
    scale = Float(try reader.number("scale", 0...1e5, default: 0))
    patterns = try reader.texts("patterns")
    guard !patterns.isEmpty else { throw CLIPError("\(reader.place): expected the key patterns, found none") }
    try reader.finish()
  }
}

extension ObjectReader {
  /// A pipeline's JSON, the name of a file with it, or "default". The run saves the content of the file.
  fileprivate func pipeline(_ key: String) throws(CLIPError) -> String? {
    try read(key) { json throws(CLIPError) in
      switch json {
      case nil: return (nil, .null)
      case .array?: break
      case .string("default")?: break
      case .string(let path)? where !path.isEmpty:
        let file = ByteString(path)
        let steps = try JSON.parse(try readFile(file), place: "\(place): \(key): \(file.shown)")
        return (steps.compact(), steps)
      case let other?: throw failure(key, expected: "a list of steps, a file of them or \"default\"", found: other)
      }
      return (json.map { $0.compact() }, json ?? .null)
    }
  }

  /// [red, green, blue], each 0 to 255.
  fileprivate func colour(_ key: String) throws(CLIPError) -> Color? {
    try read(key) { json throws(CLIPError) in
      guard let json else { return (nil, .null) }
      var channels: [UInt8] = []
      if case .array(let list) = json {
        for case .integer(let value) in list { if let channel = UInt8(exactly: value) { channels.append(channel) } }
        if channels.count == 3, list.count == 3 {
          return (Color(red: channels[0], green: channels[1], blue: channels[2]), json)
        }
      }
      throw failure(key, expected: "[red, green, blue], each 0 to 255", found: json)
    }
  }

  /// "i/n": part i, from 0, of n.
  fileprivate func shard(_ key: String) throws(CLIPError) -> DatasetOptions.Shard? {
    try read(key) { json throws(CLIPError) in
      guard let json else { return (nil, .null) }
      if case .string(let text) = json {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
        if parts.count == 2, let index = parts[0], let count = parts[1], (1...1_000_000).contains(count),
          (0..<count).contains(index)
        {
          return (.init(index: index, count: count), json)
        }
      }
      throw failure(key, expected: "\"i/n\", part i of n from 0", found: json)
    }
  }
}

extension TrainingConfig {
  /// `totalSteps` is the end of the schedule.
  func trainerOptions(totalSteps: Int) -> TrainerOptions {
    var options = TrainerOptions()
    options.seed = UInt64(seed)
    options.losses = losses.map {
      let kind: LossTerm.Kind =
        switch $0.kind {
        case .contrastive: .contrastive
        case .sigmoid: .sigmoid
        case .distillation: .distillation
        }
      return LossTerm(kind, weight: Float($0.weight), labelSmoothing: Float($0.labelSmoothing))
    }
    options.optimizer = optimizer.kind == .adamw ? .adamW : .sgd
    options.learningRate = Float(optimizer.learningRate)
    options.beta1 = Float(optimizer.beta1)
    options.beta2 = Float(optimizer.beta2)
    options.epsilon = Float(optimizer.epsilon)
    options.weightDecay = Float(optimizer.weightDecay)
    options.gradientClip = Float(optimizer.gradientClip)
    options.schedule =
      switch schedule.kind {
      case .constant: .constant
      case .cosine: .cosine
      case .linear: .linear
      }
    options.finalRate = Float(schedule.finalRate)
    options.warmupSteps = schedule.warmupSteps
    options.totalSteps = totalSteps
    options.averageDecay = Float(averageDecay)
    options.chunk = chunk
    options.groups = groups
    options.lowRank = lowRank
    options.recompute = recompute
    return options
  }

  /// The options that all data sets of the run share: one epoch of `source`, without augmentation.
  func datasetOptions(batchSize: Int, seed: UInt64, _ source: Source) -> DatasetOptions {
    var options = DatasetOptions()
    options.seed = seed
    options.batchSize = batchSize
    options.shuffleBuffer = shuffleBuffer
    options.workers = workers
    // A batch ahead of the current step; at least 64 samples, since images take different times.
    options.prefetch = max(batchSize, 64)
    options.captionFields = source.captionFields
    options.imageField = source.imageField
    if source.allowsPathsOutside { options.flags.insert(.pathsOutside) }
    options.maxBadShare = maxBadShare
    options.encode = encoding
    options.image.asStored = asStored
    return options
  }
}
