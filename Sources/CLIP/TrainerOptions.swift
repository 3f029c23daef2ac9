import CClip

/// A term of the loss.
public struct LossTerm: Hashable, Sendable {
  public enum Kind: UInt32, Sendable, CaseIterable {
    /// Symmetric cross-entropy (CLIP).
    case contrastive = 0
    /// Sigmoid of each pair (SigLIP).
    case sigmoid = 1
    /// Symmetric cross-entropy against the softmax of a teacher's logits.
    case distillation = 2
  }

  public var kind: Kind
  public var weight: Float
  /// Contrastive: the share of the target that is spread over all texts, in [0, 1).
  public var labelSmoothing: Float

  public init(_ kind: Kind = .contrastive, weight: Float = 1, labelSmoothing: Float = 0) {
    self.kind = kind
    self.weight = weight
    self.labelSmoothing = labelSmoothing
  }
}

/// The course of the learning rate after a linear warm-up.
public enum Schedule: UInt32, Sendable, CaseIterable { case constant = 0, cosine = 1, linear = 2 }

public enum Optimizer: UInt32, Sendable, CaseIterable { case adamW = 0, sgd = 1 }

/// Tensors whose names in the weight file match a pattern. "*" matches any characters and "?" one. A tensor belongs to
/// the first group that it matches; a pattern without a match is `notFound`.
public struct TensorGroup: Hashable, Sendable {
  public var pattern: String
  /// The factor of the learning rate; 0 freezes the tensors.
  public var rate: Float

  public init(_ pattern: String, rate: Float) {
    self.pattern = pattern
    self.rate = rate
  }
}

/// Low-rank adaptation (LoRA): matrices whose names match a pattern are frozen, and a low-rank update is trained for
/// each. Exports have it merged.
public struct LowRank: Hashable, Sendable {
  public var rank: Int
  /// The update is scaled by this divided by the rank; 0: it is not scaled.
  public var scale: Float
  public var patterns: [String]

  public init(rank: Int, scale: Float = 0, patterns: [String]) {
    self.rank = rank
    self.scale = scale
    self.patterns = patterns
  }
}

/// How a model is trained. Weight decay applies to tensors of two or more dimensions.
public struct TrainerOptions: Hashable, Sendable {
  /// The seed of dropout and of new low-rank weights.
  public var seed: UInt64 = 0
  /// Empty: sigmoid for a model with a logit bias, else contrastive.
  public var losses: [LossTerm] = []
  public var optimizer = Optimizer.adamW
  /// Above 0; nil: 0.0005.
  public var learningRate: Float?
  /// beta1 of AdamW, momentum of SGD; 0: none; nil: 0.9.
  public var beta1: Float?
  /// Above 0; nil: 0.98.
  public var beta2: Float?
  /// Above 0; nil: 1e-6.
  public var epsilon: Float?
  public var weightDecay: Float = 0
  /// The largest norm of the gradient of all tensors together; larger gradients are scaled down. 0: no limit.
  public var gradientClip: Float = 0
  public var schedule = Schedule.constant
  /// The share of the learning rate that remains at `totalSteps`, in [0, 1].
  public var finalRate: Float = 0
  public var warmupSteps = 0
  /// Required by cosine and linear schedules.
  public var totalSteps = 0
  /// The decay of an exponential moving average of the weights, in [0, 1); 0: no average.
  public var averageDecay: Float = 0
  /// The number of items computed at a time; gradients are those of the whole batch. 0: all.
  public var chunk = 0
  public var groups: [TensorGroup] = []
  public var lowRank: LowRank?
  /// Keeps few activations and computes the others again, for less memory and more time.
  public var recompute = false

  public init() {}

  func value(_ memory: CMemory) throws(CLIPError) -> clip_trainer_options {
    for (name, value) in [("learningRate", learningRate), ("beta2", beta2), ("epsilon", epsilon)] where value == 0 {
      throw CLIPError(.invalidArgument, "\(name): expected a number above 0, found 0")
    }
    var options = sized(clip_trainer_options(), \.struct_size)
    options.flags = recompute ? UInt32(CLIP_TRAIN_RECOMPUTE) : 0
    options.seed = seed
    options.losses = memory.array(
      losses.map {
        clip_loss_term(kind: clip_loss($0.kind.rawValue), weight: $0.weight, label_smoothing: $0.labelSmoothing)
      })
    options.loss_count = losses.count
    options.optimizer = clip_optimizer(optimizer.rawValue)
    // In C 0 means the default, and a negative beta1 means no momentum.
    options.learning_rate = learningRate ?? 0
    options.beta1 = beta1 == 0 ? -1 : beta1 ?? 0
    options.beta2 = beta2 ?? 0
    options.epsilon = epsilon ?? 0
    options.weight_decay = weightDecay
    options.gradient_clip = gradientClip
    options.schedule = clip_schedule(schedule.rawValue)
    options.final_rate = finalRate
    options.warmup_steps = try number(warmupSteps, "warmupSteps")
    options.total_steps = try number(totalSteps, "totalSteps")
    options.average_decay = averageDecay
    options.chunk = try number(chunk, "chunk")
    var list: [clip_tensor_group] = []
    for group in groups {
      list.append(clip_tensor_group(pattern: try memory.string(group.pattern, "groups"), rate: group.rate))
    }
    options.groups = memory.array(list)
    options.group_count = list.count
    if let lowRank {
      options.low_rank = try number(lowRank.rank, "lowRank.rank")
      options.low_rank_scale = lowRank.scale
      options.low_rank_patterns = try memory.strings(lowRank.patterns, "lowRank.patterns")
      options.low_rank_pattern_count = lowRank.patterns.count
    }
    return options
  }
}

/// Pairs to train on: image i belongs to text i.
public struct TrainingBatch: Sendable {
  public enum Images: Sendable {
    /// Preprocessed images, [n, 3, imageHeight, imageWidth].
    case pixels([Float])
    case images([Image])
  }

  public enum Texts: Sendable {
    /// Token rows, [n, contextLength].
    case tokens([Int32])
    case texts([String])
  }

  /// The teacher's result for the same pairs, for distillation.
  public enum Teacher: Sendable {
    /// [n, n], a row for each image.
    case logits([Float])
    /// Embeddings of unit length, [n, width], and the factor from their cosines to logits.
    case embeddings(images: [Float], texts: [Float], width: Int, scale: Float)
  }

  public var images: Images
  public var texts: Texts
  public var teacher: Teacher?
  /// For images and texts that are not preprocessed.
  public var options: EncodeOptions

  public init(images: Images, texts: Texts, teacher: Teacher? = nil, options: EncodeOptions = .init()) {
    self.images = images
    self.texts = texts
    self.teacher = teacher
    self.options = options
  }
}

/// The metrics of a step or of an evaluation.
public struct TrainingMetrics: Hashable, Sendable {
  /// The loss before the update.
  public let loss: Double
  /// The share of images and texts that rank their partner first, before the update.
  public let accuracy: Float
  /// The factor from cosines to logits, after the update.
  public let temperature: Double
  /// The norm of the gradient of all tensors together, before clipping; 0 for an evaluation.
  public let gradientNorm: Double
  /// The learning rate of this update; for an evaluation, of the next one.
  public let learningRate: Double
  /// The number of updates, including this one.
  public let step: Int

  init(_ metrics: clip_train_metrics) {
    loss = metrics.loss
    accuracy = metrics.accuracy
    temperature = metrics.temperature
    gradientNorm = metrics.gradient_norm
    learningRate = metrics.learning_rate
    step = Int(clamping: metrics.step)
  }
}
