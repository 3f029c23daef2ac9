import CClip
@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// clip_analyze and the catalogue of modalities, through clip.h.
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

  func analyze(_ pairs: Pairs, scale: Double = 20, bins: UInt32 = 0, threads: Int = 1) throws -> (
    clip_analysis, [clip_pair_analysis]
  ) {
    let runtime = try Runtime(threads: threads)
    var options = clip_analysis_options()
    options.struct_size = size(of: clip_analysis_options.self)
    options.logit_scale = scale
    options.calibration_bins = bins
    var facts = clip_analysis()
    facts.struct_size = size(of: clip_analysis.self)
    var list = [clip_pair_analysis](repeating: clip_pair_analysis(), count: pairs.n)
    try check(
      clip_analyze(runtime.handle, pairs.images, pairs.texts, pairs.n, pairs.width, &options, &facts, &list))
    return (facts, list)
  }

  func near(_ a: Double, _ b: Double, _ tolerance: Double = 1e-12) -> Bool { abs(a - b) <= tolerance }

  func bytes<T>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

  /// Computed by NumPy in double precision, the best scale by golden-section search.
  @Test func numbersOfNumPy() throws {
    let (facts, pairs) = try analyze(Pairs(37, 13))
    let single: [Double] = [
      facts.gap, facts.shifted_gap, facts.alignment, facts.image_uniformity, facts.text_uniformity, facts.matched_mean,
      facts.unmatched_mean,
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
    #expect(near(numbers(facts.image_to_text), forward))
    #expect(near(numbers(facts.text_to_image), backward))
    let shifted: [Double] = [
      10, 27, 34, 0.4766955266955267, 3, 3.0941478231713804, 0.44766118180908887, 0.2745716451823344,
    ]
    let back: [Double] = [
      13, 25, 36, 0.5106016731016731, 3, 3.129515985209524, 0.31953350036680667, 0.6635350497713784,
    ]
    #expect(near(numbers(facts.shifted_image_to_text), shifted))
    #expect(near(numbers(facts.shifted_text_to_image), back))
    #expect(near(facts.best_logit_scale / 6.772955677683564, 1, 0.01))
    #expect(near(facts.best_loss, 2.412285627340797, 1e-4))
    #expect(near(facts.best_calibration_error, 0.1855, 1e-3))
    let pairsExpected: [[Double]] = [
      [6, 5, 31, 1, 0.40881177898167165, 5.6317757732782265], [1, 1, 0, 7, 0.668250466400721, 0.2055530665752947],
      [1, 8, 32, 3, 0.5264458300897137, 2.1687584680169243],
    ]
    for (pair, expected) in zip(pairs, pairsExpected) {
      let whole: [UInt32] = [pair.text_rank, pair.image_rank, pair.other_text, pair.other_image]
      #expect(near(whole.map(Double.init) + [pair.cosine, pair.hardness], expected))
    }
  }

  /// Recall of 37 queries as their number.
  func numbers(_ way: clip_retrieval) -> [Double] {
    [
      way.recall_at_1 * 37, way.recall_at_5 * 37, way.recall_at_10 * 37, way.mean_reciprocal_rank, way.median_rank,
      way.loss, way.calibration_error, way.hubness,
    ]
  }

  func near(_ a: [Double], _ b: [Double]) -> Bool { a.count == b.count && zip(a, b).allSatisfy { near($0, $1, 1e-11) } }

  @Test func threadsChangeNothing() throws {
    let pairs = Pairs(70, 19)
    let alone = try analyze(pairs)
    for threads in [2, 5, 16] {
      let together = try analyze(pairs, threads: threads)
      #expect(bytes(together.0) == bytes(alone.0))
      #expect(together.1.map(bytes) == alone.1.map(bytes))
    }
  }

  @Test func perfectPairs() throws {
    var pairs = Pairs(40, 16)
    pairs.texts = pairs.images
    let (facts, list) = try analyze(pairs, scale: 100)
    for way in [facts.image_to_text, facts.text_to_image, facts.shifted_image_to_text] {
      #expect(way.recall_at_1 == 1)
      #expect(way.recall_at_10 == 1)
      #expect(way.median_rank == 1)
    }
    #expect(facts.gap == 0)
    #expect(facts.shifted_gap < 1e-12)
    #expect(near(facts.alignment, 0))
    #expect(near(facts.matched_mean, 1))
    #expect(facts.image_uniformity == facts.text_uniformity)
    #expect(facts.image_uniformity < 0)
    #expect(list.allSatisfy { $0.text_rank == 1 && $0.image_rank == 1 && near($0.cosine, 1) })
    // The surer the better.
    #expect(facts.best_logit_scale > 50)
    #expect(facts.best_loss < 1e-6)
  }

  /// Lengths do not count; the sides may be exchanged; the order of the pairs is all the same.
  @Test func whatChangesNothing() throws {
    let pairs = Pairs(30, 8)
    let (facts, list) = try analyze(pairs)
    var scaled = pairs
    scaled.images = pairs.images.map { $0 * 4 }
    #expect(bytes(try analyze(scaled).0) == bytes(facts))
    var exchanged = pairs
    (exchanged.images, exchanged.texts) = (pairs.texts, pairs.images)
    let (other, otherList) = try analyze(exchanged)
    #expect(bytes(other.image_to_text) == bytes(facts.text_to_image))
    #expect(near(other.gap, facts.gap))
    #expect(other.text_uniformity == facts.image_uniformity)
    #expect(otherList.map(\.text_rank) == list.map(\.image_rank))
    var reversed = pairs
    let turn = { (rows: [Float]) -> [Float] in (0..<30).reversed().flatMap { Array(rows[($0 * 8)..<(($0 + 1) * 8)]) } }
    (reversed.images, reversed.texts) = (turn(pairs.images), turn(pairs.texts))
    let (turned, turnedList) = try analyze(reversed)
    #expect(near(turned.image_to_text.loss, facts.image_to_text.loss))
    #expect(near(turned.gap, facts.gap))
    #expect(turnedList.map(\.text_rank) == list.map(\.text_rank).reversed())
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
    let (facts, _) = try analyze(pairs)
    #expect(facts.gap > 0.5)
    #expect(facts.shifted_gap < facts.gap / 3)
    #expect(facts.shifted_image_to_text.recall_at_1 >= facts.image_to_text.recall_at_1)
    #expect(facts.shifted_image_to_text.loss < facts.image_to_text.loss)
  }

  /// Where everything is the same, nothing is found: equal scores count as better ones.
  @Test func collapsedEmbeddings() throws {
    var pairs = Pairs(12, 4)
    pairs.images = [Float](repeating: 1, count: 48)
    pairs.texts = pairs.images
    let (facts, list) = try analyze(pairs)
    #expect(facts.image_to_text.recall_at_10 == 0)
    #expect(facts.image_to_text.median_rank == 12)
    #expect(near(facts.image_uniformity, 0))
    #expect(near(facts.best_loss, log(12)))
    #expect(list.allSatisfy { $0.text_rank == 12 && near($0.hardness, log(12)) })
    // The first ten are everyone's nearest.
    #expect(facts.image_to_text.hubness < -1)
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
      return clip_analyze(runtime.handle, images, pairs.texts, n, d, &options, &facts, nil)
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
    #expect(clip_analyze(nil, pairs.images, pairs.texts, 4, 3, nil, &facts, nil) == CLIP_INVALID_ARGUMENT)
    #expect(clip_analyze(runtime.handle, nil, pairs.texts, 4, 3, nil, &facts, nil) == CLIP_INVALID_ARGUMENT)
    #expect(clip_analyze(runtime.handle, pairs.images, nil, 4, 3, nil, &facts, nil) == CLIP_INVALID_ARGUMENT)
    #expect(clip_analyze(runtime.handle, pairs.images, pairs.texts, 4, 3, nil, nil, nil) == CLIP_INVALID_ARGUMENT)
    // Two pairs are enough, in one dimension too.
    #expect(call(n: 2, d: 1) == CLIP_OK)
    #expect(facts.image_to_text.recall_at_10 >= facts.image_to_text.recall_at_1)
  }
}
