/// For each query the rank of its best own candidate, from 1. Other candidates with an equal score count as better.
struct Ranks {
  let ranks: [Int]

  /// Embeddings of unit length with `width` elements; `own[i]` are the candidates of query i.
  init(of queries: [Float], among candidates: [Float], width: Int, own: [[Int]], title: String) {
    let count = candidates.count / width
    let progress = ProgressBar(title, total: own.count)
    defer { progress.finish() }
    var scores = [Float](repeating: 0, count: count)
    ranks = own.enumerated().map { query, own in
      queries.withUnsafeBufferPointer { queries in
        candidates.withUnsafeBufferPointer { candidates in
          for index in 0..<count {
            scores[index] = dot(queries.baseAddress, query * width, candidates.baseAddress, index * width, width)
          }
        }
      }
      if query % 64 == 0 { progress.update(query) }
      let best = own.map { scores[$0] }.max() ?? 0
      // NaN counts as the worst.
      let asGood = { (score: Float) in !(score < best) }
      return 1 + scores.count { asGood($0) } - own.count { asGood(scores[$0]) }
    }
  }

  init(_ ranks: [Int]) { self.ranks = ranks }

  func recall(at k: Int) -> Double { mean { $0 <= k ? 1 : 0 } }
  var meanReciprocal: Double { mean { 1 / Double($0) } }

  var median: Double {
    let sorted = ranks.sorted()
    guard !sorted.isEmpty else { return 0 }
    return Double(sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
  }

  private func mean(_ value: (Int) -> Double) -> Double {
    ranks.isEmpty ? 0 : ranks.reduce(0) { $0 + value($1) } / Double(ranks.count)
  }

  var json: JSON {
    [
      "queries": .integer(ranks.count), "recall_at_1": .double(recall(at: 1)), "recall_at_5": .double(recall(at: 5)),
      "recall_at_10": .double(recall(at: 10)), "median_rank": .double(median),
      "mean_reciprocal_rank": .double(meanReciprocal),
    ]
  }
}

/// The dot product of `count` elements at `first` and `second`. The same elements give the same bits.
private func dot(_ a: UnsafePointer<Float>?, _ first: Int, _ b: UnsafePointer<Float>?, _ second: Int, _ count: Int)
  -> Float
{
  guard let a, let b else { return 0 }
  let (x, y) = (UnsafeRawPointer(a + first), UnsafeRawPointer(b + second))
  var sum = SIMD16<Float>()
  var at = 0
  while at + 16 <= count {
    sum +=
      x.loadUnaligned(fromByteOffset: at * 4, as: SIMD16<Float>.self)
      * y.loadUnaligned(fromByteOffset: at * 4, as: SIMD16<Float>.self)
    at += 16
  }
  var total = sum.sum()
  while at < count {
    total += a[first + at] * b[second + at]
    at += 1
  }
  return total
}
