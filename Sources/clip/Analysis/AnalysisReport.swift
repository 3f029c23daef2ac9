/// The measures of one kind of captions: the data set's own, or variants made by a pipeline.
struct CaptionAnalysis {
  let name: String
  let texts: [Float]
  let analysis: Analysis
  /// For variants: the share of captions that changed, and their mean cosine with the original.
  var changed: Double?
  var cosine: Double?
}

/// The result of `clip analyze`.
struct AnalysisReport {
  let model: String
  let data: [String]
  let width: Int
  let pairs: Pairs
  /// The data set's captions first, then variants.
  let captions: [CaptionAnalysis]

  var main: Analysis { captions[0].analysis }
  var count: Int { pairs.keys.count }

  /// The number of hardest pairs that are shown.
  static let shown = 12

  /// The measures of one kind of captions, by name.
  static func numbers(_ facts: Analysis) -> [(key: String, value: Double)] {
    [
      ("gap", facts.gap), ("shifted_gap", facts.shiftedGap), ("alignment", facts.alignment),
      ("image_uniformity", facts.imageUniformity), ("text_uniformity", facts.textUniformity),
      ("matched_mean", facts.matchedMean), ("unmatched_mean", facts.unmatchedMean),
      ("logit_scale", facts.logitScale), ("best_logit_scale", facts.bestLogitScale),
      ("best_loss", facts.bestLoss), ("best_calibration_error", facts.bestCalibrationError),
    ]
  }

  static func ways(_ facts: Analysis) -> [(key: String, value: Retrieval)] {
    [
      ("image_to_text", facts.imageToText), ("text_to_image", facts.textToImage),
      ("shifted_image_to_text", facts.shiftedImageToText), ("shifted_text_to_image", facts.shiftedTextToImage),
    ]
  }

  var json: JSON {
    [
      "model": .string(model), "data": .strings(data), "pairs": .integer(count), "skipped": .integer(pairs.skipped),
      "captions": .array(captions.map(AnalysisReport.json)),
      "hardest": .array(
        main.hardest.prefix(100).map { index -> JSON in
          let pair = main.pairs[index]
          return [
            "index": .integer(index), "key": .string(pairs.keys[index]), "caption": .string(pairs.captions[index]),
            "hardness": .double(pair.hardness), "cosine": .double(pair.cosine),
            "text_rank": .integer(pair.textRank), "image_rank": .integer(pair.imageRank),
            "other_text": .string(pairs.captions[pair.otherText]),
            "other_image": .string(pairs.keys[pair.otherImage]),
          ]
        }),
    ]
  }

  private static func json(_ captions: CaptionAnalysis) -> JSON {
    var members: [(key: String, value: JSON)] = [("name", .string(captions.name))]
    if let changed = captions.changed { members.append(("changed", .double(changed))) }
    if let cosine = captions.cosine { members.append(("cosine_with_caption", .double(cosine))) }
    members += numbers(captions.analysis).map { ($0.key, .double($0.value)) }
    members += ways(captions.analysis).map { (key: $0.key, value: json($0.value)) }
    return .object(members)
  }

  private static func json(_ way: Retrieval) -> JSON {
    [
      "recall_at_1": .double(way.recallAt1), "recall_at_5": .double(way.recallAt5),
      "recall_at_10": .double(way.recallAt10), "mean_reciprocal_rank": .double(way.meanReciprocalRank),
      "median_rank": .double(way.medianRank), "loss": .double(way.loss),
      "calibration_error": .double(way.calibrationError), "hubness": .double(way.hubness),
    ]
  }
}

extension Model {
  /// Measures pairs of embeddings at the model's current logit scale.
  func analyze(images: [Float], texts: [Float]) throws(CLIPError) -> Analysis {
    try runtime.analyze(images: images, texts: texts, width: width, logitScale: Double(try describe().logitScale))
  }
}
