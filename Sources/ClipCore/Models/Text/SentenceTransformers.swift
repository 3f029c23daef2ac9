import CClip

/// A folder of sentence-transformers. modules.json lists the modules after the transformer, each with a folder.
struct SentenceTransformers {
  private let folder: String
  /// The encoders' "pooling"; nil if the folder does not define it.
  private(set) var pooling: Name?
  /// The layers after the pooling.
  private(set) var head: [HeadLayer] = []
  /// Folders with weights of their own, whose tensors are under the folder's name.
  private(set) var weightFolders: [Name] = []
  /// Elements of an embedding.
  private(set) var width: Int
  private(set) var prompts: Prompts

  /// `width` is the width of the transformer's rows.
  init(_ folder: String, width: Int) throws(ClipError) {
    self.folder = folder
    self.width = width
    prompts = try Prompts(folder)
    guard let modules = try SentenceTransformers.modules(folder) else {
      try readPooling("1_Pooling")
      return
    }
    for (index, (type, path)) in modules.enumerated() {
      switch type {
      case "Transformer" where index == 0, "Dropout": break
      case "Pooling": try readPooling(path)
      case "Normalize": head.append(.normalize)
      case "Dense": try readDense(path)
      case "LayerNorm":
        head.append(.layerNorm(path + ".norm", epsilon: 1e-5))
        weightFolders.append(path)
      default: throw SentenceTransformers.refused(folder, index, type)
      }
    }
    // Embeddings are scaled to unit length at last.
    while case .normalize = head.last { head.removeLast() }
  }

  private mutating func readDense(_ path: Name) throws(ClipError) {
    let config = try ConfigReader(path: join(folder, path + "/config.json"))
    guard try config.int("in_features", nil, ConfigReader.widths) == width else {
      throw config.error(CLIP_FORMAT, "in_features", "the width of what comes before, \(width)")
    }
    for key: StaticString in ["module_input_name", "module_output_name"] {
      guard try config.string(key, "sentence_embedding") == "sentence_embedding" else {
        throw config.error(CLIP_UNSUPPORTED, key, "\"sentence_embedding\"")
      }
    }
    try TextEncoderConfig.require(config, [("use_residual", false)])
    width = try config.int("out_features", nil, ConfigReader.widths)
    head.append(.linear(path + ".linear", width: width, hasBias: try config.bool("bias", true)))
    let name = try config.string("activation_function", "torch.nn.modules.activation.Tanh")
    let activations: [(Name, clip_activation)] = [
      ("linear.Identity", CLIP_IDENTITY), ("activation.Tanh", CLIP_TANH), ("activation.GELU", CLIP_GELU),
      ("activation.ReLU", CLIP_RELU), ("activation.SiLU", CLIP_SILU), ("activation.Sigmoid", CLIP_SIGMOID),
    ]
    guard let found = activations.first(where: { "torch.nn.modules." + $0.0 == name }) else {
      throw config.error(
        CLIP_UNSUPPORTED, "activation_function", "PyTorch's Identity, Tanh, GELU, ReLU, SiLU or Sigmoid")
    }
    if found.1 != CLIP_IDENTITY { head.append(.activate(found.1)) }
    weightFolders.append(path)
  }

  private mutating func readPooling(_ path: Name) throws(ClipError) {
    let file = join(folder, path + "/config.json")
    guard try FileKind(file) != .absent else { return }
    let config = try ConfigReader(path: file)
    let found = try SentencePooling(config, width: width)
    (pooling, width) = (found.name, width * found.parts)
    if try !config.bool("include_prompt", true) { try prompts.exclude(config) }
  }
}
