import Glibc

/// A training run from its configuration to the exported model.
final class TrainingRun {
  private let config: TrainingConfig
  let folder: RunFolder
  private let trainer: Trainer
  private let batches: TrainingBatches
  private let evaluation: TrainingEvaluation?
  private let totalSteps: Int
  /// The step of the checkpoint that the run continued from; 0 for a new run.
  private let firstStep: Int
  private(set) var step: Int
  /// nil before the first step.
  private(set) var last: TrainingMetrics?
  private var samples = 0

  enum Ending { case finished, interrupted }

  /// A run that cannot begin, because of its data or settings, leaves no new folder.
  convenience init(_ runtime: Runtime, _ config: TrainingConfig, resume: Bool) throws(CLIPError) {
    let folder = try RunFolder(config, resume: resume)
    do throws(CLIPError) {
      try self.init(runtime, config, folder, resume: resume)
    } catch {
      folder.removeIfNew()
      throw error
    }
  }

  private init(_ runtime: Runtime, _ config: TrainingConfig, _ folder: RunFolder, resume: Bool) throws(CLIPError) {
    self.config = config
    self.folder = folder
    totalSteps = try TrainingRun.steps(config)
    guard config.schedule.kind == .constant || config.schedule.warmupSteps < totalSteps else {
      throw CLIPError(
        "schedule: warmup_steps: expected fewer than the run's \(counted(totalSteps, "step")), found \(config.schedule.warmupSteps)"
      )
    }
    let start = try folder.startingModel(config, runtime).utf8
    let model = try Model(start, runtime: runtime, towers: .both, options: .withoutWeights)
    trainer = try Trainer(model, options: config.trainerOptions(totalSteps: totalSteps))
    batches = try TrainingBatches(runtime, model, config)
    evaluation = try TrainingEvaluation(runtime, config, start)
    firstStep = resume ? try TrainingRun.goOn(trainer, batches, folder) : 0
    step = firstStep
  }

  /// Restores trainer and data from the run's last checkpoint and returns its step; 0 without a checkpoint.
  private static func goOn(_ trainer: Trainer, _ batches: TrainingBatches, _ folder: RunFolder) throws(CLIPError) -> Int
  {
    let place = "\(folder.checkpoints.shown): the checkpoint's note"
    do throws(CLIPError) {
      try trainer.resume(try folder.checkpoints.utf8)
      let reader = try ObjectReader(try JSON.parse(Array(trainer.note.utf8), place: place), place)
      let step = try reader.integer("step", 0...Int.max, default: 0)
      try batches.restore(reader)
      try reader.finish()
      return step
    } catch {
      guard error.status == .notFound else { throw error }
      return 0
    }
  }

  /// The number of steps of the run. If it is given in epochs, an epoch is counted once by reading captions without
  /// images.
  static func steps(_ config: TrainingConfig) throws(CLIPError) -> Int {
    if config.steps > 0 { return config.steps }
    var options = config.datasetOptions(batchSize: 4096, seed: 0, config.source)
    options.flags.insert(.ordered)
    options.shard = config.shard
    let data = try Dataset(config.source.paths, runtime: try Runtime(), options: options)
    var pairs = 0
    while let batch = try data.next() { pairs += batch.count }
    let size = config.batchSize - config.replayCount
    let batches = config.dropLast ? pairs / size : (pairs + size - 1) / size
    guard batches > 0 else {
      throw CLIPError(
        "the data has \(counted(pairs, "pair")): expected at least a batch of \(size), or drop_last false")
    }
    return batches * config.epochs
  }

  /// Trains until the end or until a signal asks to stop, and saves everything in both cases.
  func train() throws -> Ending {
    let records = (log: try RunLog(folder.log, after: step), events: try EventFile(in: folder.path, after: step))
    Interruption.watch()
    var progress = TrainingProgress(total: totalSteps, from: step, every: config.logEvery)
    defer { progress.finish() }
    // What is recorded at intervals and at the end. Bad samples may make a run end early.
    func record(isOver: Bool) throws(CLIPError) {
      guard let last else { return }
      progress.update(last, samples: samples, isOver: isOver)
      if (step % config.logEvery == 0) != isOver {
        try records.log.append(progress.line(last, epoch: batches.epoch))
        try records.events.add(step: step, last.scalars)
      }
      if let evaluation, (step % evaluation.every == 0) != isOver {
        let scalars = try evaluation.measure(trainer)
        try records.log.append(
          .object([(key: "step", value: .integer(step))] + scalars.map { (key: $0.tag, value: .double($0.value)) }))
        try records.events.add(step: step, scalars)
        progress.tell(scalars, step: step, samples: samples)
      }
    }
    while step < totalSteps, !Interruption.isAsked, try takeStep() {
      try record(isOver: false)
      if config.saveEvery > 0, step % config.saveEvery == 0, step < totalSteps { try save() }
    }
    let ending: Ending = Interruption.isAsked && step < totalSteps ? .interrupted : .finished
    if step > firstStep {
      if ending == .finished { try record(isOver: true) }
      try save()
    }
    try draw(ending)
    if ending == .finished {
      try trainer.export(try folder.model.utf8, options: .init(average: config.averageDecay > 0))
    }
    return ending
  }

  /// Returns false at the end of the data. An error first saves a checkpoint of all steps so far.
  private func takeStep() throws(CLIPError) -> Bool {
    do throws(CLIPError) {
      guard let (batch, count) = try batches.next() else { return false }
      last = try trainer.step(batch)
      samples += count
      step += 1
      return true
    } catch {
      let isBadBatch = error.status == .notFinite
      guard isBadBatch || step > firstStep else { throw error }
      var message = error.message
      do throws(CLIPError) {
        try save()
        if isBadBatch { message += ". The run is saved as it was before this batch; --resume goes on after it" }
      } catch {
        message += "\n\(error.message)"
      }
      throw CLIPError(error.status, message)
    }
  }

  private func save() throws(CLIPError) {
    let note = JSON.object([(key: "step", value: .integer(step))] + (try batches.state()))
    try trainer.save(try folder.checkpoints.utf8, keep: config.keep, note: note.compact())
  }

  /// Draws the curves of all steps, including those before a stop.
  private func draw(_ ending: Ending) throws(CLIPError) {
    let name = config.model.bytes.last == UInt8(ascii: "/") ? ByteString(config.model.bytes.dropLast()) : config.model
    let done =
      ending == .finished
      ? "\(grouped(UInt64(step))) steps" : "step \(grouped(UInt64(step))) of \(grouped(UInt64(totalSteps)))"
    let curves = TrainingCurves(
      title: ByteString(name.lastComponent).shown,
      subtitle:
        "\(done) of \(counted(config.batchSize, "pair")) from \(config.source.paths.map(visible).joined(separator: ", "))",
      lines: try RunLog.lines(of: folder.log))
    let svg = curves.svg
    try OutputFile.write(to: folder.curves) { writer throws(CLIPError) in try writer.write(svg) }
  }

  func counters() throws(CLIPError) -> DatasetCounters { try batches.counters() }
}

extension TrainingMetrics {
  /// The scalars for TensorBoard.
  fileprivate var scalars: [(tag: String, value: Double)] {
    [
      ("train/loss", loss), ("train/accuracy", Double(accuracy)), ("train/temperature", temperature),
      ("train/learning_rate", learningRate), ("train/gradient_norm", gradientNorm),
    ]
  }
}
