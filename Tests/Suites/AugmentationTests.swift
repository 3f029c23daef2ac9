@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

extension Pipeline {
  convenience init(_ json: String, _ runtime: Runtime) throws { try self.init(json, runtime: runtime) }

  func augment(_ image: Image, seed: UInt64 = 1, index: Int = 0) throws -> Image {
    try augment(image, seed: seed, index: UInt64(index))
  }
}

/// What several threads made.
private final class Gathered: @unchecked Sendable {
  private let lock = NSLock()
  private(set) var bytes: [[UInt8]?]
  init(count: Int) { bytes = Array(repeating: nil, count: count) }
  func put(_ index: Int, _ result: [UInt8]?) { lock.withLock { bytes[index] = result } }
}

/// torchvision's transforms, by images that it made (Tests/Fixtures/SOURCES.md).
@Suite struct AugmentationTests {
  let runtime: Runtime
  let stored: [String: StoredTensor]

  init() throws {
    runtime = try Runtime()
    stored = try expected("augmentations")
  }

  private func source(_ name: String) throws -> Image {
    let tensor = try tensor(name, of: stored)
    return try Image(width: tensor.shape[1], height: tensor.shape[0], format: .rgb, bytes: Array(tensor.data))
  }

  /// The largest difference of a byte; 256 where sizes differ.
  private func difference(_ got: Image, _ want: StoredTensor) -> Int {
    guard [got.height, got.width, got.format.channels] == want.shape else { return 256 }
    return zip(got.bytes, want.data).map { abs(Int($0) - Int($1)) }.max() ?? 256
  }

  @Test func sameDrawSameImageAsTorchvision() throws {
    let source = try source("source")
    let pipelines = stored.keys.filter { $0.hasPrefix("[") }.sorted()
    #expect(pipelines.count == 41)
    for json in pipelines {
      let worst = difference(try Pipeline(json, runtime).augment(source), try tensor(json, of: stored))
      #expect(worst <= 1, "\(json): off by \(worst)")
    }
  }

  /// What a random choice leads to: each outcome stored under "<prefix> …" comes as often as the others,
  /// but for `weights`, and nothing else comes.
  @Test(arguments: [
    ("translate ", "small", "{\"op\": \"random_affine\", \"translate\": [0.0588, 0], \"interpolation\": \"bilinear\"}"),
    (
      "jitter ", "small",
      "{\"op\": \"color_jitter\", \"brightness\": [0.6, 0.6], \"contrast\": [1.5, 1.5], \"saturation\": [1.75, 1.75], \"hue\": [0.125, 0.125]}"
    ),
    ("rand_augment ", "middle", "{\"op\": \"rand_augment\", \"num_ops\": 1}"),
  ]) func everyOutcomeIsTorchvisions(_ prefix: String, _ name: String, _ step: String) throws {
    let outcomes = stored.filter { $0.key.hasPrefix(prefix) }
    let signed = Set(outcomes.keys.filter { $0.hasSuffix("-") }.flatMap { [$0, String($0.dropLast())] })
    let source = try source(name)
    let pipeline = try Pipeline("[\(step)]", runtime)
    let rounds = 2000
    var seen: [String: Int] = [:]
    for index in 0..<rounds {
      let got = try pipeline.augment(source, index: index)
      let best = outcomes.map { (difference(got, $0.value), $0.key) }.min { $0 < $1 }
      guard let best, best.0 <= 1 else {
        Issue.record("\(prefix)\(index): none of the outcomes, the nearest is off by \(best?.0 ?? 0)")
        return
      }
      seen[best.1, default: 0] += 1
    }
    let total = outcomes.keys.reduce(0.0) { $0 + (signed.contains($1) ? 0.5 : 1) }
    for outcome in outcomes.keys {
      // A pixel each way and none: what rounds to -1, 0 and 1 of -1.0 to 1.0.
      let share =
        prefix == "translate " ? (outcome.hasSuffix(" 0") ? 0.5 : 0.25) : (signed.contains(outcome) ? 0.5 : 1) / total
      let deviation = (Double(rounds) * share * (1 - share)).squareRoot()
      let count = Double(seen[outcome] ?? 0)
      #expect(abs(count - Double(rounds) * share) < 4.5 * deviation, "\(outcome): \(count) of \(rounds)")
    }
  }

  /// Across first and down first, larger and smaller, windows of few and of many pixels.
  @Test func everyKernelSetResizesToTheSameBytes() throws {
    let source = try runtime.load(Paths.image("coffee.png"))
    let pipelines = [
      ("[224, 224]", "bicubic"), ("[33, 500]", "bilinear"), ("[700, 9]", "bicubic"), ("[1, 1]", "bilinear"),
    ].map {
      "[{\"op\": \"random_resized_crop\", \"size\": \($0.0), \"interpolation\": \"\($0.1)\"}]"
    }
    let wanted = try pipelines.map { try Pipeline($0, Runtime(kernels: "reference")).augment(source).bytes }
    var sets = 0
    for set in ["x86-64", "x86-64-v3", "x86-64-v4"] {
      guard let runtime = try? Runtime(kernels: set) else { continue }
      sets += 1
      #expect(try pipelines.map { try Pipeline($0, runtime).augment(source).bytes } == wanted, "\(set)")
    }
    #expect(sets > 0)
  }

  @Test func erasesOneRectangle() throws {
    let (width, height) = (60, 50)
    let source = try Image(
      width: width, height: height, format: .rgb, bytes: [UInt8](repeating: 200, count: width * height * 3))
    let pipeline = try Pipeline("[{\"op\": \"random_erasing\", \"p\": 1, \"value\": [1, 2, 3]}]", runtime)
    var shares: [Double] = []
    for index in 0..<1500 {
      let bytes = try pipeline.augment(source, index: index).bytes
      let erased = (0..<width * height).filter {
        bytes[$0 * 3] == 1 && bytes[$0 * 3 + 1] == 2 && bytes[$0 * 3 + 2] == 3
      }
      #expect(erased.count + (0..<width * height).count { bytes[$0 * 3] == 200 } == width * height)
      let (columns, rows) = (Set(erased.map { $0 % width }), Set(erased.map { $0 / width }))
      #expect(erased.count == columns.count * rows.count)
      let (w, h) = (Double(columns.count), Double(rows.count))
      #expect(h / w < 3.3 * 1.2 && h / w > 0.3 / 1.2)
      shares.append(Double(erased.count) / Double(width * height))
    }
    // Uniform from 0.02 to 0.33, but for the few that do not fit and are drawn again.
    #expect(abs(shares.reduce(0, +) / 1500 - 0.175) < 0.015)
    #expect((shares.min() ?? 0) > 0.015 && (shares.max() ?? 1) < 0.35)

    let often = try Pipeline("[{\"op\": \"random_erasing\"}]", runtime)
    let changed = try (0..<1000).count { try often.augment(source, index: $0).bytes.contains(0) }
    #expect((430...570).contains(changed))

    let noise = try Pipeline(
      "[{\"op\": \"random_erasing\", \"p\": 1, \"random\": true, \"scale\": [0.8, 0.9], \"ratio\": [1, 1]}]", runtime)
    let values = try (0..<20).flatMap {
      try noise.augment(source, index: $0).bytes.filter { $0 != 200 }.map(Double.init)
    }
    #expect(abs(values.reduce(0, +) / Double(values.count) - 115) < 3)
  }

  /// Every seventh of all colours, and each gray, through Pillow's own formulas (libImaging/Convert.c and
  /// Blend.c) in C's mixture of float and double; in rows that end within eight pixels.
  @Test func coloursArePillows() throws {
    var colours = (0..<256).map { [UInt8($0), UInt8($0), UInt8($0)] }
    for number in stride(from: 0, to: 1 << 24, by: 7) {
      colours.append([UInt8(number >> 16), UInt8(number >> 8 & 255), UInt8(number & 255)])
    }
    let width = 1013
    let height = colours.count / width
    let source = try Image(
      width: width, height: height, format: .rgb, bytes: colours.prefix(width * height).flatMap { $0 })
    let (turn, factor) = (0.1, Float(1.3))
    let turned = try Pipeline("[{\"op\": \"color_jitter\", \"hue\": [\(turn), \(turn)]}]", runtime).augment(source)
      .bytes
    let strong = try Pipeline("[{\"op\": \"color_jitter\", \"saturation\": [1.3, 1.3]}]", runtime).augment(source).bytes
    let gray = try Pipeline("[{\"op\": \"random_grayscale\", \"p\": 1}]", runtime).augment(source).bytes
    var off = (hue: 0, farHue: 0, saturation: 0, gray: 0)
    for (index, colour) in colours.prefix(width * height).enumerated() {
      let want = pillowTurned(colour, UInt8(truncatingIfNeeded: Int(turn * 255)))
      let luma = (Int(colour[0]) * 19595 + Int(colour[1]) * 38470 + Int(colour[2]) * 7471 + 0x8000) >> 16
      for channel in 0..<3 {
        let place = index * 3 + channel
        if turned[place] != want[channel] { off.hue += 1 }
        if abs(Int(turned[place]) - Int(want[channel])) > 1 { off.farHue += 1 }
        let mixed = Float(luma) + factor * Float(Int(colour[channel]) - luma)
        if strong[place] != UInt8(max(0, min(255, mixed))) { off.saturation += 1 }
        if gray[place] != UInt8(luma) { off.gray += 1 }
      }
    }
    #expect(off.farHue == 0 && off.saturation == 0 && off.gray == 0, "\(off)")
    #expect(off.hue * 1000 < turned.count, "\(off)")
  }

  /// rgb2hsv_row, a turn of the hue, and hsv2rgb_row.
  private func pillowTurned(_ colour: [UInt8], _ shift: UInt8) -> [UInt8] {
    let (r, g, b) = (colour[0], colour[1], colour[2])
    let (most, least) = (max(r, g, b), min(r, g, b))
    var (hue, saturation): (UInt8, UInt8) = (0, 0)
    if most != least {
      let range = Float(most - least)
      let (rc, gc, bc) = (Float(most - r) / range, Float(most - g) / range, Float(most - b) / range)
      let h =
        r == most ? bc - gc : g == most ? Float(2.0 + Double(rc) - Double(bc)) : Float(4.0 + Double(gc) - Double(rc))
      let turn = Float(fmod(Double(h) / 6.0 + 1.0, 1.0))
      hue = UInt8(max(0, min(255, Int(Double(turn) * 255.0))))
      saturation = UInt8(max(0, min(255, Int(Double(range / Float(most)) * 255.0))))
    }
    hue &+= shift
    if saturation == 0 { return [most, most, most] }
    let place = Double(Float(hue)) * 6.0 / 255.0
    let sector = Int(place)
    let into = Double(Float(place - Double(sector)))
    let depth = Double(Float(saturation) / 255)
    func byte(_ share: Double) -> UInt8 { UInt8(max(0, min(255, (Double(most) * share).rounded()))) }
    let (p, q, t) = (byte(1 - depth), byte(1 - depth * into), byte(1 - depth * (1 - into)))
    switch sector % 6 {
    case 0: return [most, t, p]
    case 1: return [q, most, p]
    case 2: return [p, most, t]
    case 3: return [p, q, most]
    case 4: return [t, p, most]
    default: return [most, p, q]
    }
  }

  static let everything = """
    [{"op": "random_resized_crop", "size": [40, 52]}, {"op": "random_horizontal_flip"},
     {"op": "color_jitter", "brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}, {"op": "random_grayscale"},
     {"op": "gaussian_blur"}, {"op": "rand_augment"}, {"op": "random_rotation", "expand": true},
     {"op": "random_affine", "degrees": 10, "translate": [0.1, 0.1], "scale": [0.8, 1.2], "shear": 5}, {"op": "jpeg"},
     {"op": "random_erasing"}, {"op": "random_perspective", "distortion_scale": 1}, {"op": "elastic_transform"},
     {"op": "outline"}]
    """

  @Test func sameSeedSameImageOnAnyThread() throws {
    let source = try source("source")
    let pipeline = try Pipeline(Self.everything, runtime)
    let alone = try (0..<48).map { try pipeline.augment(source, seed: 9, index: $0).bytes }
    #expect(Set(alone).count == 48)
    let together = Gathered(count: 48)
    DispatchQueue.concurrentPerform(iterations: 48) { index in
      together.put(index, try? pipeline.augment(source, seed: 9, index: index).bytes)
    }
    #expect(together.bytes == alone)
    #expect(try pipeline.augment(source, seed: 10, index: 0).bytes != alone[0])
  }

  /// One pixel, one row, one column, rows with gaps and every format, through every op.
  @Test func everySizeAndFormat() throws {
    let pipeline = try Pipeline(Self.everything, runtime)
    var numbers = Numbers(3)
    for (width, height) in [(1, 1), (1, 9), (9, 1), (2, 2), (3, 2), (13, 7), (400, 1)] {
      for (format, channels) in [
        (PixelFormat.rgb, 3), (PixelFormat.bgr, 3), (PixelFormat.rgba, 4), (PixelFormat.bgra, 4), (PixelFormat.gray, 1),
      ] {
        let stride = width * channels + 5
        let image = try Image(
          width: width, height: height, format: format, stride: stride, bytes: numbers.bytes(stride * height))
        for index in 0..<20 { #expect(try pipeline.augment(image, index: index).format == format) }
      }
    }
  }

  /// Gray stays as it is where colour alone changes, and opposite turns meet.
  @Test func opsKeepWhatTheyMust() throws {
    var numbers = Numbers(5)
    let gray = try Image(width: 21, height: 13, format: .gray, bytes: numbers.bytes(21 * 13))
    for step in [
      "{\"op\": \"color_jitter\", \"saturation\": 0.9, \"hue\": 0.5}", "{\"op\": \"random_grayscale\", \"p\": 1}",
    ] {
      #expect(try Pipeline("[\(step)]", runtime).augment(gray).bytes == gray.bytes)
    }
    let image = try source("source")
    let turns = "{\"op\": \"random_rotation\", \"degrees\": [90, 90], \"expand\": true}"
    let whole = try Pipeline("[" + [turns, turns, turns, turns].joined(separator: ", ") + "]", runtime).augment(image)
    #expect(whole.bytes == image.bytes && whole.width == image.width)
    #expect(try Pipeline("[{\"op\": \"rand_augment\", \"num_ops\": 0}]", runtime).augment(image).bytes == image.bytes)
  }

  /// Two colours meet between columns 3 and 4: within half the width lies the line, by its strength.
  @Test func linesAreWhereColoursMeet() throws {
    let row: [UInt8] = (0..<8).flatMap { $0 < 4 ? [250, 250, 250] : [250, 120, 250] }
    let image = try Image(width: 8, height: 3, format: .rgb, bytes: row + row + row)
    func outlined(_ settings: String) throws -> [UInt8] {
      let augmented = try Pipeline("[{\"op\": \"outline\", \(settings)}]", runtime).augment(image)
      #expect(augmented.bytes[..<24] == augmented.bytes[24..<48])
      return Array(augmented.bytes[..<24])
    }
    let thin = try outlined(#""width": 2, "strength": 1, "threshold": 40"#)
    #expect(thin == Array(row[..<9]) + [0, 0, 0, 0, 0, 0] + Array(row[15...]))
    let thick = try outlined(#""width": 6, "strength": 1, "threshold": 98, "value": [10, 20, 30]"#)
    #expect(thick == Array(row[..<3]) + (0..<6).flatMap { _ in [10, 20, 30] as [UInt8] } + Array(row[21...]))
    #expect(try outlined(#""width": 2, "strength": 0.5, "threshold": 40"#)[9..<15] == [125, 125, 125, 125, 60, 125])
    // The difference is 130, and a line fades in over 32.
    #expect(try outlined(#""width": 2, "strength": 1, "threshold": 114"#)[9..<12] == [125, 125, 125])
    for nothing in [#""threshold": 130"#, #""width": 0.5"#, #""strength": 0"#] { #expect(try outlined(nothing) == row) }
  }

  @Test func theDefaultIsTheDesigns() throws {
    let written = """
      [{"op": "random_resized_crop", "size": 224, "scale": [0.9, 1.0], "ratio": [0.75, 1.3333333333333333],
        "interpolation": "bicubic"}, {"op": "random_horizontal_flip", "p": 0.5},
       {"op": "color_jitter", "brightness": 0.1, "contrast": 0.1, "saturation": 0.1, "hue": 0.1},
       {"op": "random_grayscale", "p": 0.1}]
      """
    let source = try runtime.load(Paths.image("coffee.png"))
    let (named, same) = (try Pipeline("\"default\"", runtime), try Pipeline(written, runtime))
    for index in 0..<5 {
      let image = try named.augment(source, index: index)
      #expect(image.width == 224 && image.height == 224)
      #expect(try same.augment(source, index: index).bytes == image.bytes)
    }
    #expect(throws: CLIPError.self) { try Pipeline("\"usual\"", runtime) }
  }

  @Test(arguments: [
    ("{\"op\": \"random_resized_crop\", \"size\": 0}", "size"),
    ("{\"op\": \"random_resized_crop\", \"size\": 1.5}", "integers"),
    ("{\"op\": \"random_resized_crop\", \"size\": [1, 2, 3]}", "1 to 2 numbers"),
    ("{\"op\": \"random_resized_crop\", \"scale\": [1, 0.5]}", "from low to high"),
    ("{\"op\": \"random_resized_crop\", \"ratio\": [0, 1]}", "ratio"),
    ("{\"op\": \"random_resized_crop\", \"interpolation\": \"lanczos\"}", "\"bicubic\""),
    ("{\"op\": \"color_jitter\", \"brightness\": -1}", "from 0 to 100"),
    ("{\"op\": \"color_jitter\", \"hue\": 0.6}", "from -0.5 to 0.5"),
    ("{\"op\": \"color_jitter\", \"hue\": -0.1}", "at least 0"),
    ("{\"op\": \"color_jitter\", \"contrast\": [2, 1]}", "contrast"),
    ("{\"op\": \"gaussian_blur\", \"kernel_size\": 4}", "odd"), ("{\"op\": \"gaussian_blur\", \"sigma\": 0}", "sigma"),
    ("{\"op\": \"random_erasing\", \"value\": [1, 2]}", "1 or 3 numbers"),
    ("{\"op\": \"random_erasing\", \"value\": 256}", "from 0 to 255"),
    ("{\"op\": \"rand_augment\", \"magnitude\": 31}", "num_magnitude_bins"),
    ("{\"op\": \"rand_augment\", \"num_magnitude_bins\": 1}", "from 2"),
    ("{\"op\": \"random_rotation\", \"degrees\": -5}", "at least 0"),
    ("{\"op\": \"random_rotation\", \"center\": [1]}", "x and y"),
    ("{\"op\": \"random_affine\", \"translate\": [0.5]}", "two numbers"),
    ("{\"op\": \"random_affine\", \"shear\": [1, 2, 3]}", "1, 2 or 4"),
    ("{\"op\": \"random_affine\", \"scale\": [0, 1]}", "scale"),
    ("{\"op\": \"jpeg\", \"quality\": [90, 10]}", "a range from low to high"),
    ("{\"op\": \"jpeg\", \"quality\": 0}", "from 1 to 100"),
    ("{\"op\": \"random_perspective\", \"distortion_scale\": 1.1}", "from 0 to 1"),
    ("{\"op\": \"elastic_transform\", \"sigma\": [5, 0]}", "sigma: expected none or both above 0"),
    ("{\"op\": \"elastic_transform\", \"interpolation\": \"bicubic\"}", "\"bilinear\""),
    ("{\"op\": \"elastic_transform\", \"alpha\": -1}", "alpha"),
    ("{\"op\": \"normalize\"}", "last step of its preprocessing"),
  ]) func wrongParametersAreNamed(_ step: String, _ words: String) throws {
    let failure = try #require(throws: CLIPError.self) { try Pipeline("[\(step)]", runtime) }
    #expect(failure.message.contains("pipeline[0] (") && failure.message.contains(words), "\(failure)")
  }

  /// Extreme but allowed parameters give some image or an error, and a result too large is one.
  @Test func extremesAreHarmless() throws {
    let small = try Runtime(maxImagePixels: 5000)
    let image = try source("source")
    let steps = [
      "{\"op\": \"random_affine\", \"shear\": [90, 90, 90, 90]}",
      "{\"op\": \"random_affine\", \"scale\": [0.001, 0.001]}",
      "{\"op\": \"random_affine\", \"shear\": [89.9999, 90], \"scale\": [0.001, 1000], \"interpolation\": \"bicubic\"}",
      "{\"op\": \"random_affine\", \"center\": [-1e6, 1e6], \"degrees\": 360, \"scale\": [0.001, 1]}",
      "{\"op\": \"random_affine\", \"center\": [1e6, 1e6], \"degrees\": 45, \"interpolation\": \"bilinear\"}",
      "{\"op\": \"random_rotation\", \"degrees\": 360, \"center\": [1e6, -1e6]}",
      "{\"op\": \"gaussian_blur\", \"kernel_size\": [1001, 301], \"sigma\": 1000}",
      "{\"op\": \"gaussian_blur\", \"kernel_size\": 1, \"sigma\": 0.001}",
      "{\"op\": \"color_jitter\", \"brightness\": [100, 100], \"contrast\": [100, 100], \"saturation\": [100, 100]}",
      "{\"op\": \"rand_augment\", \"magnitude\": 1023, \"num_magnitude_bins\": 1024, \"num_ops\": 20}",
      "{\"op\": \"elastic_transform\", \"alpha\": 10000, \"sigma\": 0}",
      "{\"op\": \"elastic_transform\", \"alpha\": 10000, \"sigma\": [1e-9, 100]}",
      "{\"op\": \"outline\", \"width\": 64, \"threshold\": 0}",
      "{\"op\": \"random_erasing\", \"scale\": [0, 0]}", "{\"op\": \"random_erasing\", \"scale\": [1, 1]}",
      "{\"op\": \"random_resized_crop\", \"size\": [1, 4000], \"scale\": [0.000001, 0.000001], \"ratio\": [0.000001, 1000000]}",
    ]
    for step in steps {
      let pipeline = try Pipeline("[\(step)]", small)
      for index in 0..<10 { _ = try pipeline.augment(image, index: index) }
    }
    for side in [71, 65535] {
      let pipeline = try Pipeline("[{\"op\": \"random_resized_crop\", \"size\": \(side)}]", small)
      let failure = try #require(throws: CLIPError.self) { try pipeline.augment(image) }
      #expect(failure.status == .limit && failure.message.contains("max_image_pixels"), "\(failure)")
    }
  }
}
