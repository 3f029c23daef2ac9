import CClip
import CSystem

/// Measures how well n images match their texts, from their embeddings.
struct Analysis {
  private let images: UnitRows
  private let texts: UnitRows
  private let runtime: Runtime
  private let n: Int

  /// The most pairs: 32 bits hold an index.
  static var limit: Int { 1 << 24 }

  init(_ images: UnsafePointer<Float>, _ texts: UnsafePointer<Float>, _ n: Int, _ d: Int, _ runtime: Runtime)
    throws(ClipError)
  {
    guard n >= 2, n <= Analysis.limit else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "n: expected 2 to \(Analysis.limit) pairs, found \(n)")
    }
    guard d >= 1, d <= 1 << 20 else { throw ClipError(CLIP_INVALID_ARGUMENT, "d: expected 1 to 1048576, found \(d)") }
    self.images = try Analysis.unit(images, n, d, "images")
    self.texts = try Analysis.unit(texts, n, d, "texts")
    self.runtime = runtime
    self.n = n
  }

  private init(_ other: Analysis, _ images: UnitRows, _ texts: UnitRows) {
    self.images = images
    self.texts = texts
    runtime = other.runtime
    n = other.n
  }

  private static func unit(_ source: UnsafePointer<Float>, _ n: Int, _ d: Int, _ what: StaticString) throws(ClipError)
    -> UnitRows
  {
    let rows = try UnitRows(count: n, width: d)
    for index in 0..<n {
      let row = rows.row(index)
      for column in 0..<d { row[column] = Double(source[index * d + column]) }
      guard rows.normalise(index) else {
        throw ClipError(CLIP_INVALID_ARGUMENT, "\(what)[\(index)]: expected finite numbers, not all 0, found others")
      }
    }
    return rows
  }

  /// The scores of both directions at the same scales.
  private func passes(_ scales: [Double]) throws(ClipError) -> (ScorePass, ScorePass) {
    (try ScorePass(images, texts, scales: scales, runtime), try ScorePass(texts, images, scales: scales, runtime))
  }

  func measure(_ options: clip_analysis_options, _ pairs: UnsafeMutablePointer<clip_pair_analysis>?) throws(ClipError)
    -> clip_analysis
  {
    let bins = options.calibration_bins == 0 ? 15 : Int(options.calibration_bins)
    guard bins <= 1000 else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "options.calibration_bins: expected 1 to 1000, found \(bins)")
    }
    let scale = options.logit_scale == 0 ? 100 : options.logit_scale
    guard scale > 0, scale <= 1e6 else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "options.logit_scale: expected above 0 to 1e6, found \(scale)")
    }
    var facts = clip_analysis()
    facts.logit_scale = scale
    // The last scale is the given one.
    var (forward, backward) = try passes(Analysis.steps(1, 10000) + [scale])
    let given = Analysis.stepCount
    facts.image_to_text = forward.retrieval(given, bins: bins)
    facts.text_to_image = backward.retrieval(given, bins: bins)
    for index in 0..<n {
      let found = (forward.result(index).pointee, backward.result(index).pointee)
      facts.matched_mean += found.0.matched / Double(n)
      facts.unmatched_mean += found.0.others / Double(n) / Double(n - 1)
      guard let pairs else { continue }
      pairs[index] = clip_pair_analysis(
        text_rank: UInt32(clamping: found.0.rank), image_rank: UInt32(clamping: found.1.rank),
        other_text: UInt32(clamping: found.0.other), other_image: UInt32(clamping: found.1.other),
        cosine: found.0.matched, hardness: (forward.loss(index, given) + backward.loss(index, given)) / 2)
    }
    facts.alignment = 2 - 2 * facts.matched_mean
    facts.image_uniformity = try ScorePass(images, images, scales: [], runtime).uniformity
    facts.text_uniformity = try ScorePass(texts, texts, scales: [], runtime).uniformity

    // The loss is convex in the scale, so the search is refined twice around the best step.
    for round in 0..<3 {
      var best = 0
      for index in 0..<Analysis.stepCount where loss(forward, backward, index) < loss(forward, backward, best) {
        best = index
      }
      facts.best_logit_scale = forward.scales[best]
      facts.best_loss = loss(forward, backward, best)
      facts.best_calibration_error =
        (forward.calibrationError(best, bins: bins) + backward.calibrationError(best, bins: bins)) / 2
      if round == 2 { break }
      let (low, high) = (forward.scales[max(0, best - 1)], forward.scales[min(Analysis.stepCount - 1, best + 1)])
      (forward, backward) = try passes(Analysis.steps(low, high))
    }

    let (gap, shifted) = try shift()
    facts.gap = gap
    facts.shifted_gap = try shifted.shift().gap
    (forward, backward) = try shifted.passes([scale])
    facts.shifted_image_to_text = forward.retrieval(0, bins: bins)
    facts.shifted_text_to_image = backward.retrieval(0, bins: bins)
    return facts
  }

  private func loss(_ forward: ScorePass, _ backward: ScorePass, _ scale: Int) -> Double {
    (forward.meanLoss(scale) + backward.meanLoss(scale)) / 2
  }

  private static var stepCount: Int { 16 }

  /// A geometric sequence from `low` to `high`.
  private static func steps(_ low: Double, _ high: Double) -> [Double] {
    var steps: [Double] = []
    for index in 0..<stepCount { steps.append(low * pow(high / low, Double(index) / Double(stepCount - 1))) }
    return steps
  }

  /// Liang et al., 2022: the distance of the two centroids, and the embeddings after each side is moved by half of it
  /// towards the other and scaled to unit length again.
  private func shift() throws(ClipError) -> (gap: Double, analysis: Analysis) {
    let width = images.width
    let moved = (try UnitRows(count: n, width: width), try UnitRows(count: n, width: width))
    var difference = [Double](repeating: 0, count: width)
    for index in 0..<n {
      for column in 0..<width {
        difference[column] += (images.row(index)[column] - texts.row(index)[column]) / Double(n)
      }
    }
    var square = 0.0
    for column in 0..<width { square += difference[column] * difference[column] }
    for index in 0..<n {
      for column in 0..<width {
        moved.0.row(index)[column] = images.row(index)[column] - difference[column] / 2
        moved.1.row(index)[column] = texts.row(index)[column] + difference[column] / 2
      }
      // A row at the origin stays there.
      _ = moved.0.normalise(index)
      _ = moved.1.normalise(index)
    }
    return (square.squareRoot(), Analysis(self, moved.0, moved.1))
  }
}
