import CClip

/// Builds a graph for an encoder plugin. Every method checks what it is given; the first error is
/// kept, and everything after it does nothing.
///
/// Plugins reach it through the function table that BuilderTable.swift makes.
final class Builder {
  /// Of the encoder that builds now: its own, or that of a part while the part builds.
  var config: JSON
  var graph = Graph()
  private(set) var error: ClipError?
  var scopes: [Name]
  /// Where encoders that others are composed of come from, and of which modality they must be.
  let plugins: PluginRegistry
  let tower: Int
  /// How many encoders are building, one inside the other.
  var depth = 0
  /// Values that parts have named, by their scoped names.
  var published: [Name: clip_value] = [:]
  /// Strings handed to the plugin, kept until build returns.
  private var strings: [Memory] = []

  init(config: JSON, scope: Name, tower: Int, plugins: PluginRegistry) {
    self.config = config
    self.tower = tower
    self.plugins = plugins
    scopes = scope.isEmpty ? [] : [scope]
  }

  func fail(_ status: clip_status, _ message: String) {
    if error == nil { error = ClipError(status, message) }
  }

  func record(_ failure: ClipError) { if error == nil { error = failure } }

  // MARK: Configuration

  /// The value at a path of keys joined by dots; nil where it is absent.
  func value(_ key: Name) -> JSON? {
    var at = config
    for part in key.utf8.split(separator: UInt8(ascii: ".")) {
      guard let next = at[Name(utf8: Array(part))] else { return nil }
      at = next
    }
    return at
  }

  func wrong(_ key: Name, _ expected: String, _ found: JSON?) {
    fail(CLIP_FORMAT, "config: " + key.string + ": expected " + expected + ", found " + (found?.kind ?? "nothing"))
  }

  func needInt(_ key: Name, _ low: Int64, _ high: Int64) -> Int64 {
    let found = value(key)
    guard let integer = found?.int, Int64(integer) >= low, Int64(integer) <= high else {
      wrong(key, "an integer from \(low) to \(high)", found)
      return low
    }
    return Int64(integer)
  }

  func getInt(_ key: Name, _ fallback: Int64) -> Int64 {
    guard let found = value(key) else { return fallback }
    guard let integer = found.int else {
      wrong(key, "an integer", found)
      return fallback
    }
    return Int64(integer)
  }

  func getNumber(_ key: Name, _ fallback: Double) -> Double {
    guard let found = value(key) else { return fallback }
    guard let number = found.number else {
      wrong(key, "a number", found)
      return fallback
    }
    return number
  }

  func getString(_ key: Name) -> UnsafePointer<CChar>? {
    guard let found = value(key) else { return nil }
    guard let string = found.string else {
      wrong(key, "a string", found)
      return nil
    }
    do throws(ClipError) {
      let memory = try Memory(byteCount: string.utf8.count + 1, for: "a config string")
      for (index, byte) in string.utf8.enumerated() { memory.bytes[index] = byte }
      memory.bytes[string.utf8.count] = 0
      strings.append(memory)
      return UnsafeRawPointer(memory.base).assumingMemoryBound(to: CChar.self)
    } catch {
      record(error)
      return nil
    }
  }

  func getInts(_ key: Name) -> [Int] {
    guard let found = value(key) else { return [] }
    guard let elements = found.array else {
      wrong(key, "an array of integers", found)
      return []
    }
    var integers: [Int] = []
    for element in elements {
      guard let integer = element.int else {
        wrong(key, "an array of integers", element)
        return []
      }
      integers.append(integer)
    }
    return integers
  }

  // MARK: Names

  func push(_ name: Name) {
    guard scopes.count < 64 else { return fail(CLIP_PLUGIN, "push: expected at most 64 scopes") }
    scopes.append(name)
  }

  func pop() {
    if scopes.popLast() == nil { fail(CLIP_PLUGIN, "pop: there is no scope left to leave") }
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

  func add(_ node: Operation) -> clip_value {
    guard error == nil else { return -1 }
    guard graph.nodes.count < Builder.mostNodes else {
      fail(CLIP_LIMIT, "graph: expected at most \(Builder.mostNodes) operations")
      return -1
    }
    graph.nodes.append(node)
    return clip_value(graph.nodes.count - 1)
  }

  /// The shape of a value, or nil with the error recorded.
  func shape(_ value: clip_value, _ op: StaticString) -> Shape? {
    guard error == nil else { return nil }
    guard graph.nodes.indices.contains(Int(value)) else {
      fail(CLIP_PLUGIN, "\(op): expected a value of this builder, found \(value)")
      return nil
    }
    return graph.nodes[Int(value)].shape
  }

  func checkWidth(_ width: UInt32, _ op: StaticString, _ name: Name) -> Int? {
    guard error == nil else { return nil }
    guard width >= 1, Int(width) <= Builder.largestWidth else {
      fail(
        CLIP_INVALID_ARGUMENT,
        "\(op) " + scoped(name).string + ": expected a width from 1 to \(Builder.largestWidth), found \(width)")
      return nil
    }
    return Int(width)
  }

  func pixels(_ height: UInt32, _ width: UInt32) -> clip_value {
    guard (1...16384).contains(height), (1...16384).contains(width) else {
      fail(CLIP_INVALID_ARGUMENT, "pixels: expected sides from 1 to 16384, found \(width) x \(height)")
      return -1
    }
    for (index, node) in graph.nodes.enumerated() {
      guard let input = node as? PixelInput else { continue }
      if input.height == Int(height), input.width == Int(width) { return clip_value(index) }
      fail(
        CLIP_INVALID_ARGUMENT,
        "pixels: expected one size for all, found \(width) x \(height) after \(input.width) x \(input.height)")
    }
    return add(PixelInput(height: Int(height), width: Int(width)))
  }

  func tokens(_ vocabulary: UInt32, _ contextLength: UInt32, _ rule: clip_end_rule, _ endToken: Int32) -> clip_value {
    guard vocabulary >= 1, vocabulary <= 1 << 24, (1...65536).contains(contextLength) else {
      fail(
        CLIP_INVALID_ARGUMENT,
        "tokens: expected a vocabulary and a context length, found \(vocabulary) and \(contextLength)")
      return -1
    }
    guard rule.rawValue <= CLIP_END_LAST.rawValue else {
      fail(CLIP_INVALID_ARGUMENT, "tokens: expected a clip_end_rule, found \(rule.rawValue)")
      return -1
    }
    let needsToken = rule == CLIP_END_TOKEN_ID || rule == CLIP_END_PADDING
    guard !needsToken || (endToken >= 0 && UInt32(endToken) < vocabulary) else {
      fail(CLIP_INVALID_ARGUMENT, "tokens: expected an end token in the vocabulary of \(vocabulary), found \(endToken)")
      return -1
    }
    let input = TokenInput(
      vocabulary: Int(vocabulary), contextLength: Int(contextLength), rule: rule, endToken: needsToken ? endToken : 0)
    for (index, node) in graph.nodes.enumerated() {
      guard let other = node as? TokenInput else { continue }
      if other.isSame(as: input) { return clip_value(index) }
      fail(CLIP_INVALID_ARGUMENT, "tokens: expected one vocabulary, length and end for all, found two")
    }
    return add(input)
  }

  func rowParameter(_ name: Name, _ width: UInt32) -> clip_value {
    guard let width = checkWidth(width, "row_parameter", name) else { return -1 }
    return add(RowParameter(scoped(name), width: width))
  }

  func linear(_ x: clip_value, _ name: Name, _ features: UInt32, _ flags: UInt32) -> clip_value {
    guard let shape = shape(x, "linear"), let features = checkWidth(features, "linear", name) else { return -1 }
    return add(
      Linear(
        input: Int(x), shape: shape, name: scoped(name), features: features, hasBias: flags & UInt32(CLIP_NO_BIAS) == 0)
    )
  }

  func embedding(_ tokens: clip_value, _ name: Name, _ width: UInt32) -> clip_value {
    guard shape(tokens, "embedding") != nil, let width = checkWidth(width, "embedding", name) else { return -1 }
    guard let input = graph.nodes[Int(tokens)] as? TokenInput else {
      fail(CLIP_PLUGIN, "embedding " + scoped(name).string + ": expected tokens as its input")
      return -1
    }
    return add(
      Embedding(tokens: Int(tokens), vocabulary: input.vocabulary, width: width, weight: scoped(name + ".weight")))
  }

  func positions(_ x: clip_value, _ name: Name, table rows: UInt32? = nil) -> clip_value {
    guard let shape = shape(x, "positions") else { return -1 }
    let needed = mostRows(shape)
    if let rows, Int(rows) < needed || Int(rows) > Builder.largestWidth {
      fail(
        CLIP_INVALID_ARGUMENT,
        "positions " + scoped(name).string + ": expected a table of at least \(needed) rows, found \(rows)")
      return -1
    }
    return add(Positions(input: Int(x), of: shape, rows: rows.map { Int($0) } ?? needed, name: scoped(name)))
  }

  /// Rows that an item of this shape has at most.
  private func mostRows(_ shape: Shape) -> Int {
    switch shape.rows {
    case .one: return 1
    case .fixed(let count): return count
    case .tokens:
      for node in graph.nodes { if let input = node as? TokenInput { return input.contextLength } }
      return 1
    }
  }

  func layerNorm(_ x: clip_value, _ name: Name, _ epsilon: Float) -> clip_value {
    guard let shape = shape(x, "layer_norm"), checkEpsilon(epsilon, name) else { return -1 }
    return add(LayerNorm(input: Int(x), shape: shape, name: scoped(name), epsilon: epsilon))
  }

  func batchNorm(_ x: clip_value, _ name: Name, _ epsilon: Float) -> clip_value {
    guard let shape = shape(x, "batch_norm"), checkEpsilon(epsilon, name) else { return -1 }
    return add(BatchNorm(input: Int(x), shape: shape, name: scoped(name), epsilon: epsilon))
  }

  private func checkEpsilon(_ epsilon: Float, _ name: Name) -> Bool {
    if epsilon >= 0, epsilon < 1 { return true }
    fail(CLIP_INVALID_ARGUMENT, scoped(name).string + ": expected an epsilon from 0 to 1, found \(epsilon)")
    return false
  }

  func activate(_ x: clip_value, _ activation: clip_activation) -> clip_value {
    guard let shape = shape(x, "activate") else { return -1 }
    guard activation.rawValue <= CLIP_TANH.rawValue else {
      fail(CLIP_INVALID_ARGUMENT, "activate: expected a clip_activation, found \(activation.rawValue)")
      return -1
    }
    return add(Activation(input: Int(x), shape: shape, activation))
  }

  func sum(_ x: clip_value, _ y: clip_value) -> clip_value {
    guard let left = shape(x, "add"), let right = shape(y, "add") else { return -1 }
    guard left.rows == right.rows, left.width == right.width else { return broadcast(x, y, .sum) }
    return add(Add(Int(x), Int(y), shape: left))
  }

  func attention(_ q: clip_value, _ k: clip_value, _ v: clip_value, _ heads: UInt32, _ flags: UInt32) -> clip_value {
    guard let queries = shape(q, "attention"), let keys = shape(k, "attention"), let values = shape(v, "attention")
    else {
      return -1
    }
    guard keys.rows == values.rows, keys.width == values.width, queries.width == keys.width,
      queries.rows == keys.rows || queries.rows == .one
    else {
      fail(
        CLIP_INVALID_ARGUMENT,
        "attention: expected q, k and v of one shape, found " + queries.text + ", " + keys.text + " and " + values.text)
      return -1
    }
    let isCausal = flags & UInt32(CLIP_CAUSAL) != 0
    guard heads >= 1, queries.width % Int(heads) == 0, !isCausal || queries.rows == keys.rows else {
      fail(
        CLIP_INVALID_ARGUMENT,
        "attention: expected a number of heads that divides the width \(queries.width), found \(heads)")
      return -1
    }
    let shape = Shape(rows: queries.rows, width: queries.width)
    return add(
      Attention(
        q: Int(q), k: Int(k), v: Int(v), shape: shape, keyRows: keys.rows, heads: Int(heads), isCausal: isCausal))
  }

  func prepend(_ x: clip_value, _ row: clip_value) -> clip_value {
    guard let shape = shape(x, "prepend"), let first = self.shape(row, "prepend") else { return -1 }
    guard case .fixed(let rows) = shape.rows, first.rows == .one, first.width == shape.width else {
      fail(
        CLIP_INVALID_ARGUMENT,
        "prepend: expected a picture's rows and one row as wide, found " + shape.text + " and " + first.text)
      return -1
    }
    return add(Prepend(input: Int(x), of: shape, row: Int(row), rows: rows))
  }

  func pickRow(_ x: clip_value, _ selector: RowSelector) -> clip_value {
    guard let shape = shape(x, selector == .first ? "first_row" : "end_row") else { return -1 }
    if shape.rows == .one { return x }
    guard selector == .first || shape.rows == .tokens else {
      fail(CLIP_INVALID_ARGUMENT, "end_row: expected a text's rows, found " + shape.text)
      return -1
    }
    return add(PickRow(input: Int(x), of: shape, selector))
  }

  func reduceRows(_ x: clip_value, _ reduction: Reduction) -> clip_value {
    guard let shape = shape(x, reduction == .mean ? "mean_rows" : "max_rows") else { return -1 }
    return shape.rows == .one ? x : add(ReduceRows(input: Int(x), of: shape, reduction))
  }

  func windowed(_ x: clip_value, _ window: UnsafePointer<clip_window>?, _ op: StaticString) -> (Shape, Window, Int)? {
    guard let shape = shape(x, op) else { return nil }
    guard let grid = shape.rows == .one ? Shape.Grid(height: 1, width: 1) : shape.grid else {
      fail(CLIP_INVALID_ARGUMENT, "\(op): expected a grid, found " + shape.text)
      return nil
    }
    guard let window, Int(window.pointee.struct_size) >= MemoryLayout<clip_window>.size else {
      fail(CLIP_PLUGIN, "\(op): expected a clip_window of \(MemoryLayout<clip_window>.size) bytes")
      return nil
    }
    do throws(ClipError) {
      return (shape, try Window(window.pointee, on: grid), max(1, Int(window.pointee.groups)))
    } catch {
      record(error.at("\(op)"))
      return nil
    }
  }

  func conv(_ x: clip_value, _ name: Name, _ features: UInt32, _ window: UnsafePointer<clip_window>?, _ flags: UInt32)
    -> clip_value
  {
    guard let (shape, window, groups) = windowed(x, window, "conv"), let features = checkWidth(features, "conv", name)
    else {
      return -1
    }
    guard shape.width % groups == 0, features % groups == 0 else {
      fail(
        CLIP_INVALID_ARGUMENT,
        "conv " + scoped(name).string
          + ": expected groups that divide \(shape.width) and \(features) channels, found \(groups)")
      return -1
    }
    return add(
      Convolution.make(
        input: Int(x), shape: shape, window: window, groups: groups, name: scoped(name), features: features,
        hasBias: flags & UInt32(CLIP_NO_BIAS) == 0))
  }

  func pool(_ x: clip_value, _ window: UnsafePointer<clip_window>?, _ kind: Pooling.Kind) -> clip_value {
    guard let (shape, window, _) = windowed(x, window, kind == .mean ? "avg_pool" : "max_pool") else { return -1 }
    return add(Pooling(input: Int(x), shape: shape, window: window, kind))
  }

  /// The finished graph, or the first error.
  func finish(_ output: clip_value) throws(ClipError) -> Graph {
    if let error { throw error }
    guard graph.nodes.indices.contains(Int(output)) else {
      throw ClipError(CLIP_PLUGIN, "build: expected a value of this builder, found \(output)")
    }
    let shape = graph.nodes[Int(output)].shape
    guard shape.rows == .one else {
      throw ClipError(CLIP_PLUGIN, "build: expected one row an item, found " + shape.text)
    }
    graph.output = Int(output)
    graph.prune()
    return graph
  }
}
