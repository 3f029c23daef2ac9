import CClip
import CSystem

/// New weights for a folder that has none, drawn as open_clip draws CLIP's (https://github.com/mlfoundations/open_clip,
/// `init_parameters`), by what the graph does with each and not by its name:
/// - norms 1 and 0, running means 0 and variances 1, biases 0;
/// - token embeddings 0.02; positions 0.01 of a text and width^-0.5 of an image, whose class token is as they are;
/// - linear layers in^-0.5; before an activation (2 in)^-0.5; on the way into a residual sum out^-0.5 over the root
///   of how many sums the tower has;
/// - convolutions before a norm or an activation by He et al. (2015), others (3 in)^-0.5, PyTorch's own.
struct InitialWeights {
  private enum Rule {
    case constant(Float)
    case normal(Double)
  }

  /// A tensor of the file and the parameters in it.
  private struct Item {
    let tensor: Name
    let arrangement: ParameterRule.Arrangement
    let shape: [Int]
    let rule: Rule
  }

  private let path: String
  private var items: [Item] = []

  init(folder: String, plugins: PluginRegistry) throws(ClipError) {
    let description = try ModelDescription.open(folder: folder, formats: [], hasWeights: false)
    for name in description.layout.weightFiles + [description.weightFile] {
      guard try FileKind(join(description.folder, name)) == .absent else {
        throw ClipError(CLIP_INVALID_ARGUMENT, join(description.folder, name) + ": expected a folder without weights")
      }
    }
    path = join(description.folder, description.weightFile)
    for (tower, kind) in [(description.image, CLIP_TOWER_IMAGE), (description.text, CLIP_TOWER_TEXT)] {
      guard let tower else { continue }
      let plan = try TowerPlan(tower, tower: kind, plugins: plugins)
      add(plan.graph, isText: kind == CLIP_TOWER_TEXT, description.names)
    }
    // SigLIP's initial values if there is a bias, else CLIP's 1 / 0.07.
    let hasBias = description.logitBias != nil
    let shape = hasBias ? [1] : []
    if let name = description.logitScale {
      add(name, shape, .constant(Float(log(hasBias ? 10 : 1 / 0.07))), description.names)
    }
    if let name = description.logitBias { add(name, shape, .constant(-10), description.names) }
  }

  private mutating func add(_ graph: Graph, isText: Bool, _ names: TensorNames) {
    var users = [[Operation]](repeating: [], count: graph.nodes.count)
    for node in graph.nodes { for input in node.inputs { users[input].append(node) } }
    let sums = graph.nodes.reduce(0) { $0 + ($1 is Add ? 1 : 0) }
    for (index, node) in graph.nodes.enumerated() {
      for (place, parameter) in node.parameters.enumerated() {
        add(
          parameter.name, parameter.shape, InitialWeights.rule(node, place, parameter, users[index], sums, isText),
          names)
      }
    }
  }

  private static func rule(
    _ node: Operation, _ place: Int, _ parameter: Parameter, _ users: [Operation], _ sums: Int, _ isText: Bool
  ) -> Rule {
    let (out, width) = (parameter.shape.first ?? 1, parameter.shape.last ?? 1)
    let isActivated = users.contains { $0 is Activation }
    if let value = node.initialValue(ofParameter: place) { return .constant(value) }
    if node is Embedding { return .normal(0.02) }
    if node is Positions { return .normal(isText ? 0.01 : 1 / Double(width).squareRoot()) }
    if node is RowParameter { return .normal(1 / Double(width).squareRoot()) }
    guard parameter.shape.count > 1 else { return .constant(0) }
    let fanIn = Double(parameter.shape.dropFirst().reduce(1) { $0 &* $1 })
    if node is Convolution {
      return .normal((isActivated || users.contains { $0 is BatchNorm } ? 2 / fanIn : 1 / (3 * fanIn)).squareRoot())
    }
    if users.contains(where: { $0 is Add }) { return .normal(1 / (Double(out) * Double(sums)).squareRoot()) }
    return .normal(1 / ((isActivated ? 2 : 1) * fanIn).squareRoot())
  }

  private mutating func add(_ name: Name, _ shape: [Int], _ rule: Rule, _ names: TensorNames) {
    var place = (tensor: name, arrangement: ParameterRule.Arrangement.whole)
    if !names.isDirect {
      for candidate in names.rules {
        guard let tensor = candidate.tensorName(for: name) else { continue }
        place = (tensor, candidate.arrangement)
        break
      }
    }
    guard !items.contains(where: { $0.tensor == place.tensor && $0.arrangement == place.arrangement }) else { return }
    items.append(Item(tensor: place.tensor, arrangement: place.arrangement, shape: shape, rule: rule))
  }

  /// Draws the weights and writes the file. Each parameter has a stream of its own.
  func write(seed: UInt64) throws(ClipError) {
    // The items of each tensor.
    var parts: [[Int]] = []
    var tensors: [SafetensorsWriter.Tensor] = []
    var indexes: [Name: Int] = [:]
    for (index, item) in items.enumerated() {
      if let known = indexes[item.tensor] {
        parts[known].append(index)
        continue
      }
      indexes[item.tensor] = tensors.count
      let shape = fileShape(item)
      var count = 4
      for side in shape { count = try product(count, side, "a tensor") }
      tensors.append(.init(name: item.tensor, type: .float32, shape: shape, byteCount: count))
      parts.append([index])
    }
    let writer = try SafetensorsWriter(path: path, tensors, metadata: [("format", "pt")])
    for (tensor, parts) in zip(tensors, parts) {
      let numbers = try Memory(floats: tensor.byteCount / 4, for: "a tensor")
      for index in parts { draw(index, seed, into: numbers.floats) }
      defer { withExtendedLifetime(numbers) {} }
      try writer.append(numbers.base, tensor.byteCount)
    }
    try writer.finish()
  }

  private func fileShape(_ item: Item) -> [Int] {
    switch item.arrangement {
    case .whole: item.shape
    case .part(_, let parts): [parts &* (item.shape.first ?? 1)] + item.shape.dropFirst()
    case .transposed: item.shape.reversed()
    }
  }

  /// A matrix may be transposed in the file: all its elements have one distribution.
  private func draw(_ index: Int, _ seed: UInt64, into tensor: UnsafeMutablePointer<Float>) {
    let item = items[index]
    let count = item.shape.reduce(1) { $0 &* $1 }
    var start = 0
    if case .part(let part, _) = item.arrangement { start = part &* count }
    var stream = RandomStream(seed: seed, purpose: .weights, stream: UInt64(index), part: 1)
    for place in start..<(start &+ count) {
      switch item.rule {
      case .constant(let value): tensor[place] = value
      case .normal(let deviation): tensor[place] = Float(stream.normal() * deviation)
      }
    }
  }
}
