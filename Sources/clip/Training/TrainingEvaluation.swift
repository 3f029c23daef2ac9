/// The recall of held-out pairs during a run, with the current weights or, if there is one, their moving average.
final class TrainingEvaluation {
  let every: Int
  private let settings: TrainingConfig.Evaluation
  private let config: TrainingConfig
  private let model: Model

  /// nil if the run has no evaluation. `folder` is the model folder.
  init?(_ runtime: Runtime, _ config: TrainingConfig, _ folder: String) throws(CLIPError) {
    guard let settings = config.evaluation else { return nil }
    self.settings = settings
    self.config = config
    every = settings.every
    model = try Model(folder, runtime: runtime, towers: .both, options: .withoutWeights)
    // Missing sources are found before the work.
    _ = try pairs()
  }

  private func pairs() throws(CLIPError) -> Dataset {
    var options = config.datasetOptions(batchSize: 64, seed: 0, settings.source)
    options.flags = .ordered
    return try Dataset(settings.source.paths, runtime: model.runtime, model: model, options: options)
  }

  /// Recall of images among all captions and of captions among all images: the mean of both directions.
  func measure(_ trainer: Trainer) throws(CLIPError) -> [(tag: String, value: Double)] {
    try trainer.update(model, average: config.averageDecay > 0)
    let data = try pairs()
    var (images, texts, done): ([Float], [Float], Int) = ([], [], 0)
    while done < settings.limit, let batch = try data.next() {
      let count = min(batch.count, settings.limit - done)
      images += try model.encode(pixels: Array(batch.pixels.prefix(count * model.info.pixelCount)))
      texts += try model.encode(tokens: Array(batch.tokens.prefix(count * model.info.contextLength)))
      done += count
    }
    guard done >= 2 else { throw CLIPError("eval: the data has \(counted(done, "pair")): expected at least 2") }
    let analysis = try model.analyze(images: images, texts: texts)
    let (there, back) = (analysis.imageToText, analysis.textToImage)
    return [
      ("eval/loss", (there.loss + back.loss) / 2), ("eval/recall_at_1", (there.recallAt1 + back.recallAt1) / 2),
      ("eval/recall_at_10", (there.recallAt10 + back.recallAt10) / 2),
    ]
  }
}
