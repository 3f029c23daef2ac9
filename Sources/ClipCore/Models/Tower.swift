import CClip

/// An encoder's graph, built and not yet loaded, so that all of a model's tensors are checked
/// before the first is read.
struct TowerPlan {
  let graph: Graph
  let encoderID: Name
  let owners: [Plugin]
  let parameters: [Parameter]
  /// The tower's input: one of the two.
  let pixels: PixelInput?
  let tokens: TokenInput?

  init(_ description: TowerDescription, tower: Int, plugins: PluginRegistry) throws(ClipError) {
    guard let item = plugins.find(CLIP_KIND_ENCODER, description.encoder) else {
      throw ClipError(
        CLIP_NOT_FOUND,
        "encoder: expected the plugin " + description.encoder.string + ", found " + plugins.ids(CLIP_KIND_ENCODER))
    }
    let encoder = item.table.assumingMemoryBound(to: clip_encoder.self)
    guard Int(encoder.pointee.tower) == tower else {
      throw ClipError(CLIP_PLUGIN, description.encoder.string + ": it encodes the other modality")
    }
    do throws(ClipError) {
      graph = try Builder.build(encoder, description, plugins: plugins)
    } catch {
      throw error.at(description.encoder.string)
    }
    let isImage = tower == CLIP_TOWER_IMAGE
    pixels = graph.nodes.lazy.compactMap { $0 as? PixelInput }.first
    tokens = graph.nodes.lazy.compactMap { $0 as? TokenInput }.first
    guard (pixels != nil) == isImage, (tokens != nil) != isImage else {
      throw ClipError(
        CLIP_PLUGIN,
        description.encoder.string
          + ": expected features made from \(isImage ? "pixels" : "tokens"), and from nothing else")
    }
    encoderID = description.encoder
    owners = (item.plugin.map { [$0] } ?? []) + graph.plugins
    var seen: [Name: Int] = [:]
    var parameters: [Parameter] = []
    for node in graph.nodes {
      for parameter in node.parameters where seen.updateValue(1, forKey: parameter.name) == nil {
        parameters.append(parameter)
      }
    }
    self.parameters = parameters
  }

  /// Features that come out.
  var width: Int { graph.nodes[graph.output].shape.width }
  var parameterCount: Int { parameters.reduce(0) { $0 &+ $1.count } }
}

/// One encoder of a model, ready to run. Immutable; any number of threads may run it at once.
struct Tower {
  let program: Program
  let encoderID: Name
  let parameterCount: Int
  /// Keeps the plugins that built it loaded: ops may call into them.
  private let owners: [Plugin]

  init(_ plan: TowerPlan, loader: ParameterLoader?, kernels: Kernels) throws(ClipError) {
    program = try Program(plan.graph, loader: loader, kernels: kernels)
    encoderID = plan.encoderID
    parameterCount = plan.parameterCount
    owners = plan.owners
  }
}

/// Tensors that are missing, extra or of another shape, gathered into one error.
struct TensorProblems {
  private var lines: [String] = []
  private static var mostLines: Int { 40 }

  mutating func check(_ parameter: Parameter, in source: ParameterSource) {
    let known = source.fileNames(of: parameter.name).map { $0.string }
    var file = ""
    for name in known { file += (file.isEmpty ? "" : " or ") + name }
    guard let shape = source.find(parameter)?.shape else {
      lines.append("missing: " + (file.isEmpty ? parameter.name.string : file) + " " + describe(shape: parameter.shape))
      return
    }
    if shape != parameter.shape {
      lines.append(
        "wrong shape: " + (file.isEmpty ? parameter.name.string : file) + ": expected "
          + describe(shape: parameter.shape) + ", found " + describe(shape: shape))
    }
  }

  mutating func addExtra(_ name: Name) { lines.append("extra: " + name.string) }

  /// "place: 3 tensors do not fit the config: …", nil when all is well.
  func error(_ place: String) -> ClipError? {
    guard !lines.isEmpty else { return nil }
    var message =
      place + ": \(lines.count) " + (lines.count == 1 ? "tensor does" : "tensors do") + " not fit the config"
    for line in lines.prefix(TensorProblems.mostLines) { message += "\n  " + line }
    if lines.count > TensorProblems.mostLines { message += "\n  and \(lines.count - TensorProblems.mostLines) more" }
    return ClipError(CLIP_MISMATCH, message)
  }
}
