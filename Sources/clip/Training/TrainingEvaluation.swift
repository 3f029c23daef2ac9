
/// Recall of held-out pairs while a run goes on, with the weights of the moment or, where one is kept, their mean.
final class TrainingEvaluation {
  let every: Int
  private let settings: TrainingConfig.Evaluation
  private let config: TrainingConfig
  private let model: Model

  /// nil where the run has none. `folder` is the model's.
  init?(_ runtime: Runtime, _ config: TrainingConfig, _ folder: ByteString) throws(CLIPError) {
    guard let settings = config.evaluation else { return nil }
    self.settings = settings
    self.config = config
    every = settings.every
    model = try Model(runtime, folder: folder, towers: [.image, .text], flags: Int32(CLIP_OPEN_WITHOUT_WEIGHTS))
    // Sources that are not there are known before the work.
    _ = try pairs()
  }

  private func pairs() throws(CLIPError) -> Dataset {
    try Dataset(
      model.runtime, model, settings.source, config,
      .init(batchSize: 64, epochs: 1, flags: Int32(CLIP_DATASET_ORDERED), seed: 0, isTraining: false))
  }

  /// Each picture among all captions and the other way round: means of both ways.
  func measure(_ trainer: Trainer) throws(CLIPError) -> [(tag: String, value: Double)] {
    try trainer.publish(to: model, average: config.averageDecay > 0)
    let data = try pairs()
    var (images, texts, done): ([Float], [Float], Int) = ([], [], 0)
    while done < settings.limit, let batch = try data.next(), let pixels = batch.pixels, let tokens = batch.tokens {
      let count = min(Int(batch.count), settings.limit - done)
      images += try model.encode(pixels: pixels, count: count, flags: [])
      texts += try model.encode(tokens: tokens, count: count, flags: [])
      done += count
    }
    guard done >= 2 else { throw CLIPError("eval: the data has \(counted(done, "pair")): expected at least 2") }
    let facts = try model.analyze(images: images, texts: texts).facts
    let (there, back) = (facts.image_to_text, facts.text_to_image)
    return [
      ("eval/loss", (there.loss + back.loss) / 2), ("eval/recall_at_1", (there.recall_at_1 + back.recall_at_1) / 2),
      ("eval/recall_at_10", (there.recall_at_10 + back.recall_at_10) / 2),
    ]
  }
}
