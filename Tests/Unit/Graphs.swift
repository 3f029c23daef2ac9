import CClip

/// An op of these tests: reads its inputs and makes one value.
final class TestOp: Operation {
  private let overwrites: Bool
  private let cheap: Bool
  private let readsInputs: Bool

  init(_ inputs: [Int], rows: Rows = .fixed(4), width: Int = 8, overwrites: Bool = false, cheap: Bool = false, readsInputs: Bool = true) {
    self.overwrites = overwrites
    self.cheap = cheap
    self.readsInputs = readsInputs
    super.init(inputs: inputs, shape: Shape(rows: rows, width: width))
  }

  override var name: StaticString { "test" }
  override func mayOverwrite(input index: Int) -> Bool { overwrites }
  override var isCheap: Bool { cheap }
  override var isDifferentiable: Bool { true }
  override func backwardReads(input index: Int) -> Bool { readsInputs }
}

struct Numbers {
  var state: UInt64
  mutating func next(_ below: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(truncatingIfNeeded: state >> 33) % below
  }
}

/// Random graphs in order; the last node is the output.
func randomGraph(_ numbers: inout Numbers, nodes count: Int) -> Graph {
  var graph = Graph()
  graph.nodes = [TestOp([])]
  for index in 1..<count {
    let inputs = (0..<(1 + numbers.next(3))).map { _ in max(0, index - 1 - numbers.next(4)) }
    graph.nodes.append(TestOp(inputs, width: 8 << numbers.next(2), overwrites: numbers.next(2) == 0, cheap: numbers.next(2) == 0))
  }
  graph.output = count - 1
  return graph
}

/// A value's slot is not written between the value's making and its last reader, but by an op that overwrites it.
func testSlots() {
  var numbers = Numbers(state: 1)
  for _ in 0..<200 {
    let graph = randomGraph(&numbers, nodes: 3 + numbers.next(30))
    let (slots, count) = Program.plan(graph)
    var holder = [Int](repeating: -1, count: count)
    var isSound = true
    for (index, node) in graph.nodes.enumerated() {
      for input in node.inputs where holder[slots[input]] != input { isSound = false }
      holder[slots[index]] = index
    }
    if holder[slots[graph.output]] != graph.output { isSound = false }
    check(isSound, "a value was overwritten before it was read, in a graph of \(graph.nodes.count) nodes")
  }
}

/// Buffers in memory at the same time do not overlap, and all lie inside the total.
func testPlacement() {
  var numbers = Numbers(state: 2)
  for _ in 0..<100 {
    let graph = randomGraph(&numbers, nodes: 3 + numbers.next(30))
    let wanted = graph.nodes.indices.map { _ in numbers.next(4) > 0 } .dropLast() + [true]
    let plan = TrainingPlan(
      graph.nodes, output: graph.output, wanted: Array(wanted), keeping: graph.nodes.map { !$0.isCheap })
    let sizes = plan.buffers.map { _ in 16 * (1 + numbers.next(50)) }
    guard let (offsets, total) = try? plan.place(sizes) else { return check(false, "place threw") }
    var overlaps = 0
    for (i, one) in plan.buffers.enumerated() {
      if offsets[i] < 0 || offsets[i] + sizes[i] > total { overlaps += 1 }
      for (j, other) in plan.buffers.enumerated() where j < i && one.begin <= other.end && other.begin <= one.end {
        if offsets[i] < offsets[j] + sizes[j] && offsets[j] < offsets[i] + sizes[i] { overlaps += 1 }
      }
    }
    check(overlaps == 0, "\(overlaps) of \(plan.buffers.count) buffers overlap")
  }
}

/// Every value that a backward step reads was computed before it and is still in memory, also where it is recomputed.
func testRecomputation() {
  var numbers = Numbers(state: 3)
  for _ in 0..<100 {
    let graph = randomGraph(&numbers, nodes: 3 + numbers.next(30))
    let nodes = graph.nodes
    let plan = TrainingPlan(
      nodes, output: graph.output, wanted: nodes.map { _ in true }, keeping: nodes.map { !$0.isCheap })
    var newest = [Int](repeating: -1, count: nodes.count)
    var faults = 0
    for (time, step) in plan.steps.enumerated() {
      func reads(_ input: Int) {
        if newest[input] < 0 || plan.buffers[newest[input]].end < time { faults += 1 }
      }
      switch step {
      case .forward(let node, let buffer):
        nodes[node].inputs.forEach(reads)
        newest[node] = buffer
      case .backward(let node): nodes[node].inputs.forEach(reads)
      }
    }
    check(faults == 0, "\(faults) reads of values that are not in memory")
  }
}

/// Unused nodes go, the order stays, and inputs follow the renumbering.
func testRewrites() {
  var graph = Graph()
  graph.nodes = [TestOp([]), TestOp([0]), TestOp([0]), TestOp([2]), TestOp([1])]
  graph.output = 3
  graph.prune()
  check(graph.nodes.count == 3 && graph.output == 2, "prune left \(graph.nodes.count) nodes")
  check(graph.nodes[1].inputs == [0] && graph.nodes[2].inputs == [1], "prune renumbered inputs wrongly")
  check(graph.useCounts() == [1, 1, 1], "use counts of a chain")

  // Activations and residual sums fuse into the product before them; a value read twice does not.
  let rows = Shape(rows: .fixed(4), width: 8)
  func linear(_ input: Int, _ name: Name) -> Operation {
    Linear(input: input, shape: rows, name: name, features: 8, hasBias: true)
  }
  var fused = Graph()
  fused.nodes = [
    TestOp([]), linear(0, "a"), Activation(input: 1, shape: rows, CLIP_RELU), linear(2, "b"), Add(0, 3, shape: rows),
  ]
  fused.output = 4
  fused.optimise()
  check(fused.nodes.count == 3, "a product, its activation and a sum are \(fused.nodes.count - 1) ops")
  var shared = Graph()
  shared.nodes = [
    TestOp([]), linear(0, "a"), Activation(input: 1, shape: rows, CLIP_RELU), Add(1, 2, shape: rows),
  ]
  shared.output = 3
  shared.optimise()
  check(shared.nodes.contains { $0 is Activation }, "an activation fused into a product that others read")

  // One row is wanted: the layers before it compute that row alone.
  var picked = Graph()
  picked.nodes = [TestOp([]), linear(0, "a"), linear(1, "b"), PickRow(input: 2, of: rows, .first)]
  picked.output = 3
  picked.optimise()
  let products = picked.nodes.filter { $0 is Linear }
  check(products.count == 2 && products.allSatisfy { $0.shape.rows == .one }, "row demand did not reach the layers")
}
