import CClip

/// How many rows a value has for one item of the batch.
enum Rows: Equatable {
  case one
  /// A picture's rows: the same for every picture.
  case fixed(Int)
  /// A text's rows: one for each token, so they differ from item to item.
  case tokens
}

/// Shape of a value: rows x width for each item; a grid when its rows are pixels.
struct Shape {
  var rows: Rows
  var width: Int
  var grid: Grid?

  struct Grid: Equatable {
    var height: Int
    var width: Int
  }

  static func grid(_ height: Int, _ width: Int, channels: Int) -> Shape {
    Shape(rows: .fixed(height * width), width: channels, grid: Grid(height: height, width: width))
  }

  /// For messages: "50 rows x 768", "14 x 14 grid x 1024".
  var text: String {
    if let grid { return "\(grid.height) x \(grid.width) grid x \(width)" }
    switch rows {
    case .one: return "1 row x \(width)"
    case .fixed(let count): return "\(count) rows x \(width)"
    case .tokens: return "token rows x \(width)"
    }
  }
}

/// An encoder's computation: nodes in an order in which each comes after its inputs.
///
/// A graph is built by a plugin through `Builder`, rewritten by `Passes`, and run by `Program`.
struct Graph {
  var nodes: [Operation] = []
  var output = 0
  /// Whose encoders built it. Ops may call into them, so whoever runs the graph keeps them.
  var plugins: [Plugin] = []

  /// How often each node's value is used; the output counts as one use.
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
