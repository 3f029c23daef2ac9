@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

@Suite struct PreprocessTests {
  let runtime: Runtime
  init() throws { runtime = try Runtime() }

  /// The bytes behind normalised floats [n, 3, h, w], as [n, h, w, 3].
  func bytes(_ pixels: [Float], side: Int) -> [Int] {
    let plane = side * side
    let mean: [Float] = [0.48145466, 0.4578275, 0.40821073]
    let deviation: [Float] = [0.26862954, 0.26130258, 0.27577711]
    return (0..<pixels.count).map { i in
      let (image, rest) = (i / (3 * plane), i % (3 * plane))
      let (position, channel) = (rest / 3, rest % 3)
      let value = pixels[image * 3 * plane + channel * plane + position]
      return Int((255 * (value * deviation[channel] + mean[channel])).rounded())
    }
  }

  /// How many of `got` equal `want`, and how far off the worst is.
  func compare(_ got: [Int], _ want: [UInt8]) -> (equal: Double, worst: Int) {
    guard got.count == want.count, !got.isEmpty else { return (0, .max) }
    let off = zip(got, want).map { abs($0 - Int($1)) }
    return (Double(off.count { $0 == 0 }) / Double(off.count), off.max() ?? 0)
  }

  func model(side: Int, _ preprocess: [String: Any] = [:]) throws -> Model {
    var small = SmallModel()
    small.imageSize = side
    small.patch = side / 4
    small.preprocess = preprocess
    let folder = try small.write()
    return try withExtendedLifetime(folder) { try Model(folder.url, runtime: runtime) }
  }

  @Test func matchesPillowAndTorchvisionAt224() throws {
    let model = try model(side: 224)
    for (name, want) in try expected("preprocess-224").sorted(by: { $0.key < $1.key }) {
      let got = bytes(try model.preprocess([runtime.load(Paths.image(name))]), side: 224)
      let result = compare(got, Array(want.data))
      print("preprocess \(name): \(result.equal * 100) % equal, worst \(result.worst)")
      #expect(result.equal >= 0.999, "\(name)")
      #expect(result.worst <= 1, "\(name)")
    }
  }

  @Test(arguments: ["shortest", "longest", "squash", "bilinear"])
  func matchesOpenClipsModes(_ mode: String) throws {
    let keys: [String: Any] =
      switch mode {
      case "bilinear": ["interpolation": "bilinear"]
      case "longest": ["resize_mode": "longest", "fill_color": 90]
      default: ["resize_mode": mode]
      }
    let model = try model(side: 64, keys)
    let stored = try expected("resize-modes")
    for name in ["chelsea.png", "coffee.png", "astronaut.png", "tall", "small"] {
      let image: Image
      if let source = stored["source.\(name)"] {
        image = try Image(width: source.shape[1], height: source.shape[0], format: .rgb, bytes: Array(source.data))
      } else {
        image = try runtime.load(Paths.image(name))
      }
      let want = try tensor("\(mode).\(name)", of: stored)
      let result = compare(bytes(try model.preprocess([image]), side: 64), Array(want.data))
      #expect(result.equal >= 0.999 && result.worst <= 1, "\(mode) \(name): \(result)")
    }
  }

  @Test func compositesAlphaWhenAsked() throws {
    let model = try model(side: 64)
    let clear = try runtime.load(CodecTests.folder.appending(path: "rgba8.png"))
    let want = try Array(tensor("composite.rgba8.png", of: expected("resize-modes")).data)
    var swapped = clear.bytes
    for i in stride(from: 0, to: swapped.count, by: 4) { swapped.swapAt(i, i + 2) }
    let other = try Image(width: clear.width, height: clear.height, format: .bgra, bytes: swapped)
    for image in [clear, other] {
      let pixels = try model.preprocess([image], options: .init(background: Color(red: 200, green: 30, blue: 60)))
      let result = compare(bytes(pixels, side: 64), want)
      #expect(result.equal >= 0.99 && result.worst <= 1, "\(result)")
    }
    // Without the flag alpha has no say.
    var opaque = clear.bytes
    for i in stride(from: 3, to: opaque.count, by: 4) { opaque[i] = 255 }
    let same = try Image(width: clear.width, height: clear.height, format: .rgba, bytes: opaque)
    #expect(identical(try model.preprocess([clear]), try model.preprocess([same])))
  }

  /// The same image seen in every format, dense and with padding between rows.
  @Test func formatsAndStridesAgree() throws {
    let model = try model(side: 64)
    let (width, height) = (83, 57)
    var numbers = Numbers(1)
    let rgb = numbers.bytes(width * height * 3)
    let want = try model.preprocess([Image(width: width, height: height, format: .rgb, bytes: rgb)])
    let formats: [(PixelFormat, [Int?])] = [
      (PixelFormat.rgb, [0, 1, 2]), (PixelFormat.bgr, [2, 1, 0]),
      (PixelFormat.rgba, [0, 1, 2, nil]), (PixelFormat.bgra, [2, 1, 0, nil]),
    ]
    for (format, channels) in formats {
      for padding in [0, 1, 13] {
        var bytes: [UInt8] = []
        for y in 0..<height {
          for x in 0..<width {
            for channel in channels { bytes.append(channel.map { rgb[(y * width + x) * 3 + $0] } ?? 77) }
          }
          bytes += [UInt8](repeating: 251, count: padding)
        }
        let stride = padding == 0 ? nil : width * channels.count + padding
        let image = try Image(width: width, height: height, format: format, stride: stride, bytes: bytes)
        #expect(identical(try model.preprocess([image]), want), "format \(format.rawValue), padding \(padding)")
      }
    }
    let gray = numbers.bytes(width * height)
    let repeated = gray.flatMap { [$0, $0, $0] }
    #expect(
      identical(
        try model.preprocess([Image(width: width, height: height, format: .gray, bytes: gray)]),
        try model.preprocess([Image(width: width, height: height, format: .rgb, bytes: repeated)])))
  }

  /// One row, one column, one pixel, and images far longer than wide.
  @Test(arguments: [(1, 1), (1, 7), (7, 1), (2000, 1), (1, 2000), (64, 64), (65, 64), (63, 200)])
  func anySizeKeepsAPlainColour(_ size: (Int, Int)) throws {
    for mode in ["shortest", "longest", "squash"] {
      let model = try model(side: 64, ["resize_mode": mode, "fill_color": 100])
      let image = try Image(
        width: size.0, height: size.1, format: .gray, bytes: [UInt8](repeating: 100, count: size.0 * size.1))
      #expect(bytes(try model.preprocess([image]), side: 64).allSatisfy { $0 == 100 }, "\(mode)")
    }
  }

  @Test func encodesWhatItPreprocesses() throws {
    let model = try model(side: 64)
    let images = try ["chelsea.png", "china.jpg"].map { try runtime.load(Paths.image($0)) }
    let direct = try model.encode(images: images)
    #expect(identical(direct, try model.encode(pixels: model.preprocess(images))))
  }
}
