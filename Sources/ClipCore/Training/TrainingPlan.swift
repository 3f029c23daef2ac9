import CClip

/// The order of the work of a step on one graph, and the time that each value and gradient is in memory.
///
/// The backward run reads values of the forward run. Expensive ones are kept; the others are recomputed just before
/// they are read (Chen et al., "Training deep nets with sublinear memory cost", 2016).
final class TrainingPlan {
  enum Step {
    /// Computes a node into a buffer.
    case forward(node: Int, buffer: Int)
    case backward(node: Int)
  }

  /// A value or gradient of a node, in memory from step `begin` to step `end`.
  struct Buffer {
    let node: Int
    let isGradient: Bool
    let begin: Int
    var end: Int
  }

  let steps: [Step]
  /// The number of steps of the forward run. After these the output's value and its gradient are available.
  let forwardSteps: Int
  let buffers: [Buffer]
  /// The gradient buffer of each node; below 0 for none.
  let gradients: [Int]
  private let output: Int

  /// `wanted`: the nodes with a gradient. `keeping`: the values kept from forward to backward. Without any `wanted`,
  /// the plan is a forward run only.
  init(_ nodes: [Operation], output: Int, wanted: [Bool], keeping: [Bool]) {
    var steps: [Step] = []
    var buffers: [Buffer] = []
    var current = [Int](repeating: -1, count: nodes.count)
    func read(_ value: Int, at step: Int) { buffers[current[value]].end = max(buffers[current[value]].end, step) }
    func compute(_ node: Int) {
      let step = steps.count
      for input in nodes[node].inputs { read(input, at: step) }
      current[node] = buffers.count
      buffers.append(Buffer(node: node, isGradient: false, begin: step, end: step))
      steps.append(.forward(node: node, buffer: current[node]))
    }
    for node in nodes.indices { compute(node) }
    forwardSteps = steps.count
    read(output, at: steps.count)

    var gradients = [Int](repeating: -1, count: nodes.count)
    if wanted.indices.contains(output), wanted[output] {
      func want(_ node: Int, at step: Int) {
        if gradients[node] < 0 {
          gradients[node] = buffers.count
          buffers.append(Buffer(node: node, isGradient: true, begin: step, end: step))
        }
        buffers[gradients[node]].end = max(buffers[gradients[node]].end, step)
      }
      var here = keeping
      func ensure(_ value: Int) {
        if here[value] { return }
        for input in nodes[value].inputs { ensure(input) }
        compute(value)
        here[value] = true
      }
      want(output, at: steps.count)
      for index in nodes.indices.reversed() where wanted[index] {
        let node = nodes[index]
        for (position, input) in node.inputs.enumerated() where node.backwardReads(input: position) { ensure(input) }
        if node.backwardReadsOutput { ensure(index) }
        let step = steps.count
        for (position, input) in node.inputs.enumerated() {
          if node.backwardReads(input: position) { read(input, at: step) }
          if wanted[input] { want(input, at: step) }
        }
        if node.backwardReadsOutput { read(index, at: step) }
        if gradients[index] >= 0 { want(index, at: step) }
        steps.append(.backward(node: index))
      }
    }
    self.steps = steps
    self.buffers = buffers
    self.gradients = gradients
    self.output = output
  }

  /// Places buffers of `sizes` floats so that those in memory at the same time do not overlap: the largest first, each
  /// at the lowest free offset. Returns the offsets and the total size.
  func place(_ sizes: [Int]) throws(ClipError) -> (offsets: [Int], total: Int) {
    var offsets = [Int](repeating: 0, count: buffers.count)
    var placed: [Int] = []
    var total = 0
    for index in order(buffers.count, by: { sizes[$0] > sizes[$1] }) {
      let buffer = buffers[index]
      var at = 0
      // `placed` is sorted by offset.
      for other in placed where buffers[other].begin <= buffer.end && buffer.begin <= buffers[other].end {
        if offsets[other] >= at + sizes[index] { break }
        at = max(at, offsets[other] + sizes[other])
      }
      offsets[index] = at
      let (end, overflow) = at.addingReportingOverflow(sizes[index])
      guard !overflow else { throw ClipError(CLIP_LIMIT, "activations: the batch is too large") }
      total = max(total, end)
      var low = 0
      var high = placed.count
      while low < high {
        let middle = (low + high) / 2
        if offsets[placed[middle]] <= at { low = middle + 1 } else { high = middle }
      }
      placed.insert(index, at: low)
    }
    return (offsets, total)
  }
}
