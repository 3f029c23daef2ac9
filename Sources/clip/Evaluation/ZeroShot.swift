/// Classifies images by captions of the classes.
struct ZeroShot {
  let classes: ClassList
  /// For each class the mean of the unit embeddings of its captions, scaled to unit length.
  let embeddings: [Float]

  init(_ model: Model, _ classes: ClassList, batch: Int, options: EncodeOptions) throws(CLIPError) {
    self.classes = classes
    let texts = try model.embed(
      texts: classes.names.indices.flatMap { classes.captions($0) }, batch: batch, options: options)
    let (width, each) = (model.width, classes.templates.count)
    var embeddings: [Float] = []
    for index in classes.names.indices {
      var mean = [Double](repeating: 0, count: width)
      for caption in 0..<each {
        for column in 0..<width { mean[column] += Double(texts[(index * each + caption) * width + column]) }
      }
      let length = mean.reduce(0) { $0 + $1 * $1 }.squareRoot()
      embeddings += mean.map { Float(length > 0 ? $0 / length : 0) }
    }
    self.embeddings = embeddings
  }

  /// The index of the class that the data calls `label`. With `isNumbered` a label may be an index.
  func index(of label: String, _ place: String, isNumbered: Bool = false) throws(CLIPError) -> Int {
    if isNumbered, let number = Int(label), classes.labels.indices.contains(number) { return number }
    guard let index = classes.labels.firstIndex(of: label) else {
      let known = classes.labels.prefix(5).map { quoted($0) }.joined(separator: ", ")
      throw CLIPError(
        "\(place): class \(quoted(label)) is not among the \(classes.labels.count) classes of the list: \(known)"
          + (classes.labels.count > 5 ? ", …" : ""))
    }
    return index
  }
}

/// The result of a classification.
struct ZeroShotReport {
  let classes: ClassList
  /// The class of each image, and the rank of that class.
  let truth: [Int]
  let ranks: Ranks
  let leftOut: Int

  private struct Score {
    let images: Int
    let top1: Double
    let top5: Double

    init(_ ranks: Ranks) {
      images = ranks.ranks.count
      top1 = ranks.recall(at: 1)
      top5 = ranks.recall(at: 5)
    }
  }

  /// The scores of each class.
  private var scores: [Score] {
    var ranksOf = [[Int]](repeating: [], count: classes.names.count)
    for (index, rank) in zip(truth, ranks.ranks) { ranksOf[index].append(rank) }
    return ranksOf.map { Score(Ranks($0)) }
  }

  /// The mean over all classes with images.
  private var meanPerClass: Double {
    let seen = scores.filter { $0.images > 0 }
    return seen.isEmpty ? 0 : seen.reduce(0) { $0 + $1.top1 } / Double(seen.count)
  }

  func text(perClass: Bool) -> String {
    var text =
      "\(counted(truth.count, "image")), \(leftOut) left out; \(classes.names.count) classes, "
      + "\(counted(classes.templates.count, "template"))\n"
    var table = Table([("top-1", .right), ("top-5", .right), ("mean per class", .right)])
    table.add([fixed(ranks.recall(at: 1), 4), fixed(ranks.recall(at: 5), 4), fixed(meanPerClass, 4)])
    text += table.text()
    guard perClass else { return text }
    var each = Table([("class", .left), ("images", .right), ("top-1", .right), ("top-5", .right)])
    for (label, score) in zip(classes.labels, scores) {
      each.add(
        [visible(label), "\(score.images)"]
          + (score.images == 0 ? ["", ""] : [fixed(score.top1, 4), fixed(score.top5, 4)]))
    }
    return text + "\n" + each.text()
  }

  func json(perClass: Bool) -> JSON {
    var members: [(key: String, value: JSON)] = [
      ("images", .integer(truth.count)), ("left_out", .integer(leftOut)), ("classes", .integer(classes.names.count)),
      ("templates", .integer(classes.templates.count)), ("top_1", .double(ranks.recall(at: 1))),
      ("top_5", .double(ranks.recall(at: 5))), ("mean_per_class", .double(meanPerClass)),
    ]
    if perClass {
      let list = zip(classes.labels, scores).map { label, score -> JSON in
        [
          "class": .string(label), "images": .integer(score.images), "top_1": .double(score.top1),
          "top_5": .double(score.top5),
        ]
      }
      members.append(("per_class", .array(list)))
    }
    return .object(members)
  }
}
