/// An encoder's computation: nodes, each after its inputs. A plugin builds it through `Builder`, `Rewrites` changes it,
/// `Program` runs it.
struct Graph {
  var nodes: [Operation] = []
  var output = 0
  /// The plugins that built it. Ops may call into them, so whoever runs the graph holds them.
  var plugins: [Plugin] = []

  /// The number of uses of each node's value; the output counts as a use.
  func useCounts() -> [Int] {
    var counts = [Int](repeating: 0, count: nodes.count)
    for node in nodes { for input in node.inputs { counts[input] += 1 } }
    if counts.indices.contains(output) { counts[output] += 1 }
    return counts
  }

  /// Removes nodes that the output does not need and renumbers the rest.
  mutating func prune() {
    guard nodes.indices.contains(output) else { return }
    var needed = [Bool](repeating: false, count: nodes.count)
    needed[output] = true
    for index in nodes.indices.reversed() where needed[index] {
      for input in nodes[index].inputs { needed[input] = true }
    }
    var renumbered = [Int](repeating: 0, count: nodes.count)
    var kept: [Operation] = []
    for index in nodes.indices where needed[index] {
      let node = nodes[index]
      node.inputs = node.inputs.map { renumbered[$0] }
      renumbered[index] = kept.count
      kept.append(node)
    }
    output = renumbered[output]
    nodes = kept
  }
}
