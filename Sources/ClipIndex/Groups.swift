import CClip
import CSystem

extension Index {
  /// An entry, whose score is that of the entry nearest to it.
  typealias Member = (group: Int, entry: Entry)

  /// Groups by their best score, then by their first key; entries of a group by key.
  func groups(threshold: Float, _ progress: clip_progress) throws(ClipError) -> [Member] {
    try reading { () throws(ClipError) in
      try loaded.refresh(database, clip_progress())
      var sets = try RowSets(loaded.segments.count * RowFormat.count)
      let rows = try Memory(byteCount: 2 * format.exactBytes, for: "rows of an index")
      let isExact = !format.hasBytes
      let least = isExact ? threshold : threshold - Index.byteError
      try PairSearch(loaded, kernels, from: least).run(runtime, progress) { pair throws(ClipError) in
        sets.keep(pair)
        if sets.areJoined(pair) { return least }
        let score =
          isExact
          ? pair.score : try exactScore(try entry(row: Int(pair.row)), try entry(row: Int(pair.other)), rows)
        if score >= threshold { sets.join(pair, score) }
        return least
      }
      return try members(sets, rows, threshold)
    }
  }

  private func members(_ sets: RowSets, _ rows: Memory, _ threshold: Float) throws(ClipError) -> [Member] {
    var sets = sets
    var members: [Member] = []
    for row in 0..<sets.count {
      guard let nearest = sets.nearest(to: row) else { continue }
      try requireMemory("clip_index_groups")
      var entry = try entry(row: row)
      entry.score =
        format.hasBytes ? try exactScore(entry, try self.entry(row: nearest.row), rows) : nearest.score
      // The nearest by bytes may be of no group of the row.
      if entry.score < threshold { entry.score = nearest.joined }
      try members.add((sets.root(row), entry), for: "groups")
    }
    try members.arrange(for: "groups") { $0.entry.key.lexicographicallyPrecedes($1.entry.key) }
    // Of each group, by its root: the best score, and the place of the first key.
    let best = try Memory(floats: sets.count, for: "groups")
    let first = try Memory(floats: sets.count, for: "groups")
    for root in 0..<sets.count { best.floats[root] = -.infinity }
    let firsts = first.base.bindMemory(to: Int32.self, capacity: sets.count)
    for (place, member) in members.enumerated().reversed() {
      firsts[member.group] = Int32(place)
      best.floats[member.group] = max(best.floats[member.group], member.entry.score)
    }
    try members.arrange(for: "groups") { a, b in
      let (bestA, bestB) = (best.floats[a.group], best.floats[b.group])
      if bestA != bestB { return bestA > bestB }
      return a.group != b.group
        ? firsts[a.group] < firsts[b.group] : a.entry.key.lexicographicallyPrecedes(b.entry.key)
    }
    return members
  }
}

/// Rows joined to sets: a forest with path halving (Tarjan and van Leeuwen, 1984), whose roots are the lowest rows.
struct RowSets {
  private struct Node {
    var parent: Int32
    var nearest: Int32 = -1
    var score: Float = 0
    /// The best exact score with a row to which it was joined; -infinity for a row alone in its set.
    var joined = -Float.infinity
  }

  let count: Int
  private let memory: Memory
  private let nodes: UnsafeMutablePointer<Node>

  init(_ count: Int) throws(ClipError) {
    self.count = count
    memory = try Memory(byteCount: try product(count, MemoryLayout<Node>.stride, "groups"), for: "groups")
    nodes = memory.base.bindMemory(to: Node.self, capacity: count)
    for row in 0..<count { (nodes + row).initialize(to: Node(parent: Int32(row))) }
  }

  mutating func root(_ row: Int) -> Int {
    var row = row
    while Int(nodes[row].parent) != row {
      nodes[row].parent = nodes[Int(nodes[row].parent)].parent
      row = Int(nodes[row].parent)
    }
    return row
  }

  mutating func areJoined(_ pair: Candidate) -> Bool { root(Int(pair.row)) == root(Int(pair.other)) }

  /// `score`: the pair's exact one.
  mutating func join(_ pair: Candidate, _ score: Float) {
    let (a, b) = (root(Int(pair.row)), root(Int(pair.other)))
    nodes[max(a, b)].parent = Int32(min(a, b))
    for row in [Int(pair.row), Int(pair.other)] { nodes[row].joined = max(nodes[row].joined, score) }
  }

  /// Keeps the nearest of each row, joined or not.
  mutating func keep(_ pair: Candidate) {
    keep(pair.row, pair.other, pair.score)
    keep(pair.other, pair.row, pair.score)
  }

  /// Keeps the nearest row. Of rows with the same score the lowest is kept, so that the result does not depend on
  /// threads.
  private func keep(_ row: Int32, _ other: Int32, _ score: Float) {
    let node = nodes[Int(row)]
    guard node.nearest < 0 || score > node.score || (score == node.score && other < node.nearest) else { return }
    nodes[Int(row)].nearest = other
    nodes[Int(row)].score = score
  }

  /// The row nearest to one; nil for one that is alone in its set.
  func nearest(to row: Int) -> (row: Int, score: Float, joined: Float)? {
    let node = nodes[row]
    return node.joined > -.infinity ? (Int(node.nearest), node.score, node.joined) : nil
  }
}
