import CClip
import CSystem

/// Writes a model's folder in a given layout and storage, with other weights if there are some.
struct ModelExport {
  let description: ModelDescription
  let source: ParameterSource
  private let folder: String
  private let layout: Layout
  private let type: ElementType
  private let isConverted: Bool
  private let callback: clip_progress

  /// `folder` is what the model was opened from.
  init(folder: String, _ options: clip_export_options, _ plugins: PluginRegistry) throws(ClipError) {
    try requireFlags(options.flags, CLIP_EXPORT_AVERAGE, "CLIP_EXPORT_")
    switch options.storage {
    case CLIP_STORAGE_F32: type = .float32
    case CLIP_STORAGE_F16: type = .float16
    case CLIP_STORAGE_BF16: type = .bfloat16
    default:
      throw ClipError(
        CLIP_INVALID_ARGUMENT, "options.storage: expected F32, F16 or BF16, found \(options.storage.rawValue)")
    }
    description = try ModelDescription.open(folder: folder, formats: plugins.weightFormats)
    source = ParameterSource(description.weights, description.names)
    self.folder = description.folder
    switch options.layout {
    case CLIP_LAYOUT_AS_OPENED: layout = description.layout
    case CLIP_LAYOUT_HUGGING_FACE: layout = .huggingFace
    case CLIP_LAYOUT_OPEN_CLIP: layout = .openClip
    default:
      throw ClipError(CLIP_INVALID_ARGUMENT, "options.layout: expected a clip_layout, found \(options.layout.rawValue)")
    }
    isConverted = layout != description.layout
    callback = options.progress
  }

  /// Writes to `target`. `weights`, under the encoders' names, replace the file's.
  func write(to target: String, _ weights: StoredTensors?, _ plugins: PluginRegistry) throws(ClipError) {
    let configs = isConverted ? try ClipConfigWriter(description, layout, place: folder).files(type) : []
    let parameters = try parameters(plugins)
    let outputs = isConverted ? try converted(parameters, weights) : try asOpened(parameters, weights)
    let weightFile = isConverted ? layout.weightFiles[0] : description.weightFile
    try writeFolder(target, replacing: ModelExport.modelFiles) { aside throws(ClipError) in
      let writer = try SafetensorsWriter(
        path: join(aside, weightFile),
        outputs.map { .init(name: $0.name, type: $0.type, shape: $0.shape, byteCount: $0.byteCount) },
        metadata: [("format", "pt")])
      let progress = Progress(callback, total: outputs.reduce(0) { $0 &+ $1.byteCount })
      var done = 0
      for output in outputs {
        try progress.report(done)
        try output.write(to: writer)
        done += output.byteCount
      }
      try progress.report(done)
      try writer.finish()
      for (name, text) in configs {
        let memory = try Memory(byteCount: text.count, for: "a configuration")
        for (index, byte) in text.enumerated() { memory.bytes[index] = byte }
        try writeFile(join(aside, name), UnsafeRawBufferPointer(start: memory.base, count: memory.byteCount))
      }
      try copyRest(to: aside)
    }
  }

  /// Names of configuration and weight files. When a model is replaced, all of them are removed.
  private static var modelFiles: [Name] { configs + Layout.openClip.weightFiles }
  private static var configs: [Name] {
    [
      HuggingFaceConfig.file, OpenClipConfig.file, ClipcoreConfig.file, "preprocessor_config.json",
      "processor_config.json",
    ]
  }

  /// Copies tokenizer files, and the configuration if the layout stays: not weights, not code.
  private func copyRest(to target: String) throws(ClipError) {
    let endings: [Name] = [".json", ".txt", ".model"]
    for ending in endings {
      for name in try names(in: folder, endingIn: ending) where !name.hasSuffix(".index.json") {
        let path = join(folder, name)
        if try FileKind(path) != .file || isConverted && ModelExport.configs.contains(name) { continue }
        let file = try MappedFile(path: path)
        try writeFile(join(target, name), file.bytes)
        withExtendedLifetime(file) {}
      }
    }
  }

  /// The encoders' parameters, and the logit scale and bias.
  private func parameters(_ plugins: PluginRegistry) throws(ClipError) -> [Parameter] {
    var list: [Parameter] = []
    for (tower, kind) in [(description.image, CLIP_TOWER_IMAGE), (description.text, CLIP_TOWER_TEXT)] {
      guard let tower else {
        throw ClipError(CLIP_UNSUPPORTED, folder + ": expected a model with an image tower and a text tower")
      }
      list += try TowerPlan(tower, tower: kind, plugins: plugins).parameters
    }
    for name in [description.logitScale, description.logitBias] {
      if let name, let found = source.find(name) { list.append(Parameter(name: name, shape: found.shape)) }
    }
    return list
  }

  // MARK: Tensors

  /// A tensor to be written.
  private final class Output {
    let name: Name
    let shape: [Int]
    let type: ElementType
    /// The source of elements that are in no part.
    let stored: Safetensors.Tensor?
    /// The parameters in it, and their arrangement.
    var parts: [(found: StoredParameter, arrangement: ParameterRule.Arrangement)] = []

    init(_ name: Name, _ shape: [Int], _ type: ElementType, stored: Safetensors.Tensor? = nil) {
      self.name = name
      self.shape = shape
      self.type = type
      self.stored = stored
    }

    var count: Int { shape.reduce(1) { $0 &* $1 } }
    var byteCount: Int { type.holdsWeights ? count * type.bits / 8 : stored?.bytes.count ?? 0 }

    func write(to writer: SafetensorsWriter) throws(ClipError) {
      guard type.holdsWeights else {
        guard let stored, stored.strides.isEmpty else {
          throw ClipError(CLIP_UNSUPPORTED, name.string + ": expected elements without gaps")
        }
        let memory = try Memory(byteCount: stored.bytes.count, for: "a tensor")
        try stored.file.read(stored.bytes, into: memory.base)
        try writer.append(memory.base, memory.byteCount)
        return
      }
      let numbers = try Memory(floats: count, for: "a tensor")
      if let stored { try read(StoredParameter(stored, .whole), into: numbers) }
      for part in parts {
        let scratch = try Memory(floats: part.found.tensor.count, for: "a tensor")
        try read(part.found, into: scratch)
        part.arrangement.place(scratch.floats, shape: part.found.shape, in: numbers.floats)
      }
      if type == .float16 { try checkHalfRange(numbers.floats, count, name) }
      if type != .float32 {
        // Narrowed in place: a 16-bit element is written where its float was read, or before.
        let halves = numbers.base.assumingMemoryBound(to: UInt16.self)
        for index in 0..<count {
          let value = numbers.base.load(fromByteOffset: index * 4, as: Float.self)
          halves[index] = type == .float16 ? Half.narrow(value) : Half.narrowBrain(value)
        }
      }
      try writer.append(numbers.base, byteCount)
    }

    private func read(_ found: StoredParameter, into memory: Memory) throws(ClipError) {
      try found.read(rows: 0..<found.rowCount, into: memory.floats)
    }
  }

  /// The tensors of the file, with the new weights.
  private func asOpened(_ parameters: [Parameter], _ weights: StoredTensors?) throws(ClipError) -> [Output] {
    var outputs: [Output] = []
    var indexes: [Name: Int] = [:]
    for tensor in description.weights.tensors.list.ordered(by: { $0.name < $1.name }) {
      let name = tensor.name
      let type = !tensor.type.holdsWeights ? tensor.type : tensor.count == 1 ? .float32 : self.type
      indexes[name] = outputs.count
      outputs.append(Output(name, tensor.shape, type, stored: tensor))
    }
    for parameter in parameters {
      guard let new = weights?.tensors[parameter.name], let found = source.find(parameter),
        let index = indexes[found.tensor.name]
      else { continue }
      guard found.resize == nil else {
        throw ClipError(
          CLIP_UNSUPPORTED,
          "\(folder): \(found.tensor.name.string): expected positions for the file's own size of images, "
            + "found some that are trained for another")
      }
      outputs[index].parts.append((StoredParameter(new, .whole), found.arrangement))
    }
    return outputs
  }

  /// The tensors of another layout that hold the parameters.
  private func converted(_ parameters: [Parameter], _ weights: StoredTensors?) throws(ClipError) -> [Output] {
    let rules = layout.clipNames.rules
    var outputs: [Output] = []
    var indexes: [Name: Int] = [:]
    for parameter in parameters {
      let new = weights?.tensors[parameter.name].map { StoredParameter($0, .whole) }
      guard let found = new ?? source.find(parameter), found.shape == parameter.shape else {
        throw ClipError(CLIP_MISMATCH, parameter.name.string + ": expected shape " + describe(shape: parameter.shape))
      }
      var (name, arrangement) = (parameter.name, ParameterRule.Arrangement.whole)
      for rule in rules {
        guard let tensorName = rule.tensorName(for: parameter.name) else { continue }
        (name, arrangement) = (tensorName, rule.arrangement)
        break
      }
      guard
        arrangement == .whole || parameter.shape.count == 2 || arrangement != .transposed && parameter.shape.count == 1
      else {
        throw ClipError(
          CLIP_UNSUPPORTED, "\(folder): layout: no tensor of \(layout.name) holds \(parameter.name.string)")
      }
      if indexes[name] == nil {
        indexes[name] = outputs.count
        // The file may have the scale with one side.
        let isScale = parameter.name == description.logitScale
        outputs.append(Output(name, isScale ? [] : arrangement.tensorShape(parameter.shape), isScale ? .float32 : type))
      }
      if let index = indexes[name] { outputs[index].parts.append((found, arrangement)) }
    }
    return outputs
  }
}
