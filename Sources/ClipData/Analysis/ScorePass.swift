import CClip
import CSystem

/// Unit-length rows in double precision, padded with zeros to whole blocks.
struct UnitRows {
  let count: Int
  let width: Int
  private let memory: Memory

  static var block: Int { 4 }

  init(count: Int, width: Int) throws(ClipError) {
    let whole = UnitRows.block - 1
    let rows = (count + whole) & ~whole
    self.count = count
    self.width = (width + whole) & ~whole
    let bytes = try product(try product(rows, self.width, "n times d"), 8, "n times d")
    memory = try Memory(byteCount: bytes, for: "embeddings")
    memset(memory.base, 0, bytes)
  }

  func row(_ index: Int) -> UnsafeMutablePointer<Double> {
    memory.base.assumingMemoryBound(to: Double.self) + index * width
  }

  /// Scales a row to unit length; false if it has no direction.
  func normalise(_ index: Int) -> Bool {
    let row = row(index)
    var sum = 0.0
    for column in 0..<width { sum += row[column] * row[column] }
    guard sum > 0, sum.isFinite else { return false }
    let scale = 1 / sum.squareRoot()
    for column in 0..<width { row[column] *= scale }
    return true
  }
}

/// The result of one query among all candidates; the candidate with its own index is its match.
struct QueryResult {
  /// The number of other candidates that score at least as much as the match, plus 1.
  var rank = 0
  /// The best candidate that is not the match.
  var other = 0
  var matched = 0.0
  var best = 0.0
  /// The sum of the cosines of the others, and of exp(4 cosine - 4) for uniformity.
  var others = 0.0
  var near = 0.0
}

/// Scores every query with every candidate, one row at a time, so memory does not grow with n². A result depends on its
/// query alone, not on threads or pieces.
struct ScorePass {
  static var neighbours: Int { 10 }

  let queries: UnitRows
  let candidates: UnitRows
  let scales: [Double]
  let k: Int
  private let pieces: Int
  private let room: Memory
  private let found: Memory
  private let sumsMemory: Memory
  private let nearestMemory: Memory

  /// Runs on the runtime's threads. For each query and scale it computes the sum of exp(scale (score - best)).
  init(_ queries: UnitRows, _ candidates: UnitRows, scales: [Double], _ runtime: Runtime) throws(ClipError) {
    let n = queries.count
    self.queries = queries
    self.candidates = candidates
    self.scales = scales
    k = min(ScorePass.neighbours, n)
    pieces = max(1, min(2 * runtime.threads, n / UnitRows.block))
    room = try Memory(byteCount: try product(pieces, try product(n, 8 * UnitRows.block, "n"), "n"), for: "scores")
    found = try Memory(byteCount: try product(n, MemoryLayout<QueryResult>.stride, "n"), for: "ranks")
    sumsMemory = try Memory(byteCount: try product(n, 8 * scales.count, "n"), for: "sums of scores")
    nearestMemory = try Memory(byteCount: try product(n, 4 * k, "n"), for: "neighbours")
    try runtime.run(pieces) { [self] in part($0) }
  }

  func result(_ query: Int) -> UnsafeMutablePointer<QueryResult> {
    found.base.assumingMemoryBound(to: QueryResult.self) + query
  }
  func sums(_ query: Int) -> UnsafeMutablePointer<Double> {
    sumsMemory.base.assumingMemoryBound(to: Double.self) + query * scales.count
  }
  func nearest(_ query: Int) -> UnsafeMutablePointer<Int32> {
    nearestMemory.base.assumingMemoryBound(to: Int32.self) + query * k
  }

  private func part(_ piece: Int) {
    let n = queries.count
    let blocks = (n + UnitRows.block - 1) / UnitRows.block
    let scores = room.base.assumingMemoryBound(to: Double.self) + piece * n * UnitRows.block
    for block in blocks.share(piece, of: pieces) {
      let first = block * UnitRows.block
      for candidate in 0..<n { score(first, candidate, scores) }
      for query in first..<min(n, first + UnitRows.block) { judge(query, scores + (query - first) * n) }
    }
  }

  /// Scores four queries with one candidate.
  private func score(_ first: Int, _ candidate: Int, _ scores: UnsafeMutablePointer<Double>) {
    typealias Vector = SIMD4<Double>
    let width = queries.width
    let candidateRow = UnsafeRawPointer(candidates.row(candidate))
    let rows = UnsafeRawPointer(queries.row(first))
    var (a, b, c, d) = (Vector(), Vector(), Vector(), Vector())
    var column = 0
    while column < width {
      let x = candidateRow.loadUnaligned(fromByteOffset: column * 8, as: Vector.self)
      a += x * rows.loadUnaligned(fromByteOffset: column * 8, as: Vector.self)
      b += x * rows.loadUnaligned(fromByteOffset: (width + column) * 8, as: Vector.self)
      c += x * rows.loadUnaligned(fromByteOffset: (2 * width + column) * 8, as: Vector.self)
      d += x * rows.loadUnaligned(fromByteOffset: (3 * width + column) * 8, as: Vector.self)
      column += 4
    }
    let n = queries.count
    scores[candidate] = a.sum()
    scores[n + candidate] = b.sum()
    scores[2 * n + candidate] = c.sum()
    scores[3 * n + candidate] = d.sum()
  }

  private func judge(_ query: Int, _ scores: UnsafePointer<Double>) {
    let n = queries.count
    var result = QueryResult()
    result.matched = scores[query]
    result.best = result.matched
    result.rank = 1
    result.other = query == 0 ? min(1, n - 1) : 0
    let nearest = nearest(query)
    var kept = 0
    for index in 0..<n {
      let score = scores[index]
      if index != query {
        result.others += score
        result.near += exp(4 * score - 4)
        if score >= result.matched { result.rank += 1 }
        if score > scores[result.other] { result.other = index }
      }
      result.best = max(result.best, score)
      // Among equal scores the first is kept.
      if kept == k, score <= scores[Int(nearest[k - 1])] { continue }
      var place = kept < k ? kept : k - 1
      while place > 0, scores[Int(nearest[place - 1])] < score {
        nearest[place] = nearest[place - 1]
        place -= 1
      }
      nearest[place] = Int32(truncatingIfNeeded: index)
      kept = min(k, kept + 1)
    }
    let sums = sums(query)
    for scale in scales.indices {
      var sum = 0.0
      for index in 0..<n { sum += exp(scales[scale] * (scores[index] - result.best)) }
      sums[scale] = sum
    }
    self.result(query).initialize(to: result)
  }
}
