import CClip
@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// What pairs of embeddings measure.
@Suite struct AnalysisTests {
  struct Pairs {
    var images: [Float]
    var texts: [Float]
    var n: Int
    var width: Int { images.count / n }

    /// Pairs that share something, each side with noise and an offset of its own.
    init(_ n: Int, _ d: Int, seed: UInt64 = 5) {
      var numbers = Numbers(seed)
      let shared = numbers.floats(n * d)
      images = zip(shared, numbers.floats(n * d)).map { $0 + $1 }
      texts = zip(shared, numbers.floats(n * d)).map { $0 + $1 }
      for row in 0..<n {
        images[row * d] += 1
        texts[row * d + 1] += 1
      }
      self.n = n
    }
  }

  func analyze(_ pairs: Pairs, scale: Double = 20, bins: Int = 0, threads: Int = 1) throws -> Analysis {
    try Runtime(threads: threads).analyze(
      images: pairs.images, texts: pairs.texts, width: pairs.width, logitScale: scale, calibrationBins: bins)
  }

  func near(_ a: Double, _ b: Double, _ tolerance: Double = 1e-12) -> Bool { abs(a - b) <= tolerance }

  /// Computed by NumPy in double precision, the best scale by golden-section search.
  @Test func numbersOfNumPy() throws {
    let facts = try analyze(Pairs(37, 13))
    let pairs = facts.pairs
    let single: [Double] = [
      facts.gap, facts.shiftedGap, facts.alignment, facts.imageUniformity, facts.textUniformity, facts.matchedMean,
      facts.unmatchedMean,
    ]
    let singleExpected: [Double] = [
      0.5223697681671171, 0.045799339697360136, 1.153352944171264, -2.9986878619314714, -2.8004286008601,
      0.42332352791436795, 0.011807597696950474,
    ]
    #expect(near(single, singleExpected))
    let forward: [Double] = [
      12, 26, 33, 0.48637528505949557, 3, 3.800141096804001, 0.47271937839728034, 0.5245545465526739,
    ]
    let backward: [Double] = [
      11, 23, 34, 0.4491265711853947, 3, 3.7328653927596394, 0.4167976812404349, 0.30043540246994876,
    ]
    #expect(near(numbers(facts.imageToText), forward))
    #expect(near(numbers(facts.textToImage), backward))
    let shifted: [Double] = [
      10, 27, 34, 0.4766955266955267, 3, 3.0941478231713804, 0.44766118180908887, 0.2745716451823344,
    ]
    let back: [Double] = [
      13, 25, 36, 0.5106016731016731, 3, 3.129515985209524, 0.31953350036680667, 0.6635350497713784,
    ]
    #expect(near(numbers(facts.shiftedImageToText), shifted))
    #expect(near(numbers(facts.shiftedTextToImage), back))
    #expect(near(facts.bestLogitScale / 6.772955677683564, 1, 0.01))
    #expect(near(facts.bestLoss, 2.412285627340797, 1e-4))
    #expect(near(facts.bestCalibrationError, 0.1855, 1e-3))
    let pairsExpected: [[Double]] = [
      [6, 5, 31, 1, 0.40881177898167165, 5.6317757732782265], [1, 1, 0, 7, 0.668250466400721, 0.2055530665752947],
      [1, 8, 32, 3, 0.5264458300897137, 2.1687584680169243],
    ]
    for (pair, expected) in zip(pairs, pairsExpected) {
      let whole = [pair.textRank, pair.imageRank, pair.otherText, pair.otherImage]
      #expect(near(whole.map(Double.init) + [pair.cosine, pair.hardness], expected))
    }
  }

  /// Recall of 37 queries as their number.
  func numbers(_ way: Retrieval) -> [Double] {
    [
      way.recallAt1 * 37, way.recallAt5 * 37, way.recallAt10 * 37, way.meanReciprocalRank, way.medianRank,
      way.loss, way.calibrationError, way.hubness,
    ]
  }

  func near(_ a: [Double], _ b: [Double]) -> Bool { a.count == b.count && zip(a, b).allSatisfy { near($0, $1, 1e-11) } }

  @Test func threadsChangeNothing() throws {
    let pairs = Pairs(70, 19)
    let alone = try analyze(pairs)
    for threads in [2, 5, 16] {
      let together = try analyze(pairs, threads: threads)
      #expect(together == alone)
    }
  }

  @Test func perfectPairs() throws {
    var pairs = Pairs(40, 16)
    pairs.texts = pairs.images
    let facts = try analyze(pairs, scale: 100)
    let list = facts.pairs
    for way in [facts.imageToText, facts.textToImage, facts.shiftedImageToText] {
      #expect(way.recallAt1 == 1)
      #expect(way.recallAt10 == 1)
      #expect(way.medianRank == 1)
    }
    #expect(facts.gap == 0)
    #expect(facts.shiftedGap < 1e-12)
    #expect(near(facts.alignment, 0))
    #expect(near(facts.matchedMean, 1))
    #expect(facts.imageUniformity == facts.textUniformity)
    #expect(facts.imageUniformity < 0)
    #expect(list.allSatisfy { $0.textRank == 1 && $0.imageRank == 1 && near($0.cosine, 1) })
    // The surer the better.
    #expect(facts.bestLogitScale > 50)
    #expect(facts.bestLoss < 1e-6)
  }

  /// Lengths do not count; the sides may be exchanged; the order of the pairs is all the same.
  @Test func whatChangesNothing() throws {
    let pairs = Pairs(30, 8)
    let facts = try analyze(pairs)
    let list = facts.pairs
    var scaled = pairs
    scaled.images = pairs.images.map { $0 * 4 }
    #expect(try analyze(scaled) == facts)
    var exchanged = pairs
    (exchanged.images, exchanged.texts) = (pairs.texts, pairs.images)
    let other = try analyze(exchanged)
    #expect(other.imageToText == facts.textToImage)
    #expect(near(other.gap, facts.gap))
    #expect(other.textUniformity == facts.imageUniformity)
    #expect(other.pairs.map(\.textRank) == list.map(\.imageRank))
    var reversed = pairs
    let turn = { (rows: [Float]) -> [Float] in (0..<30).reversed().flatMap { Array(rows[($0 * 8)..<(($0 + 1) * 8)]) } }
    (reversed.images, reversed.texts) = (turn(pairs.images), turn(pairs.texts))
    let turned = try analyze(reversed)
    #expect(near(turned.imageToText.loss, facts.imageToText.loss))
    #expect(near(turned.gap, facts.gap))
    #expect(turned.pairs.map(\.textRank) == list.map(\.textRank).reversed())
  }

  /// A constant that is added to one side is a gap, and the shift takes it away.
  @Test func aShiftRemovesAShift() throws {
    let n = 60, d = 32
    var numbers = Numbers(9)
    let rows = numbers.floats(n * d)
    var pairs = Pairs(n, d)
    pairs.images = rows
    pairs.texts = rows
    for row in 0..<n { pairs.texts[row * d] += 4 }
    let facts = try analyze(pairs)
    #expect(facts.gap > 0.5)
    #expect(facts.shiftedGap < facts.gap / 3)
    #expect(facts.shiftedImageToText.recallAt1 >= facts.imageToText.recallAt1)
    #expect(facts.shiftedImageToText.loss < facts.imageToText.loss)
  }

  /// Where everything is the same, nothing is found: equal scores count as better ones.
  @Test func collapsedEmbeddings() throws {
    var pairs = Pairs(12, 4)
    pairs.images = [Float](repeating: 1, count: 48)
    pairs.texts = pairs.images
    let facts = try analyze(pairs)
    let list = facts.pairs
    #expect(facts.imageToText.recallAt10 == 0)
    #expect(facts.imageToText.medianRank == 12)
    #expect(near(facts.imageUniformity, 0))
    #expect(near(facts.bestLoss, log(12)))
    #expect(list.allSatisfy { $0.textRank == 12 && near($0.hardness, log(12)) })
    // The first ten are everyone's nearest.
    #expect(facts.imageToText.hubness < -1)
  }

  @Test func wrongArguments() throws {
    let runtime = try Runtime()
    let pairs = Pairs(4, 3)
    var facts = clip_analysis()
    facts.struct_size = size(of: clip_analysis.self)
    func call(_ change: (inout [Float], inout clip_analysis_options) -> Void = { _, _ in }, n: Int = 4, d: Int = 3)
      -> clip_status
    {
      var images = pairs.images
      var options = clip_analysis_options()
      options.struct_size = size(of: clip_analysis_options.self)
      change(&images, &options)
      return clip_analyze(runtime.handle, images, pairs.texts, n, d, &options, &facts, nil, 0)
    }
    #expect(call() == CLIP_OK)
    #expect(facts.logit_scale == 100)
    let sizes: [(Int, Int)] = [(0, 3), (1, 3), (-1, 3), (4, 0), (4, -1), (Int.max, 3), (4, Int.max), (1 << 25, 3)]
    for (n, d) in sizes {
      #expect(call(n: n, d: d) == CLIP_INVALID_ARGUMENT, "\(n) \(d)")
    }
    #expect(call(n: 1 << 24, d: 1 << 20) == CLIP_OUT_OF_MEMORY)
    for bad in [Float.nan, .infinity, -.infinity] {
      #expect(call { images, _ in images[4] = bad } == CLIP_INVALID_ARGUMENT)
    }
    #expect(String(cString: clip_last_error()).contains("images[1]"))
    #expect(call { images, _ in images.replaceSubrange(6..<9, with: [0, 0, 0]) } == CLIP_INVALID_ARGUMENT)
    let scales: [Double] = [-1, .nan, .infinity, 2e6]
    for scale in scales { #expect(call { _, options in options.logit_scale = scale } == CLIP_INVALID_ARGUMENT) }
    #expect(call { _, options in options.calibration_bins = 1001 } == CLIP_INVALID_ARGUMENT)
    #expect(call { _, options in options.struct_size = 0 } == CLIP_INVALID_ARGUMENT)
    // Very large and very small numbers are scaled in double precision.
    #expect(call { images, _ in images[0] = .greatestFiniteMagnitude } == CLIP_OK)
    #expect(call { images, _ in images.replaceSubrange(0..<3, with: [.leastNonzeroMagnitude, 0, 0]) } == CLIP_OK)
    #expect(clip_analyze(nil, pairs.images, pairs.texts, 4, 3, nil, &facts, nil, 0) == CLIP_INVALID_ARGUMENT)
    #expect(clip_analyze(runtime.handle, nil, pairs.texts, 4, 3, nil, &facts, nil, 0) == CLIP_INVALID_ARGUMENT)
    #expect(clip_analyze(runtime.handle, pairs.images, nil, 4, 3, nil, &facts, nil, 0) == CLIP_INVALID_ARGUMENT)
    #expect(clip_analyze(runtime.handle, pairs.images, pairs.texts, 4, 3, nil, nil, nil, 0) == CLIP_INVALID_ARGUMENT)
    // Two pairs are enough, in one dimension too.
    #expect(call(n: 2, d: 1) == CLIP_OK)
    #expect(facts.image_to_text.recall_at_10 >= facts.image_to_text.recall_at_1)
  }
}
