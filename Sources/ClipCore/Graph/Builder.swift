import CClip

/// Builds a graph for an encoder plugin, which calls it through the function table of BuilderTable.swift.
final class Builder {
  /// The configuration of the encoder that is building: the outer one's, or that of a part while the part builds.
  var config: JSON
  var graph = Graph()
  /// The first error; calls after it do nothing.
  private(set) var error: ClipError?
  var scopes: [Name]
  /// The registry in which composed encoders are found. They must be of the same modality.
  let plugins: PluginRegistry
  let tower: Int
  /// The depth of nested encoders.
  var depth = 0
  /// Values that encoders named for the encoders that use them, by scoped name.
  var outputs: [Name: Int] = [:]
  /// Strings lent to the plugin, kept until build returns.
  var strings: [Memory] = []

  init(config: JSON, scope: Name, tower: Int, plugins: PluginRegistry) {
    self.config = config
    self.tower = tower
    self.plugins = plugins
    scopes = scope.isEmpty ? [] : [scope]
  }

  /// Runs the body of a call from the plugin. Errors are sticky: the first is kept, and later calls return `fallback`.
  func call<Result>(_ fallback: Result, _ body: () throws(ClipError) -> Result) -> Result {
    guard error == nil else { return fallback }
    do throws(ClipError) {
      return try body()
    } catch {
      self.error = error
      return fallback
    }
  }

  // MARK: Scopes

  func push(_ name: Name) throws(ClipError) {
    guard scopes.count < 64 else { throw ClipError(CLIP_PLUGIN, "push: expected at most 64 scopes") }
    scopes.append(name)
  }

  func pop() throws(ClipError) {
    guard scopes.popLast() != nil else { throw ClipError(CLIP_PLUGIN, "pop: expected a scope to leave, found none") }
  }

  func scoped(_ name: Name) -> Name {
    var utf8: [UInt8] = []
    for scope in scopes {
      utf8.append(contentsOf: scope.utf8)
      utf8.append(UInt8(ascii: "."))
    }
    return Name(utf8: utf8 + name.utf8)
  }

  // MARK: Nodes

  static let largestWidth = 1 << 20
  private static let mostNodes = 1 << 16

  func add(_ node: Operation) throws(ClipError) -> Int {
    guard graph.nodes.count < Builder.mostNodes else {
      throw ClipError(CLIP_LIMIT, "graph: expected at most \(Builder.mostNodes) operations")
    }
    graph.nodes.append(node)
    return graph.nodes.count - 1
  }

  func shape(_ value: Int) throws(ClipError) -> Shape {
    guard graph.nodes.indices.contains(value) else {
      throw ClipError(CLIP_PLUGIN, "expected a value of this builder, found \(value)")
    }
    return graph.nodes[value].shape
  }

  /// Adds an op by its name: a built-in one, or one that a plugin brings.
  func op(_ op: Name, _ name: Name, _ inputs: [Int], _ settings: [OpCall.Setting]) throws(ClipError) -> Int {
    let scopedName = name.isEmpty ? name : scoped(name)
    do throws(ClipError) {
      let descriptor = try descriptor(op)
      let settings = try descriptor.check(inputs: inputs.count, isNamed: !name.isEmpty, settings)
      var shapes: [Shape] = []
      for input in inputs { shapes.append(try shape(input)) }
      return try descriptor.make(
        OpCall(builder: self, name: scopedName, inputs: inputs, shapes: shapes, settings: settings))
    } catch {
      throw error.at(name.isEmpty ? op.string : op.string + " " + scopedName.string)
    }
  }

  private func descriptor(_ op: Name) throws(ClipError) -> OpDescriptor {
    for descriptor in OpDescriptor.all where descriptor.name == op { return descriptor }
    if let item = plugins.find(CLIP_KIND_OP, op) { return OpDescriptor(item) }
    var names = ""
    for descriptor in OpDescriptor.all { names += descriptor.name.string + ", " }
    throw ClipError(CLIP_NOT_FOUND, "expected an op, one of " + names + "or of plugins: " + plugins.ids(CLIP_KIND_OP))
  }

  /// A tower's output must be one row for each item.
  func checkFeatures(_ value: Int, _ place: String) throws(ClipError) {
    do throws(ClipError) {
      let shape = try shape(value)
      guard shape.rows == .one else { throw ClipError(CLIP_PLUGIN, "expected one row an item, found " + shape.text) }
    } catch {
      throw error.at(place)
    }
  }

  /// The finished graph.
  func finish(_ output: Int) throws(ClipError) -> Graph {
    try checkFeatures(output, "build")
    graph.output = output
    graph.prune()
    return graph
  }
}
