import CClip
import CSystem

/// Exports a trainer's weights: as a model folder, or into an open model.
extension Trainer {
  /// Writes the weights, or their means, as a model's folder.
  func export(folder: String, _ options: clip_export_options) throws(ClipError) {
    let export = try ModelExport(folder: self.folder, options, model.runtime.plugins)
    let weights = try weights(average: options.flags & UInt32(CLIP_EXPORT_AVERAGE) != 0)
    try export.write(to: folder, weights, model.runtime.plugins)
    withExtendedLifetime(self) {}
  }

  /// A copy of `old` with the weights, or their means. CLIP_MISMATCH for another architecture.
  func model(like old: Model, average: Bool) throws(ClipError) -> Model {
    let description = try ModelDescription.open(folder: folder, formats: old.runtime.plugins.weightFormats)
    guard let imageTower = description.image, let textTower = description.text else {
      throw ClipError(CLIP_UNSUPPORTED, folder + ": expected a model with an image tower and a text tower")
    }
    let plugins = old.runtime.plugins
    let image = try TowerPlan(imageTower, tower: CLIP_TOWER_IMAGE, plugins: plugins)
    let text = try TowerPlan(textTower, tower: CLIP_TOWER_TEXT, plugins: plugins)
    let (oldImage, oldText) = (try old.imageSide(), try old.textSide())
    guard image.width == old.embeddingWidth, image.encoderID == oldImage.tower.encoderID,
      text.encoderID == oldText.tower.encoderID, image.parameterCount == oldImage.tower.parameterCount,
      text.parameterCount == oldText.tower.parameterCount, text.tokens?.contextLength == oldText.contextLength,
      text.tokens?.vocabulary == oldText.vocabularySize, description.preprocess.height == oldImage.preprocess.height,
      description.preprocess.width == oldImage.preprocess.width,
      (description.logitBias == nil) == (old.logitBias == nil)
    else { throw ClipError(CLIP_MISMATCH, "model: expected one of the trainer's architecture, that of " + folder) }
    let source = ParameterSource(try weights(average: average), TensorNames(isDirect: true))
    let new = try Model(
      old, image: image, text: text, source,
      logitScale: try description.logitScale.map { name throws(ClipError) in expf(try source.number(name)) } ?? 1,
      logitBias: try description.logitBias.map { name throws(ClipError) in try source.number(name) })
    withExtendedLifetime(self) {}
    return new
  }
}

extension Model {
  /// The folder that both towers were opened from, to be read again for `what`.
  func sourceFolder(_ what: StaticString) throws(ClipError) -> String {
    let folders = [image?.origin.folder, text?.origin.folder].compactMap { $0 }
    guard let folder = folders.first else {
      throw ClipError(CLIP_UNSUPPORTED, "\(what) takes a model that was opened from a folder")
    }
    for other in folders where Name(other) != Name(folder) {
      throw ClipError(CLIP_UNSUPPORTED, "\(what) takes the towers of one folder, found " + folder + " and " + other)
    }
    return folder
  }

  /// Writes a copy of the folder with the weights of the trainer's checkpoint at `checkpoint`.
  func export(checkpoint: String?, folder: String, _ options: clip_export_options) throws(ClipError) {
    let source = try sourceFolder("exporting")
    guard image?.origin.hasTrainerWeights != true, text?.origin.hasTrainerWeights != true else {
      throw ClipError(
        CLIP_UNSUPPORTED, "model: its weights are a trainer's: export that, or swap the model to its folder")
    }
    let export = try ModelExport(folder: source, options, runtime.plugins)
    if export.description.image != nil { _ = try imageSide() }
    if export.description.text != nil { _ = try textSide() }
    guard let checkpoint else {
      guard options.flags & UInt32(CLIP_EXPORT_AVERAGE) == 0 else {
        throw ClipError(CLIP_NOT_FOUND, "options.flags: without a checkpoint no mean of the weights is kept")
      }
      return try export.write(to: folder, nil, runtime.plugins)
    }
    let weights = try Trainer.weights(
      savedAt: checkpoint, average: options.flags & UInt32(CLIP_EXPORT_AVERAGE) != 0, over: export.source,
      Executor(kernels: runtime.kernels, threads: runtime.threads))
    try export.write(to: folder, weights, runtime.plugins)
  }
}
