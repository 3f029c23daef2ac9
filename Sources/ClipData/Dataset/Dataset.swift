import CClip
import CSystem
import Synchronization

/// Pairs of images and captions in batches. Calls are serialised by a lock, except for `counters`.
final class Dataset {
  private let list: ShardList
  private let options: DatasetOptions
  private let runtime: Runtime
  private let model: Model?

  /// The process that has the workers: that of the first call. A forked child has neither its workers nor usable locks.
  private let process = Atomic<Int32>(0)
  private let calling = Mutex()
  private var workers: Workers?
  private var position = SamplePosition()
  private var isOver = false
  private var failure: ClipError?
  /// Why the first pair or shard of the epoch was left out.
  private var firstProblem: ClipError?
  /// Why the last pair was left out.
  private var lastProblem: ClipError?
  private let batch: SampleBatch

  private let counting = Mutex()
  private var counts = DatasetCounts()
  private var queue: OrderedQueue<SampleSource>?

  init(_ list: ShardList, _ options: DatasetOptions, _ runtime: Runtime, _ model: Model?) {
    self.list = list
    self.options = options
    self.runtime = runtime
    self.model = model
    batch = SampleBatch(options, model)
  }

  /// The next batch, empty after the last epoch; valid until the next call. After an error of the data every call gives
  /// that error until `restore`. After an error of the system the next call begins with the same sample.
  func next() throws(ClipError) -> clip_batch {
    try requireProcess(takes: true)
    calling.lock()
    defer { calling.unlock() }
    if let failure { throw failure }
    let before = (position: position, isOver: isOver, counts: counts)
    do throws(ClipError) {
      return try collect()
    } catch {
      workers = nil
      if error.isResourceFailure {
        position = before.position
        isOver = before.isOver
        count { $0 = before.counts }
      } else {
        failure = error
      }
      throw error
    }
  }

  private func requireProcess(takes: Bool = false) throws(ClipError) {
    let mine = getpid()
    if takes { _ = process.compareExchange(expected: 0, desired: mine, ordering: .relaxed) }
    let other = process.load(ordering: .relaxed)
    guard other == 0 || other == mine else {
      throw ClipError(
        CLIP_UNSUPPORTED, "data set: expected a call of process \(other), which has its workers, found one of its child"
      )
    }
  }

  private func collect() throws(ClipError) -> clip_batch {
    var samples: [Sample] = []
    var epoch = position.epoch
    let queue = try start()
    while samples.count < options.batchSize, !isOver {
      let delivery = queue.next()
      let before = position
      position = delivery.position
      switch delivery.outcome {
      case .sample(let sample):
        epoch = position.epoch
        samples.append(sample)
        count {
          $0.given += 1; $0.epochGiven += 1
        }
      case .left(let defect, let error):
        try leave(defect, error)
      case .damaged(let error):
        note(error, "the rest of a shard is left out")
        count { $0.damagedShards += 1 }
      case .endOfEpoch:
        try endEpoch(before.epoch, ended: samples.count)
        if options.wantsFullBatches { samples = [] }
        if !samples.isEmpty { return try batch.fill(samples, epoch: epoch) }
      case .end: isOver = true
      case .failed(let error): throw error
      }
    }
    return try batch.fill(samples, epoch: epoch)
  }

  private func leave(_ defect: Defect, _ error: ClipError) throws(ClipError) {
    note(error, "left out")
    count { $0.leave(defect) }
    lastProblem = error
    try counts.check(options.maxBadShare, error)
  }

  private func note(_ error: ClipError, _ consequence: StaticString) {
    if firstProblem == nil { firstProblem = error }
    runtime.warning("data set: \(consequence): \(error.message)")
  }

  /// Ends an epoch, of which `pending` samples wait for a full batch.
  private func endEpoch(_ epoch: Int, ended pending: Int) throws(ClipError) {
    let given = counts.epochGiven
    guard given > 0 else {
      throw ClipError(
        firstProblem?.status ?? CLIP_FORMAT,
        "data set: no good sample in epoch \(epoch): \(counts.described)"
          + (firstProblem.map { "; the first: " + $0.message } ?? ""))
    }
    // Checked again at the end: the last bad sample may have come before there were enough pairs.
    try counts.check(options.maxBadShare, lastProblem)
    guard !options.wantsFullBatches || given >= options.batchSize else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "data set: \(given) samples in an epoch do not fill a batch of \(options.batchSize) (CLIP_DATASET_FULL_BATCHES)"
      )
    }
    firstProblem = nil
    count {
      if self.options.wantsFullBatches { $0.given -= UInt64(pending) }
      $0.epochGiven = 0
      $0.epochLeft = 0
    }
  }

  private func count(_ change: (inout DatasetCounts) -> Void) {
    counting.lock()
    change(&counts)
    counting.unlock()
  }

  private func start() throws(ClipError) -> OrderedQueue<SampleSource> {
    if workers != nil, let queue { return queue }
    let maker = SampleMaker(list.shards, options, runtime, model)
    let order = SampleOrder(list.shards, options, from: position)
    let queue = try OrderedQueue(
      SampleSource(maker: maker, order: order), capacity: max(options.prefetch, options.workers))
    workers = try Workers(queue, count: options.workers)
    counting.lock()
    self.queue = queue
    counting.unlock()
    return queue
  }

  func save(to bytes: UnsafeMutablePointer<UInt8>) throws(ClipError) {
    try requireProcess()
    calling.lock()
    defer { calling.unlock() }
    DatasetState(run: DatasetState.run(options, list), position: position, counts: counts).write(to: bytes)
  }

  /// Continues from a state of this run. An error changes nothing.
  func restore(_ bytes: UnsafePointer<UInt8>) throws(ClipError) {
    try requireProcess()
    calling.lock()
    defer { calling.unlock() }
    let state = try DatasetState(bytes, run: DatasetState.run(options, list))
    workers = nil
    position = state.position
    isOver = false
    failure = nil
    firstProblem = nil
    lastProblem = nil
    count { $0 = state.counts }
  }

  /// The current counters; does not wait for `next`.
  func counters() throws(ClipError) -> clip_dataset_counters {
    try requireProcess()
    counting.lock()
    let (counts, queue) = (self.counts, self.queue)
    counting.unlock()
    var facts = clip_dataset_counters()
    facts.samples = counts.given
    facts.without_image = counts.left[Defect.noImage.rawValue]
    facts.without_caption = counts.left[Defect.noCaption.rawValue]
    facts.bad_images = counts.left[Defect.badImage.rawValue]
    facts.bad_texts = counts.left[Defect.badText.rawValue]
    facts.too_large = counts.left[Defect.tooLarge.rawValue]
    facts.damaged_shards = counts.damagedShards
    facts.waited_nanoseconds = UInt64(clamping: queue?.waitedNanoseconds ?? 0)
    return facts
  }
}
