import CClip

/// The caller's options, checked.
struct TrainerOptions {
  var seed: UInt64
  var recomputes: Bool
  var losses: [LossTerm]
  var optimizer = Optimizer.Settings()
  var schedule = Schedule()
  var gradientClip: Double
  var averageDecay: Double
  var chunk: Int
  var groups: [(pattern: Name, rate: Double)]
  var lowRank: LowRankSettings?

  init(_ options: clip_trainer_options) throws(ClipError) {
    try requireFlags(options.flags, CLIP_TRAIN_RECOMPUTE, "CLIP_TRAIN_")
    guard options.optimizer.rawValue <= CLIP_OPTIMIZER_SGD.rawValue else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT, "options.optimizer: expected a clip_optimizer, found \(options.optimizer.rawValue)")
    }
    guard options.schedule.rawValue <= CLIP_SCHEDULE_LINEAR.rawValue else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT, "options.schedule: expected a clip_schedule, found \(options.schedule.rawValue)")
    }
    seed = options.seed
    recomputes = options.flags & UInt32(CLIP_TRAIN_RECOMPUTE) != 0
    losses = try TrainerOptions.losses(options)
    optimizer.kind = options.optimizer
    optimizer.beta1 =
      options.beta1 < 0 ? 0 : try TrainerOptions.number(options.beta1, "beta1", 0, below: 1, default: 0.9)
    optimizer.beta2 = try TrainerOptions.number(options.beta2, "beta2", 0, below: 1, default: 0.98)
    optimizer.epsilon = try TrainerOptions.number(options.epsilon, "epsilon", 0, below: 1, default: 1e-6)
    optimizer.weightDecay = try TrainerOptions.number(options.weight_decay, "weight_decay", 0, below: 1e6, default: 0)
    schedule.kind = options.schedule
    schedule.rate = try TrainerOptions.number(options.learning_rate, "learning_rate", 0, below: 1e6, default: 5e-4)
    schedule.floor = try TrainerOptions.number(options.final_rate, "final_rate", 0, below: 1.000001, default: 0)
    schedule.warmUp = options.warmup_steps
    schedule.total = options.total_steps
    guard options.schedule == CLIP_SCHEDULE_CONSTANT || options.total_steps > options.warmup_steps else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "options.total_steps: expected more than the \(options.warmup_steps) of the warm-up, found \(options.total_steps)"
      )
    }
    gradientClip = try TrainerOptions.number(options.gradient_clip, "gradient_clip", 0, below: 1e30, default: 0)
    averageDecay = try TrainerOptions.number(options.average_decay, "average_decay", 0, below: 1, default: 0)
    chunk = Int(options.chunk)
    groups = try TrainerOptions.groups(options)
    lowRank = try LowRankSettings(options)
  }

  /// A number in [low, high); 0 is the default.
  private static func number(
    _ value: Float, _ name: StaticString, _ low: Float, below high: Float, default fallback: Double
  ) throws(ClipError) -> Double {
    guard value >= low, value < high else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT, "options.\(name): expected a number from \(low) to below \(high), found \(value)")
    }
    return value == 0 ? fallback : Double(value)
  }

  private static func losses(_ options: clip_trainer_options) throws(ClipError) -> [LossTerm] {
    guard options.loss_count != 0 else { return [] }
    guard let list = options.losses, (1...64).contains(options.loss_count) else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "options.losses: expected 1 to 64 terms, found \(UInt(bitPattern: options.loss_count)) or a null pointer")
    }
    var terms: [LossTerm] = []
    for index in 0..<options.loss_count {
      let term = list[index]
      guard term.kind.rawValue <= CLIP_LOSS_DISTILLATION.rawValue, term.weight >= 0, term.weight < 1e6,
        term.label_smoothing >= 0, term.label_smoothing < 1
      else {
        throw ClipError(
          CLIP_INVALID_ARGUMENT,
          "options.losses[\(index)]: expected a clip_loss, a weight from 0 and a label smoothing in [0, 1), found "
            + "\(term.kind.rawValue), \(term.weight) and \(term.label_smoothing)")
      }
      terms.append(
        LossTerm(
          kind: term.kind, weight: term.weight == 0 ? 1 : Double(term.weight),
          labelSmoothing: Double(term.label_smoothing)))
    }
    return terms
  }

  private static func groups(_ options: clip_trainer_options) throws(ClipError) -> [(pattern: Name, rate: Double)] {
    guard options.group_count != 0 else { return [] }
    guard let list = options.groups, (1...4096).contains(options.group_count) else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "options.groups: expected 1 to 4096, found \(UInt(bitPattern: options.group_count)) or a null pointer")
    }
    var groups: [(pattern: Name, rate: Double)] = []
    for index in 0..<options.group_count {
      let group = list[index]
      guard let pattern = group.pattern, group.rate >= 0, group.rate < 1e6 else {
        throw ClipError(
          CLIP_INVALID_ARGUMENT, "options.groups[\(index)]: expected a pattern and a rate from 0, found \(group.rate)")
      }
      groups.append((Name(cString: pattern), Double(group.rate)))
    }
    return groups
  }

  /// The factor of the learning rate for the tensor `name`.
  func rate(of name: Name) -> Double {
    for group in groups where matches(name, pattern: group.pattern) { return group.rate }
    return 1
  }
}

extension TrainerOptions {
  func isLowRank(_ tensor: Name) -> Bool {
    for pattern in lowRank?.patterns ?? [] where matches(tensor, pattern: pattern) { return true }
    return false
  }

  /// With low-rank adaptation, only tensors that a group names are learned.
  func learns(_ tensor: Name) -> Bool {
    if lowRank == nil { return true }
    for group in groups where matches(tensor, pattern: group.pattern) { return true }
    return false
  }
}

/// Which matrices have low-rank adaptation, and its rank.
struct LowRankSettings {
  let rank: Int
  let scale: Double
  let patterns: [Name]

  init?(_ options: clip_trainer_options) throws(ClipError) {
    guard options.low_rank > 0 else { return nil }
    guard options.low_rank <= 4096, options.low_rank_scale >= 0, options.low_rank_scale < 1e6 else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "options.low_rank: expected a rank to 4096 and a scale from 0, found \(options.low_rank) and \(options.low_rank_scale)"
      )
    }
    guard let list = options.low_rank_patterns, (1...4096).contains(options.low_rank_pattern_count) else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "options.low_rank_patterns: expected 1 to 4096, found \(UInt(bitPattern: options.low_rank_pattern_count)) or a null pointer"
      )
    }
    rank = Int(options.low_rank)
    scale = options.low_rank_scale == 0 ? 1 : Double(options.low_rank_scale) / Double(options.low_rank)
    var patterns: [Name] = []
    for index in 0..<options.low_rank_pattern_count {
      guard let pattern = list[index] else {
        throw ClipError(
          CLIP_INVALID_ARGUMENT, "options.low_rank_patterns[\(index)]: expected a pattern, found a null pointer")
      }
      patterns.append(Name(cString: pattern))
    }
    self.patterns = patterns
  }
}
