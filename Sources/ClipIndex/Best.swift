import CClip

/// What was compared: a row, or a pair of rows.
struct Candidate {
  let score: Float
  let row: Int32
  var other: Int32 = -1

  /// Higher scores first, then lower rows.
  static func isBefore(_ a: Candidate, _ b: Candidate) -> Bool {
    a.score != b.score ? a.score > b.score : a.row != b.row ? a.row < b.row : a.other < b.other
  }
}

/// The best of many candidates, all that are as good as the last of them among them as long as there are few.
struct Best {
  private let limit: Int
  private(set) var candidates: [Candidate] = []
  /// What scores less is not among the best.
  private(set) var cutoff: Float

  init(_ limit: Int, from cutoff: Float) {
    self.limit = limit
    self.cutoff = cutoff
  }

  /// For scores of at least `cutoff`.
  mutating func add(_ candidate: Candidate) throws(ClipError) {
    try candidates.add(candidate, for: "matches")
    if candidates.count >= 2 * limit + 64 { prune() }
  }

  /// Leaves the best alone, in order.
  mutating func prune() {
    candidates.sort(by: Candidate.isBefore)
    guard candidates.count > limit else { return }
    candidates.removeLast(candidates.count - limit)
    cutoff = candidates.last?.score ?? cutoff
  }
}
