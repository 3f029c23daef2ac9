
/// What one kind of captions came to: the data set's own, or those that a pipeline made of them.
struct CaptionAnalysis {
  let name: String
  let texts: [Float]
  let analysis: Analysis
  /// For variants: the share of captions that differ, and their mean cosine with the original.
  var changed: Double?
  var cosine: Double?
}

/// All that `clip analyze` found.
struct AnalysisReport {
  let model: String
  let data: [String]
  let width: Int
  let pairs: Pairs
  /// The captions first, then variants.
  let captions: [CaptionAnalysis]

  var main: Analysis { captions[0].analysis }
  var count: Int { pairs.keys.count }

  /// How many of the hardest pairs are shown.
  static let shown = 12

  /// Numbers of a kind of captions, by name.
  static func numbers(_ facts: clip_analysis) -> [(key: String, value: Double)] {
    [
      ("gap", facts.gap), ("shifted_gap", facts.shifted_gap), ("alignment", facts.alignment),
      ("image_uniformity", facts.image_uniformity), ("text_uniformity", facts.text_uniformity),
      ("matched_mean", facts.matched_mean), ("unmatched_mean", facts.unmatched_mean),
      ("logit_scale", facts.logit_scale), ("best_logit_scale", facts.best_logit_scale),
      ("best_loss", facts.best_loss), ("best_calibration_error", facts.best_calibration_error),
    ]
  }

  static func ways(_ facts: clip_analysis) -> [(key: String, value: clip_retrieval)] {
    [
      ("image_to_text", facts.image_to_text), ("text_to_image", facts.text_to_image),
      ("shifted_image_to_text", facts.shifted_image_to_text), ("shifted_text_to_image", facts.shifted_text_to_image),
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
            "index": .integer(index), "key": .string(pairs.keys[index]), "caption": .string(pairs.captions[index].text),
            "hardness": .double(pair.hardness), "cosine": .double(pair.cosine),
            "text_rank": .integer(Int(pair.text_rank)), "image_rank": .integer(Int(pair.image_rank)),
            "other_text": .string(pairs.captions[Int(pair.other_text)].text),
            "other_image": .string(pairs.keys[Int(pair.other_image)]),
          ]
        }),
    ]
  }

  private static func json(_ captions: CaptionAnalysis) -> JSON {
    var members: [(key: String, value: JSON)] = [("name", .string(captions.name))]
    if let changed = captions.changed { members.append(("changed", .double(changed))) }
    if let cosine = captions.cosine { members.append(("cosine_with_caption", .double(cosine))) }
    members += numbers(captions.analysis.facts).map { ($0.key, .double($0.value)) }
    members += ways(captions.analysis.facts).map { (key: $0.key, value: json($0.value)) }
    return .object(members)
  }

  private static func json(_ way: clip_retrieval) -> JSON {
    [
      "recall_at_1": .double(way.recall_at_1), "recall_at_5": .double(way.recall_at_5),
      "recall_at_10": .double(way.recall_at_10), "mean_reciprocal_rank": .double(way.mean_reciprocal_rank),
      "median_rank": .double(way.median_rank), "loss": .double(way.loss),
      "calibration_error": .double(way.calibration_error), "hubness": .double(way.hubness),
    ]
  }
}
