@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// What ops draw, by what torchvision's documentation says of the distributions.
@Suite struct AugmentationDrawTests {
  let runtime: Runtime

  init() throws { runtime = try Runtime() }

  /// Red grows with x and green with y, so that a crop shows where it was cut.
  @Test func cropsAreDrawnAsDocumented() throws {
    let side = 256
    var bytes: [UInt8] = []
    for y in 0..<side { for x in 0..<side { bytes += [UInt8(x), UInt8(y), 0] } }
    let source = try Image(width: side, height: side, format: .rgb, bytes: bytes)
    let pipeline = try Pipeline("[{\"op\": \"random_resized_crop\", \"size\": 8, \"scale\": [0.2, 0.6]}]", runtime)
    var areas: [Double] = []
    var ratios: [Double] = []
    var lefts: [Double] = []
    for index in 0..<3000 {
      let got = try pipeline.augment(source, index: index)
      #expect(got.width == 8 && got.height == 8)
      let bytes = got.bytes
      // Six inner pixels: the outer ones' filter is cut off.
      let width = Double(Int(bytes[6 * 3]) - Int(bytes[3])) * 8 / 5
      let height = Double(Int(bytes[6 * 24 + 1]) - Int(bytes[24 + 1])) * 8 / 5
      areas.append(width * height / Double(side * side))
      ratios.append(log(width / height))
      lefts.append((Double(bytes[3]) + 0.5 - width * 1.5 / 8) / (Double(side) - width))
    }
    func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
    func spread(_ values: [Double]) -> Double {
      let middle = mean(values)
      return mean(values.map { ($0 - middle) * ($0 - middle) }).squareRoot()
    }
    // Uniform from a to b: the mean is the middle, the deviation (b - a) / sqrt(12).
    let root = 12.0.squareRoot()
    #expect(abs(mean(areas) - 0.4) < 0.01 && abs(spread(areas) - 0.4 / root) < 0.01, "\(mean(areas)) \(spread(areas))")
    #expect((areas.min() ?? 0) > 0.17 && (areas.max() ?? 1) < 0.63)
    #expect(
      abs(mean(ratios)) < 0.02 && abs(spread(ratios) - 2 * log(4.0 / 3) / root) < 0.02,
      "\(mean(ratios)) \(spread(ratios))")
    #expect(abs(mean(lefts) - 0.5) < 0.03 && abs(spread(lefts) - 1 / root) < 0.03, "\(mean(lefts)) \(spread(lefts))")
  }

  /// Red grows with x and green with y, so that a pixel shows where it is from.
  @Test func elasticShiftsAreDrawnAsDocumented() throws {
    let side = 200
    var bytes: [UInt8] = []
    for y in 0..<side { for x in 0..<side { bytes += [UInt8(x + 20), UInt8(y + 20), 0] } }
    let source = try Image(width: side, height: side, format: .rgb, bytes: bytes)
    func shifts(_ settings: String) throws -> (x: [Double], y: [Double]) {
      let got = try Pipeline("[{\"op\": \"elastic_transform\", \(settings)}]", runtime).augment(source).bytes
      let inner = (30..<side - 30).flatMap { y in (30..<side - 30).map { x in (x, y) } }
      return (
        inner.map { Double(got[($0.1 * side + $0.0) * 3]) - Double($0.0 + 20) },
        inner.map { Double(got[($0.1 * side + $0.0) * 3 + 1]) - Double($0.1 + 20) }
      )
    }
    func spread(_ values: [Double]) -> Double {
      (values.map { $0 * $0 }.reduce(0, +) / Double(values.count)).squareRoot()
    }
    // Up to half of alpha each way, uniform, whose deviation is (b - a) / sqrt(12).
    let loose = try shifts("\"alpha\": [40, 20], \"sigma\": 0")
    #expect(abs(spread(loose.x) - 40 / 12.0.squareRoot()) < 0.2 && abs(spread(loose.y) - 20 / 12.0.squareRoot()) < 0.1)
    #expect(
      abs(loose.x.reduce(0, +)) < 0.3 * Double(loose.x.count) && (loose.x.max() ?? 0) == 20
        && (loose.x.min() ?? 0) == -20)
    // Smoothed, noise of deviation s has s / (2 sigma sqrt(pi)), and neighbours move together.
    let smooth = try shifts("\"alpha\": 400, \"sigma\": 4")
    #expect(abs(spread(smooth.x) - 400 / 12.0.squareRoot() / (8 * Double.pi.squareRoot())) < 1.5, "\(spread(smooth.x))")
    let steps = zip(smooth.x, smooth.x.dropFirst()).enumerated().filter { ($0.offset + 1) % (side - 60) != 0 }.map {
      $0.element.1 - $0.element.0
    }
    #expect(spread(steps) < 0.3 * spread(smooth.x), "\(spread(steps))")
  }

  /// A quadrilateral of one colour: its upper left corner is uniform over a rectangle.
  @Test func perspectiveCornersAreDrawnAsDocumented() throws {
    let (width, height) = (80, 60)
    let source = try Image(
      width: width, height: height, format: .rgb, bytes: [UInt8](repeating: 200, count: width * height * 3))
    let pipeline = try Pipeline(
      "[{\"op\": \"random_perspective\", \"p\": 1, \"distortion_scale\": 0.4, \"interpolation\": \"nearest\"}]", runtime
    )
    var (xs, ys): ([Double], [Double]) = ([], [])
    for index in 0..<1500 {
      let bytes = try pipeline.augment(source, index: index).bytes
      let first = try #require(
        (0..<width * height).filter { bytes[$0 * 3] != 0 }.min { $0 % width + $0 / width < $1 % width + $1 / width })
      xs.append(Double(first % width))
      ys.append(Double(first / width))
    }
    // 0 to 0.4 of half the width, 16, and of half the height, 12.
    #expect(abs(xs.reduce(0, +) / 1500 - 8) < 0.8 && abs(ys.reduce(0, +) / 1500 - 6) < 0.6)
    #expect((xs.max() ?? 0) >= 15 && (xs.max() ?? 99) <= 17 && (ys.max() ?? 0) >= 11 && (ys.max() ?? 99) <= 13)
    let often = try Pipeline("[{\"op\": \"random_perspective\"}]", runtime)
    let changed = try (0..<1000).count { try often.augment(source, index: $0).bytes.contains(0) }
    #expect((430...570).contains(changed))
  }

  @Test func factorsAreDrawnUniformly() throws {
    let source = try Image(width: 3, height: 1, format: .rgb, bytes: [100, 100, 100, 100, 100, 100, 100, 100, 100])
    let pipeline = try Pipeline("[{\"op\": \"color_jitter\", \"brightness\": 0.5}]", runtime)
    let values = try (0..<4000).map { Int(try pipeline.augment(source, index: $0).bytes[0]) }
    #expect(values.allSatisfy { (50...150).contains($0) })
    for tenth in 0..<10 {
      let count = values.count { (50 + tenth * 10..<60 + tenth * 10).contains($0) }
      #expect(abs(count - 400) < 90, "\(tenth): \(count)")
    }
    // Two numbers may be far off 1, and one is cut at 0.
    #expect(
      try Pipeline("[{\"op\": \"color_jitter\", \"brightness\": [2, 2]}]", runtime).augment(source).bytes[0] == 200)
    let cut = try Pipeline("[{\"op\": \"color_jitter\", \"brightness\": 3}]", runtime)
    #expect(try (0..<200).allSatisfy { (0...255).contains(Int(try cut.augment(source, index: $0).bytes[0])) })
    let gray = try Pipeline("[{\"op\": \"random_grayscale\"}]", runtime)
    let colour = try Image(width: 1, height: 1, format: .rgb, bytes: [200, 100, 50])
    let grays = try (0..<2000).count { try gray.augment(colour, index: $0).bytes == [124, 124, 124] }
    #expect((140...260).contains(grays))
  }

  @Test func jpegDrawsFromBothEnds() throws {
    let stored = try tensor("small", of: expected("augmentations"))
    let source = try Image(width: stored.shape[1], height: stored.shape[0], format: .rgb, bytes: Array(stored.data))
    let pipeline = try Pipeline("[{\"op\": \"jpeg\", \"quality\": [20, 22]}]", runtime)
    let wanted = try (20...22).map {
      try Pipeline("[{\"op\": \"jpeg\", \"quality\": \($0)}]", runtime).augment(source).bytes
    }
    var counts = [0, 0, 0]
    for index in 0..<300 {
      let got = try pipeline.augment(source, index: index).bytes
      counts[try #require(wanted.firstIndex(of: got))] += 1
    }
    #expect(counts.allSatisfy { $0 > 60 }, "\(counts)")
  }
}
