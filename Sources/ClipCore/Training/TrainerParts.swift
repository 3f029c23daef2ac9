import CClip

extension Trainer {
  /// The parts of a trainer that are made from the model folder.
  struct Parts {
    let store: ParameterStore
    let tensors: [Name: Int]
    let folder: String
    let pixelCount: Int
    let contextLength: Int
    let image: TrainingTower
    let text: TrainingTower
    let scale: Int
    let bias: Int?

    init(_ model: Model, _ options: TrainerOptions) throws(ClipError) {
      let runtime = model.runtime
      _ = (try model.imageSide(), try model.textSide())
      guard runtime.kernels.hasPlainPanels else {
        throw ClipError(CLIP_UNSUPPORTED, "training: the kernels in use pack matrices in a way of their own")
      }
      let folder = try model.sourceFolder("training")
      let description = try ModelDescription.open(folder: folder, formats: runtime.plugins.weightFormats)
      guard let imageTower = description.image, let textTower = description.text else {
        throw ClipError(CLIP_UNSUPPORTED, folder + ": training takes an image tower and a text tower")
      }
      guard description.names.resizes.isEmpty, description.preprocess.width == model.inputSizes.imageWidth,
        description.preprocess.height == model.inputSizes.imageHeight
      else {
        throw ClipError(
          CLIP_UNSUPPORTED,
          folder + ": training: expected images of the size that the weights are for, found interpolated positions")
      }
      let source = ParameterSource(description.weights, description.names)
      let imagePlan = try TowerPlan(imageTower, tower: CLIP_TOWER_IMAGE, plugins: runtime.plugins)
      let textPlan = try TowerPlan(textTower, tower: CLIP_TOWER_TEXT, plugins: runtime.plugins)
      guard imagePlan.width == textPlan.width else {
        throw ClipError(CLIP_FORMAT, folder + ": the towers' features are of \(imagePlan.width) and \(textPlan.width)")
      }
      guard let scaleName = description.logitScale, let scale = source.find(scaleName) else {
        throw ClipError(CLIP_UNSUPPORTED, folder + ": training takes a model with a logit_scale")
      }
      var parameters = Trainer.parameters(imagePlan.graph) + Trainer.parameters(textPlan.graph)
      parameters.append((Parameter(name: scaleName, shape: scale.shape), false))
      if let name = description.logitBias, let bias = source.find(name) {
        parameters.append((Parameter(name: name, shape: bias.shape), false))
      }
      store = try ParameterStore(parameters, source, options)
      if let lowRank = options.lowRank, !store.entries.contains(where: { $0.kind == .derived }) {
        throw ClipError(
          CLIP_NOT_FOUND,
          "options.low_rank_patterns: expected to fit a matrix, and fit none: " + describe(names: lowRank.patterns))
      }
      for group in options.groups where !store.entries.contains(where: { matches($0.tensor, pattern: group.pattern) }) {
        throw ClipError(
          CLIP_NOT_FOUND, "options.groups: expected to fit a tensor, and fits none: " + describe(names: [group.pattern])
        )
      }
      guard store.trainedCount > 0 else {
        throw ClipError(CLIP_INVALID_ARGUMENT, "options.groups: all parameters are frozen")
      }
      let loader = ParameterLoader(
        source: source, kernels: runtime.kernels, threads: runtime.threads, storage: CLIP_STORAGE_F32, trained: store)
      image = try TrainingTower(
        imagePlan.graph, store: store, loader: loader, kernels: runtime.kernels, index: 0,
        recomputes: options.recomputes)
      text = try TrainingTower(
        textPlan.graph, store: store, loader: loader, kernels: runtime.kernels, index: 1,
        recomputes: options.recomputes)
      var tensors: [Name: Int] = [:]
      for tensor in description.weights.tensors.list { tensors[tensor.name] = tensor.count }
      self.tensors = tensors
      self.folder = folder
      pixelCount = description.preprocess.floats
      contextLength = textPlan.tokens?.contextLength ?? 0
      self.scale = store.index(scaleName) ?? 0
      var biasIndex: Int?
      if let name = description.logitBias { biasIndex = store.index(name) }
      bias = biasIndex
    }
  }

  private static func parameters(_ graph: Graph) -> [(parameter: Parameter, isStatistic: Bool)] {
    var list: [(parameter: Parameter, isStatistic: Bool)] = []
    for node in graph.nodes {
      for (index, parameter) in node.parameters.enumerated() { list.append((parameter, node.isStatistic(index))) }
    }
    return list
  }
}
