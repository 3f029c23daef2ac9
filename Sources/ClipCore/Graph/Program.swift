import CClip
import CSystem

/// A graph ready to run: weights loaded, memory planned. Immutable, so any number of threads may run it at once, each
/// with its own workspace.
final class Program {
  let nodes: [Operation]
  let output: Int
  /// The slot of the arena that holds each node's value.
  let slots: [Int]
  let slotCount: Int
  let kernels: Kernels
  let tokens: TokenInput?
  /// Whether rows after a text's end are not computed: they cannot change the output, or are padding.
  let stopsAtEnd: Bool
  private let hasWeights: Bool
  /// Counts the weights, and the activations kept between calls.
  let memory: MemoryMeter
  private let workspaces = IdlePool<Workspace>()

  /// Without a loader no weights are loaded, and `run` is an error.
  convenience init(_ graph: Graph, loader: ParameterLoader?, kernels: Kernels) throws(ClipError) {
    var graph = graph
    graph.optimise()
    if let loader { for node in graph.nodes { try node.load(loader) } }
    self.init(loaded: graph, kernels, loader?.meter, hasWeights: loader != nil)
  }

  private init(
    loaded graph: Graph, _ kernels: Kernels, _ memory: MemoryMeter?, hasWeights: Bool = true, ownSlots: Bool = false
  ) {
    self.memory = memory ?? MemoryMeter()
    self.hasWeights = hasWeights
    nodes = graph.nodes
    output = graph.output
    self.kernels = kernels
    tokens = nodes.lazy.compactMap { $0 as? TokenInput }.first
    stopsAtEnd =
      tokens?.dropsPadding == true
      || tokens != nil
        && nodes.allSatisfy { node in
          node.ignoresRowsAfterEnd || node.inputs.allSatisfy { graph.nodes[$0].shape.rows != .tokens }
        }
    (slots, slotCount) = ownSlots ? (Array(graph.nodes.indices), graph.nodes.count) : Program.plan(graph)
  }

  /// A graph for training: every value has its own slot, which TrainingPlan places.
  convenience init(training graph: Graph, loader: ParameterLoader, kernels: Kernels) throws(ClipError) {
    var graph = graph
    graph.prepareToTrain()
    for node in graph.nodes { try node.bind(loader) }
    self.init(loaded: graph, kernels, loader.meter, ownSlots: true)
  }

  /// Gives each value a slot. A slot is reused after the last read of its value.
  static func plan(_ graph: Graph) -> (slots: [Int], count: Int) {
    var lastUse = [Int](repeating: 0, count: graph.nodes.count)
    for (index, node) in graph.nodes.enumerated() { for input in node.inputs { lastUse[input] = index } }
    lastUse[graph.output] = graph.nodes.count
    var slots = [Int](repeating: 0, count: graph.nodes.count)
    var free: [Int] = []
    var count = 0
    for (index, node) in graph.nodes.enumerated() {
      var taken: Int?
      for (position, input) in node.inputs.enumerated()
      where lastUse[input] == index && node.mayOverwrite(input: position) && taken == nil
        && node.inputs.count(where: { $0 == input }) == 1
        && graph.nodes[input].shape.width == node.shape.width && graph.nodes[input].shape.rows == node.shape.rows
      {
        taken = slots[input]
      }
      if let taken {
        slots[index] = taken
      } else if let slot = free.popLast() {
        slots[index] = slot
      } else {
        slots[index] = count
        count += 1
      }
      // An input that is used twice by one op is freed once.
      var freed: [Int] = []
      for input in node.inputs where lastUse[input] == index && slots[input] != slots[index] && !freed.contains(input) {
        free.append(slots[input])
        freed.append(input)
      }
      if lastUse[index] == 0, index != graph.output { free.append(slots[index]) }
    }
    return (slots, count)
  }

  /// Computes `items` images: [items, width] to `features`.
  func run(pixels: UnsafePointer<Float>, items: Int, threads: ThreadPool, into features: UnsafeMutablePointer<Float>)
    throws(ClipError)
  {
    let workspace = try takeWorkspace()
    defer { workspaces.give(workspace) }
    var batch = workspace.emptyBatch(items: items)
    batch.pixels = pixels
    try run(batch, workspace, threads, features)
  }

  /// Computes `items` texts, `ids` [items, context length], to `features`. Messages number texts from `firstIndex`.
  func run(
    tokens ids: UnsafePointer<Int32>, items: Int, firstIndex: Int, threads: ThreadPool,
    into features: UnsafeMutablePointer<Float>
  ) throws(ClipError) {
    let workspace = try takeWorkspace()
    defer { workspaces.give(workspace) }
    try run(try batch(tokens: ids, items: items, firstIndex: firstIndex, workspace), workspace, threads, features)
  }

  /// The texts' tokens end to end, in memory of `workspace`.
  func batch(
    tokens ids: UnsafePointer<Int32>, items: Int, firstIndex: Int, _ workspace: Workspace
  ) throws(ClipError) -> Batch {
    guard let tokens else { throw ClipError(CLIP_PLUGIN, "the text encoder takes no tokens") }
    let length = tokens.contextLength
    try workspace.reserveItems(items, tokens: try product(items, length, "tokens"))
    var total = 0
    var longest = 0
    for item in 0..<items {
      let row = ids + item * length
      for position in 0..<length where row[position] < 0 || Int(row[position]) >= tokens.vocabulary {
        throw ClipError(
          CLIP_INVALID_ARGUMENT,
          "tokens[\(firstIndex + item), \(position)]: expected an id from 0 to \(tokens.vocabulary - 1), found \(row[position])"
        )
      }
      guard let end = tokens.end(of: row) else {
        throw ClipError(
          CLIP_INVALID_ARGUMENT, "tokens[\(firstIndex + item)]: expected \(tokens.missingEnd), and found none")
      }
      let count = stopsAtEnd ? end + 1 : length
      workspace.firstTokens[item] = total
      workspace.endPositions[item] = end
      (workspace.tokenIDs + total).update(from: row, count: count)
      total += count
      longest = max(longest, count)
    }
    workspace.firstTokens[items] = total
    var batch = workspace.emptyBatch(items: items)
    batch.totalTokens = total
    batch.longestText = longest
    return batch
  }

  /// Loads what is deferred, so that the first calls take no longer than later ones.
  func makeReady(_ threads: ThreadPool, _ progress: LoadProgress) throws(ClipError) {
    for node in nodes {
      try progress.add(node.parameters.reduce(0) { $0 &+ $1.count })
      try node.makeReady(threads)
    }
  }

  private func takeWorkspace() throws(ClipError) -> Workspace {
    if let workspace = workspaces.take() { return workspace }
    return try Workspace(memory)
  }

  private func run(
    _ batch: Batch, _ workspace: Workspace, _ threads: ThreadPool, _ features: UnsafeMutablePointer<Float>
  )
    throws(ClipError)
  {
    guard hasWeights else {
      throw ClipError(CLIP_UNSUPPORTED, "model: it was opened without its weights, and cannot encode")
    }
    var scratch = 0
    try workspace.clearSlots(slotCount)
    for (index, node) in nodes.enumerated() {
      let floats = try product(batch.totalRows(node.shape.rows), node.shape.width, "activations")
      workspace.growSlot(slots[index], to: floats)
      scratch = max(scratch, node.scratchFloats(batch, kernels))
    }
    try workspace.lay(slots: slotCount, scratch: scratch)
    threads.beginCall()
    defer { threads.endCall() }
    for index in nodes.indices {
      nodes[index].run(
        Run(
          batch: batch, kernels: kernels, threads: threads, scratch: workspace.scratch, failures: workspace.failures,
          program: self,
          arena: workspace.arena, offsets: workspace.offsets, node: index))
    }
    try workspace.failures.throwFirst()
    let value = workspace.arena + workspace.offsets[slots[output]]
    features.update(from: value, count: batch.items * nodes[output].shape.width)
  }
}
