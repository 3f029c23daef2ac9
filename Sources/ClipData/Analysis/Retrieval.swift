import CClip
import CSystem

extension ScorePass {
  private var n: Double { Double(queries.count) }

  /// Cross entropy of one query at a scale, in nats.
  func loss(_ query: Int, _ scale: Int) -> Double {
    let result = result(query).pointee
    return scales[scale] * (result.best - result.matched) + log(sums(query)[scale])
  }

  func meanLoss(_ scale: Int) -> Double {
    var sum = 0.0
    for query in 0..<queries.count { sum += loss(query, scale) }
    return sum / n
  }

  /// Expected calibration error (Guo et al., 2017): the difference between confidence, the largest probability, and the
  /// share of right answers, in bins of equal width.
  func calibrationError(_ scale: Int, bins: Int) -> Double {
    var surplus = [Double](repeating: 0, count: bins)
    for query in 0..<queries.count {
      let confidence = 1 / sums(query)[scale]
      // Confidence is above 0 and at most 1.
      let bin = max(0, min(bins - 1, (Int(exactly: (confidence * Double(bins)).rounded(.up)) ?? 1) - 1))
      surplus[bin] += confidence - (result(query).pointee.rank == 1 ? 1 : 0)
    }
    var error = 0.0
    for bin in surplus { error += bin.magnitude / n }
    return error
  }

  /// All measures of this direction, at the scale with this index.
  func retrieval(_ scale: Int, bins: Int) -> clip_retrieval {
    var facts = clip_retrieval()
    // The number of queries with each rank, from 1 to the number of candidates.
    var ranks = [Int](repeating: 0, count: queries.count + 1)
    var within = (0, 0, 0)
    for query in 0..<queries.count {
      let rank = result(query).pointee.rank
      ranks[rank] += 1
      if rank <= 1 { within.0 += 1 }
      if rank <= 5 { within.1 += 1 }
      if rank <= 10 { within.2 += 1 }
      facts.mean_reciprocal_rank += 1 / Double(rank) / n
    }
    facts.recall_at_1 = Double(within.0) / n
    facts.recall_at_5 = Double(within.1) / n
    facts.recall_at_10 = Double(within.2) / n
    facts.median_rank = Double(ranks.quantile((queries.count - 1) / 2) + ranks.quantile(queries.count / 2)) / 2
    facts.loss = meanLoss(scale)
    facts.calibration_error = calibrationError(scale, bins: bins)
    facts.hubness = hubness()
    return facts
  }

  /// Skewness of how often a candidate is among the nearest k of a query (Radovanović et al., 2010).
  private func hubness() -> Double {
    var counts = [Int](repeating: 0, count: queries.count)
    for query in 0..<queries.count {
      for place in 0..<k { counts[Int(nearest(query)[place])] += 1 }
    }
    var (second, third) = (0.0, 0.0)
    for count in counts {
      // k neighbours for each of n queries among n candidates: the mean is k.
      let difference = Double(count - k)
      second += difference * difference / n
      third += difference * difference * difference / n
    }
    return second > 0 ? third / (second * second.squareRoot()) : 0
  }

  /// Wang and Isola, 2020: log of the mean of exp(-2 distance²) over pairs of different rows.
  var uniformity: Double {
    var sum = 0.0
    for query in 0..<queries.count { sum += result(query).pointee.near }
    return log(sum / n / (n - 1))
  }
}

extension [Int] {
  /// With `self` the number of items of each value: the value of the item at `place` in sorted order.
  fileprivate func quantile(_ place: Int) -> Int {
    var before = 0
    for value in indices {
      before += self[value]
      if before > place { return value }
    }
    return 0
  }
}
