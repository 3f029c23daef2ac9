import CClip
import CSystem

extension Index {
  typealias Pair = (a: Entry, b: Entry)

  func duplicates(_ limit: Int, threshold: Float, _ progress: clip_progress) throws(ClipError) -> [Pair] {
    try reading { () throws(ClipError) in
      try loaded.refresh(database, clip_progress())
      // As in a search, candidates of bytes are more than pairs.
      let least = format.hasBytes ? threshold - Index.byteError : threshold
      var best = Best(format.hasBytes ? 2 * limit + 64 : limit, from: least)
      try PairSearch(loaded, kernels, from: least).run(runtime, progress) { candidate throws(ClipError) in
        try best.add(candidate)
        return best.cutoff
      }
      try best.prune()
      let entries = try entries(of: best.candidates)
      let rows = try Memory(byteCount: 2 * format.exactBytes, for: "rows of an index")
      var pairs: [Pair] = []
      for candidate in best.candidates {
        try requireMemory("clip_index_duplicates")
        guard var a = entries.at(candidate.row), var b = entries.at(candidate.other) else { continue }
        a.score = format.hasBytes ? try exactScore(a, b, rows) : candidate.score
        b.score = a.score
        guard a.score >= threshold else { continue }
        try pairs.add(a.key.lexicographicallyPrecedes(b.key) ? (a, b) : (b, a), for: "pairs")
      }
      try pairs.arrange(for: "pairs") {
        $0.a.score != $1.a.score || $0.a.key != $1.a.key
          ? Entry.isBefore($0.a, $1.a) : $0.b.key.lexicographicallyPrecedes($1.b.key)
      }
      if pairs.count > limit { pairs.removeLast(pairs.count - limit) }
      return pairs
    }
  }

  /// The entries of pairs, each once, in the order of rows.
  private func entries(of candidates: [Candidate]) throws(ClipError) -> [Entry] {
    var rows: [Int32] = []
    try rows.reserve(2 * candidates.count, for: "pairs")
    for candidate in candidates {
      rows.append(candidate.row)
      rows.append(candidate.other)
    }
    try rows.arrange(for: "pairs", by: <)
    var entries: [Entry] = []
    for row in rows where entries.last?.row != Int(row) {
      try entries.add(try entry(row: Int(row)), for: "pairs")
    }
    return entries
  }

  /// `rows`: room for two.
  func exactScore(_ a: Entry, _ b: Entry, _ rows: Memory) throws(ClipError) -> Float {
    let other = rows.base + format.exactBytes
    try readRow(a, into: rows.base)
    try readRow(b, into: other)
    var sum = 0.0
    for i in 0..<format.width { sum += Double(format.value(rows.base, i)) * Double(format.value(other, i)) }
    return Float(sum)
  }
}

extension Array<Entry> {
  /// The entry of a row, in a list sorted by rows.
  fileprivate func at(_ row: Int32) -> Entry? {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle].row < Int(row) { low = middle + 1 } else { high = middle }
    }
    return low < count && self[low].row == Int(row) ? self[low] : nil
  }
}
