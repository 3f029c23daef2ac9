import CClip
import CSystem

/// A compared row, or pair of rows.
struct Candidate {
  let score: Float
  let row: Int32
  var other: Int32 = -1

  /// Higher scores first, then lower rows.
  static func isBefore(_ a: Candidate, _ b: Candidate) -> Bool {
    a.score != b.score ? a.score > b.score : a.row != b.row ? a.row < b.row : a.other < b.other
  }
}

extension Array {
  /// Sorts, or throws if there is no memory for it.
  mutating func arrange(for what: StaticString, by isBefore: (Element, Element) -> Bool) throws(ClipError) {
    let held = try hold(count, MemoryLayout<Element>.stride, what)
    sort(by: isBefore)
    clip_reserve_drop(held)
  }
}

/// The best of many candidates, all that are as good as the last of them among them as long as there are few.
struct Best {
  private let limit: Int
  private(set) var candidates: [Candidate] = []
  /// Lower scores are not among the best.
  private(set) var cutoff: Float
  /// The last of as many as are wanted.
  private var worst: Candidate?

  init(_ limit: Int, from cutoff: Float) {
    self.limit = limit
    self.cutoff = cutoff
  }

  /// Adds a candidate whose score is at least `cutoff`.
  mutating func add(_ candidate: Candidate) throws(ClipError) {
    if let worst, !Candidate.isBefore(candidate, worst) { return }
    try candidates.add(candidate, for: "matches")
    if candidates.count >= 2 * limit + 64 { try prune() }
  }

  /// Leaves the best alone, in order.
  mutating func prune() throws(ClipError) {
    try candidates.arrange(for: "matches", by: Candidate.isBefore)
    guard candidates.count > limit else { return }
    candidates.removeLast(candidates.count - limit)
    worst = candidates.last
    cutoff = worst?.score ?? cutoff
  }
}
