import CClip
import Synchronization

/// A position in the sequence of samples, from which a run can continue.
struct SamplePosition {
  /// Where the shuffle buffer began to fill: the index of a shard in the epoch's order, and a position in that shard.
  struct Start {
    var shard = 0
    var place = ShardPosition()
  }

  var epoch = 0
  var start = Start()
  /// Full buffers before this one in the epoch, and the samples taken from this one.
  var block = 0
  var index = 0
  /// Samples taken in all epochs.
  var sequence: UInt64 = 0
}

/// What comes next in the sequence.
enum SampleStep {
  case sample(SampleReference)
  /// The rest of a shard is unreadable.
  case damaged(ClipError)
  /// The system failed; the shard may be good.
  case failed(ClipError)
  case endOfEpoch
  case end
}

/// The order of samples. Shards are in random order. References to their pairs fill a buffer, which is permuted and
/// given out while the next one fills. Seed and epoch determine all of it. For one thread at a time, except for `stop`.
final class SampleOrder {
  private let isStopping = Atomic<Bool>(false)

  private let shards: [Shard]
  private let options: DatasetOptions
  /// Each part of a run takes whole shards if there are at least as many shards as parts, else every n-th pair.
  private let splitsShards: Bool

  private var position: SamplePosition
  private var steps: [SampleStep] = []
  private var isFilled = false
  /// The start of the next buffer.
  private var nextStart = SamplePosition.Start()
  private var nextSteps: [SampleStep] = []

  private var order: [Int] = []
  private var orderEpoch: Int?
  private var scan = SamplePosition.Start()
  private var reader: (any ShardReader)?
  private var isScanned = false
  /// A failure of the system while the next buffer was filled. The current buffer is still given out.
  private var failure: ClipError?

  /// The parts of the shuffle's random streams.
  private enum Part {
    static let shards: UInt32 = 0
    static let buffer: UInt32 = 1
  }

  init(_ shards: [Shard], _ options: DatasetOptions, from position: SamplePosition) {
    self.shards = shards
    self.options = options
    self.position = position
    splitsShards = shards.count >= options.parts
  }

  /// Ends the filling of the next buffer, which nobody needs any more. May be called on any thread.
  func stop() { isStopping.store(true, ordering: .relaxed) }

  /// The next step and the position after it.
  func next() -> (SampleStep, SamplePosition) {
    if options.epochs != 0, position.epoch >= options.epochs { return (.end, position) }
    if !isFilled { begin() }
    if !isFilled, let failure { return (.failed(failure), position) }
    if position.index < steps.count {
      let step = steps[position.index]
      position.index += 1
      fill(atMost: 2)
      if case .sample = step { position.sequence &+= 1 }
      return (step, position)
    }
    fill(atMost: Int.max)
    if let failure { return (.failed(failure), position) }
    if nextSteps.isEmpty {
      position = SamplePosition(epoch: position.epoch + 1, sequence: position.sequence)
      isFilled = false
      return (.endOfEpoch, position)
    }
    position.start = nextStart
    position.block += 1
    position.index = 0
    startNext()
    return next()
  }

  /// Fills the buffer of the current position.
  private func begin() {
    scan = position.start
    reader = nil
    isScanned = false
    orderShards()
    nextStart = scan
    nextSteps = []
    fill(atMost: Int.max)
    guard failure == nil else { return }
    startNext()
    isFilled = true
  }

  /// Makes the next buffer, which is full, the current one, and permutes it.
  private func startNext() {
    steps = nextSteps
    nextSteps = []
    nextStart = scan
    guard !options.isOrdered else { return }
    let name = UInt64(truncatingIfNeeded: position.epoch) << 32 | UInt64(truncatingIfNeeded: position.block)
    permute(&steps, RandomStream(seed: options.seed, purpose: .shuffle, stream: name, part: Part.buffer))
  }

  private func fill(atMost count: Int) {
    var left = count
    while left > 0, !isScanned, failure == nil, nextSteps.count < options.shuffleBuffer {
      if let step = scanNext() { nextSteps.append(step) } else { isScanned = failure == nil }
      left -= 1
    }
  }

  private func orderShards() {
    guard orderEpoch != position.epoch else { return }
    order = []
    for shard in shards.indices where !splitsShards || shard % options.parts == options.part { order.append(shard) }
    if !options.isOrdered {
      let name = UInt64(truncatingIfNeeded: position.epoch)
      permute(&order, RandomStream(seed: options.seed, purpose: .shuffle, stream: name, part: Part.shards))
    }
    orderEpoch = position.epoch
  }

  /// The next step in the shards, nil at the epoch's end. Moves `scan` past it.
  private func scanNext() -> SampleStep? {
    while scan.shard < order.count, !isStopping.load(ordering: .relaxed) {
      let shard = order[scan.shard]
      do throws(ClipError) {
        if reader == nil {
          reader = try shards[shard].reader(shard: shard, imageEndings: options.imageEndings, from: scan.place)
        }
        if let reader, let reference = try reader.next() {
          scan.place = ShardPosition(offset: reader.position, ordinal: reference.ordinal + 1)
          if splitsShards || (reference.ordinal + shard) % options.parts == options.part {
            return .sample(reference)
          }
          continue
        }
        passShard()
      } catch {
        if error.isResourceFailure {
          failure = error
          return nil
        }
        passShard()
        return .damaged(error)
      }
    }
    return nil
  }

  private func passShard() {
    reader = nil
    scan = SamplePosition.Start(shard: scan.shard + 1)
  }

  /// The Fisher-Yates shuffle.
  private func permute<Element>(_ elements: inout [Element], _ stream: RandomStream) {
    var stream = stream
    for last in elements.indices.dropFirst().reversed() {
      elements.swapAt(last, Int(stream.below(UInt32(truncatingIfNeeded: last + 1))))
    }
  }
}
