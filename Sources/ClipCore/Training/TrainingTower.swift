import CClip
import CSystem

/// One tower in training: its graph over the store's parameters, and the memory of its activations. One thread
/// at a time.
final class TrainingTower: TrainingMemory {
  let program: Program
  let store: ParameterStore
  /// The store's entries of each node's parameters.
  let entries: [[Int]]
  private let forwardPlan: TrainingPlan
  private let plan: TrainingPlan
  private let index: UInt32
  private let workspace: Workspace
  private var activations: Memory?
  /// The offsets of each node's value and gradient at the current step.
  private let offsets: UnsafeMutablePointer<Int>
  private let gradientOffsets: UnsafeMutablePointer<Int>
  /// Indexed by nodes.
  private let gradients: GradientSink
  /// Of the op whose `backward` runs: whether it adds to each gradient.
  private var inputAdds: [Bool] = []
  private var parameterAdds: [Bool] = []

  /// The state of the forward run that `backward` needs.
  private struct Position {
    var batch: Batch
    var step: TrainingStep
    var places: [Int]
    var sizes: [Int]
    var scratch: Int
  }
  private var position: Position?

  convenience init(
    _ graph: Graph, store: ParameterStore, loader: ParameterLoader, kernels: Kernels, index: UInt32, recomputes: Bool
  ) throws(ClipError) {
    let program = try Program(training: graph, loader: loader, kernels: kernels)
    var entries: [[Int]] = []
    var wanted: [Bool] = []
    for node in program.nodes {
      var own: [Int] = []
      for parameter in node.parameters {
        guard let entry = store.index(parameter.name) else {
          throw ClipError(CLIP_MISMATCH, parameter.name.string + ": it is not among the parameters in training")
        }
        own.append(entry)
      }
      let learns = own.contains { store.entries[$0].trained != nil && store.entries[$0].kind != .statistic }
      wanted.append(learns || node.inputs.contains { wanted[$0] })
      entries.append(own)
      if wanted.last == true, !node.isDifferentiable {
        throw ClipError(CLIP_UNSUPPORTED, "training: the op \"\(node.label)\" has no gradient")
      }
    }
    self.init(program, store, entries, wanted, try Workspace(), index, recomputes)
  }

  private init(
    _ program: Program, _ store: ParameterStore, _ entries: [[Int]], _ wanted: [Bool], _ workspace: Workspace,
    _ index: UInt32, _ recomputes: Bool
  ) {
    self.program = program
    self.store = store
    self.entries = entries
    self.workspace = workspace
    self.index = index
    let nodes = program.nodes
    let none = [Bool](repeating: false, count: nodes.count)
    forwardPlan = TrainingPlan(nodes, output: program.output, wanted: none, keeping: none)
    let keeping = recomputes ? TrainingTower.keptWhenRecomputing(program) : nodes.map { !$0.isCheap }
    plan = TrainingPlan(nodes, output: program.output, wanted: wanted, keeping: keeping)
    offsets = .allocate(capacity: nodes.count)
    offsets.initialize(repeating: 0, count: nodes.count)
    gradientOffsets = .allocate(capacity: nodes.count)
    gradientOffsets.initialize(repeating: -1, count: nodes.count)
    gradients = GradientSink(count: nodes.count)
  }

  deinit {
    offsets.deallocate()
    gradientOffsets.deallocate()
  }

  /// The values that are kept when the others are recomputed: about the square root of the number of gates, evenly
  /// spaced. A gate is a value that is all that later ops read of earlier ones.
  private static func keptWhenRecomputing(_ program: Program) -> [Bool] {
    let nodes = program.nodes
    var lastRead = Array(nodes.indices)
    for (index, node) in nodes.enumerated() { for input in node.inputs { lastRead[input] = index } }
    // A value is a gate if no earlier value is read after it, except values of ops without inputs.
    var gates: [Int] = []
    var latest = -1
    for index in nodes.indices {
      if latest <= index, !nodes[index].inputs.isEmpty { gates.append(index) }
      if !nodes[index].inputs.isEmpty { latest = max(latest, lastRead[index]) }
    }
    var keeping = nodes.map { $0.inputs.isEmpty && !$0.isCheap }
    var step = 1
    while step * step < gates.count { step += 1 }
    for (place, gate) in gates.enumerated() where place % step == 0 { keeping[gate] = true }
    return keeping
  }

  // MARK: TrainingMemory

  func parameter(_ index: Int, of node: Int) -> UnsafeMutablePointer<Float> {
    store.values.floats + store.entries[entries[node][index]].offset
  }

  func parameterGradient(_ index: Int, of node: Int) -> UnsafeMutablePointer<Float>? {
    store.gradient(entries[node][index])
  }

  func adds(parameter index: Int) -> Bool { parameterAdds[index] }
  func adds(input index: Int) -> Bool { inputAdds[index] }

  /// Prepares the gradients of the inputs and parameters of `node`.
  private func beginGradients(of node: Int, _ position: Position, _ activations: Memory) {
    let op = program.nodes[node]
    inputAdds.removeAll(keepingCapacity: true)
    parameterAdds.removeAll(keepingCapacity: true)
    for (index, input) in op.inputs.enumerated() {
      guard gradientOffsets[input] >= 0 else {
        inputAdds.append(true)
        continue
      }
      let isAlone = op.inputs.count(where: { $0 == input }) == 1
      inputAdds.append(
        gradients.begin(
          input, activations.floats + gradientOffsets[input], position.sizes[plan.gradients[input]],
          canSet: isAlone && op.setsGradient(ofInput: index)))
    }
    for (index, entry) in entries[node].enumerated() {
      parameterAdds.append(store.beginGradient(entry, canSet: op.setsGradient(ofParameter: index)))
    }
  }

  // MARK: Running

  var width: Int { program.nodes[program.output].shape.width }
  var learns: Bool { plan.steps.count > plan.forwardSteps }

  /// A batch of texts, valid until the next call.
  func batch(tokens: UnsafePointer<Int32>, items: Int, firstIndex: Int) throws(ClipError) -> Batch {
    try program.batch(tokens: tokens, items: items, firstIndex: firstIndex, workspace)
  }

  func batch(pixels: UnsafePointer<Float>, items: Int) -> Batch {
    var batch = workspace.emptyBatch(items: items)
    batch.pixels = pixels
    return batch
  }

  /// Computes the features of a batch: [items, width] to `features`. With `keeping`, `backward` may follow.
  func forward(
    _ batch: Batch, _ step: TrainingStep, keeping: Bool, threads: ThreadPool,
    into features: UnsafeMutablePointer<Float>
  ) throws(ClipError) {
    let plan = keeping ? plan : forwardPlan
    var scratch = 0
    for node in program.nodes { scratch = max(scratch, node.trainingScratch(batch, program.kernels)) }
    var sizes: [Int] = []
    for buffer in plan.buffers {
      let shape = program.nodes[buffer.node].shape
      sizes.append((try product(batch.totalRows(shape.rows), shape.width, "activations") + 15) & ~15)
    }
    let (places, total) = try plan.place(sizes)
    let (room, overflow) = total.addingReportingOverflow(scratch)
    guard !overflow else { throw ClipError(CLIP_LIMIT, "activations: the batch is too large") }
    if (activations?.byteCount ?? -1) / 4 < room {
      activations = nil
      activations = try Memory(floats: room, for: "activations")
    }
    let step = TrainingStep(
      seed: step.seed, number: step.number, firstItem: step.firstItem, towerIndex: index,
      isEvaluation: step.isEvaluation)
    let position = Position(batch: batch, step: step, places: places, sizes: sizes, scratch: total)
    run(plan, 0..<plan.forwardSteps, position, threads)
    try workspace.failures.throwFirst()
    guard let activations else { return }
    memcpy(features, activations.floats + offsets[program.output], batch.items * width * 4)
    self.position = keeping ? position : nil
  }

  /// The first op of a forward run whose output has NaN or infinity; nil if none has.
  func firstBad(_ batch: Batch, _ step: TrainingStep, threads: ThreadPool) throws(ClipError) -> String? {
    let features = try Memory(floats: try product(batch.items, width, "features"), for: "features")
    try forward(batch, step, keeping: true, threads: threads, into: features.floats)
    defer { withExtendedLifetime(features) {} }
    guard let position, let activations else { return nil }
    self.position = nil
    for index in 0..<plan.forwardSteps {
      guard case .forward(let node, let buffer) = plan.steps[index] else { continue }
      offsets[node] = position.places[buffer]
      let op = program.nodes[node]
      op.forward(context(node, position, activations, threads))
      let count =
        op.inputs.isEmpty && op.shape.rows == .tokens && op.shape.width == 1
        ? 0 : batch.totalRows(op.shape.rows) * op.shape.width
      if !areFinite(activations.floats + offsets[node], count) {
        let of = op.parameters.first.map { " of " + $0.name.string } ?? ""
        return "the output of \(op.label)\(of)"
      }
    }
    return nil
  }

  /// Runs backward from the gradient of the features of the last `forward`, and adds to the store's gradients.
  func backward(_ gradient: UnsafePointer<Float>, threads: ThreadPool) {
    guard let position = takePosition(gradient) else { return }
    run(plan, plan.forwardSteps..<plan.steps.count, position, threads)
  }

  /// The state after the last `forward`, with the features' gradient set; nil if there is no gradient to compute.
  private func takePosition(_ gradient: UnsafePointer<Float>) -> Position? {
    guard let position, let activations, learns else { return nil }
    self.position = nil
    gradients.reset()
    gradients.markBegun(program.output)
    memcpy(
      activations.floats + position.places[plan.gradients[program.output]], gradient, position.batch.items * width * 4)
    return position
  }

  /// The first op of a backward run that makes NaN or infinity from the features' gradient; nil if none does. The
  /// store's gradients are invalid afterwards.
  func firstBadGradient(
    _ batch: Batch, _ step: TrainingStep, _ gradient: UnsafePointer<Float>, threads: ThreadPool
  ) throws(ClipError) -> String? {
    let features = try Memory(floats: try product(batch.items, width, "features"), for: "features")
    try forward(batch, step, keeping: true, threads: threads, into: features.floats)
    defer { withExtendedLifetime(features) {} }
    guard let position = takePosition(gradient), let activations else { return nil }
    for step in plan.forwardSteps..<plan.steps.count {
      run(plan, step..<(step + 1), position, threads)
      guard case .backward(let node) = plan.steps[step] else { continue }
      let op = program.nodes[node]
      for input in op.inputs where gradientOffsets[input] >= 0 {
        let shape = program.nodes[input].shape
        let count = batch.totalRows(shape.rows) * shape.width
        if !areFinite(activations.floats + gradientOffsets[input], count) { return op.label }
      }
      for entry in entries[node] {
        if let sums = store.gradient(entry), !areFinite(sums, store.entries[entry].count) { return op.label }
      }
    }
    return nil
  }

  private func areFinite(_ values: UnsafePointer<Float>, _ count: Int) -> Bool {
    for index in 0..<count where !values[index].isFinite { return false }
    return true
  }

  private func run(_ plan: TrainingPlan, _ steps: Range<Int>, _ position: Position, _ threads: ThreadPool) {
    guard let activations else { return }
    for node in program.nodes.indices {
      let buffer = plan.gradients[node]
      gradientOffsets[node] = buffer < 0 ? -1 : position.places[buffer]
    }
    threads.beginCall()
    defer { threads.endCall() }
    for index in steps {
      switch plan.steps[index] {
      case .forward(let node, let buffer):
        offsets[node] = position.places[buffer]
        program.nodes[node].forward(context(node, position, activations, threads))
      case .backward(let node):
        beginGradients(of: node, position, activations)
        program.nodes[node].backward(context(node, position, activations, threads))
      }
    }
  }

  private func context(
    _ node: Int, _ position: Position, _ activations: Memory, _ threads: ThreadPool
  ) -> TrainingContext {
    TrainingContext(
      run: Run(
        batch: position.batch, kernels: program.kernels, threads: threads,
        scratch: activations.floats + position.scratch, failures: workspace.failures,
        program: program, arena: activations.floats, offsets: offsets, node: node),
      step: position.step, gradientOffsets: gradientOffsets, memory: self)
  }
}
