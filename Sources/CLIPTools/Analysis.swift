import CClip
@_spi(Handles) public import CLIP

/// Retrieval in one direction: each query among all candidates.
public struct Retrieval: Hashable, Sendable {
  /// The share of queries whose match is first; among the first 5; among the first 10.
  public let recallAt1: Double
  public let recallAt5: Double
  public let recallAt10: Double
  public let meanReciprocalRank: Double
  /// The median rank of the matches, from 1.
  public let medianRank: Double
  /// Mean cross-entropy at `Analysis.logitScale`, in nats.
  public let loss: Double
  /// The expected calibration error of the softmax, 0 to 1.
  public let calibrationError: Double
  /// Skewness of how often a candidate is among the nearest 10 of a query.
  public let hubness: Double

  fileprivate init(_ way: clip_retrieval) {
    recallAt1 = way.recall_at_1
    recallAt5 = way.recall_at_5
    recallAt10 = way.recall_at_10
    meanReciprocalRank = way.mean_reciprocal_rank
    medianRank = way.median_rank
    loss = way.loss
    calibrationError = way.calibration_error
    hubness = way.hubness
  }
}

/// The measures of one pair.
public struct PairAnalysis: Hashable, Sendable {
  /// The rank of the pair's text for its image, from 1, and of its image for its text.
  public let textRank: Int
  public let imageRank: Int
  /// The index of the best other text for the pair's image, and of the best other image for its text.
  public let otherText: Int
  public let otherImage: Int
  /// The cosine of the pair.
  public let cosine: Double
  /// The pair's loss, the mean of both directions, in nats.
  public let hardness: Double

  fileprivate init(_ pair: clip_pair_analysis) {
    textRank = Int(pair.text_rank)
    imageRank = Int(pair.image_rank)
    otherText = Int(pair.other_text)
    otherImage = Int(pair.other_image)
    cosine = pair.cosine
    hardness = pair.hardness
  }
}

/// How well images match their texts, from their embeddings (docs/analysis.md).
public struct Analysis: Hashable, Sendable {
  /// The distance of the two centroids, 0 to 2, as they are and after the shift that moves both sides together.
  public let gap: Double
  public let shiftedGap: Double
  /// The mean squared distance of the pairs, 0 to 4.
  public let alignment: Double
  /// log of the mean of exp(-2 distance²) over different images, and over different texts; -8 to 0.
  public let imageUniformity: Double
  public let textUniformity: Double
  /// The mean cosine of the pairs, and of all other combinations.
  public let matchedMean: Double
  public let unmatchedMean: Double
  /// The logit scale that was used.
  public let logitScale: Double
  /// The scale from 1 to 10000 with the smallest mean loss of both directions; that loss, and the mean calibration
  /// error at that scale.
  public let bestLogitScale: Double
  public let bestLoss: Double
  public let bestCalibrationError: Double
  public let imageToText: Retrieval
  public let textToImage: Retrieval
  /// Retrieval after the shift.
  public let shiftedImageToText: Retrieval
  public let shiftedTextToImage: Retrieval
  /// In the order of the embeddings.
  public let pairs: [PairAnalysis]

  /// Indices of the pairs, hardest first.
  public var hardest: [Int] {
    pairs.indices.sorted { (pairs[$1].hardness, $0) < (pairs[$0].hardness, $1) }
  }

  fileprivate init(_ facts: clip_analysis, _ pairs: [clip_pair_analysis]) {
    gap = facts.gap
    shiftedGap = facts.shifted_gap
    alignment = facts.alignment
    imageUniformity = facts.image_uniformity
    textUniformity = facts.text_uniformity
    matchedMean = facts.matched_mean
    unmatchedMean = facts.unmatched_mean
    logitScale = facts.logit_scale
    bestLogitScale = facts.best_logit_scale
    bestLoss = facts.best_loss
    bestCalibrationError = facts.best_calibration_error
    imageToText = Retrieval(facts.image_to_text)
    textToImage = Retrieval(facts.text_to_image)
    shiftedImageToText = Retrieval(facts.shifted_image_to_text)
    shiftedTextToImage = Retrieval(facts.shifted_text_to_image)
    self.pairs = pairs.map { PairAnalysis($0) }
  }
}

extension Runtime {
  /// Measures how well images match their texts. Row i of both arrays, [n, width], is pair i. Rows need no unit length,
  /// but must not be 0. The result is the same on any number of threads.
  ///
  /// - Parameters:
  ///   - width: Elements of one embedding.
  ///   - logitScale: The factor from cosines to logits, above 0.
  ///   - calibrationBins: 1 to 1000.
  public func analyze(
    images: [Float], texts: [Float], width: Int, logitScale: Double = 100, calibrationBins: Int = 15
  ) throws(CLIPError) -> Analysis {
    guard width > 0, images.count == texts.count, images.count % width == 0 else {
      throw CLIPError(
        .invalidArgument,
        "expected as many images as texts, rows of \(width), found \(images.count) and \(texts.count) elements")
    }
    let n = images.count / width
    var options = sized(clip_analysis_options(), \.struct_size)
    options.calibration_bins = try number(calibrationBins, "calibrationBins")
    options.logit_scale = logitScale
    var facts = sized(clip_analysis(), \.struct_size)
    var pairs = [clip_pair_analysis](repeating: clip_pair_analysis(), count: n)
    try check(clip_analyze(handle, images, texts, n, width, &options, &facts, &pairs, n))
    return Analysis(facts, pairs)
  }
}
