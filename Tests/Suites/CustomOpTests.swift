@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// Ops that plugins bring, in the graphs of encoders.
@Suite struct CustomOpTests {
  /// The plugin of a C file of the repository.
  func compile(_ source: String, in folder: TemporaryFolder) throws -> String {
    let compiler = Process()
    compiler.executableURL = URL(filePath: "/usr/bin/env")
    compiler.arguments = [
      "cc", "-std=c11", "-O2", "-fPIC", "-shared", "-I", Paths.build.appending(path: "include").path,
      Paths.root.appending(path: source).path, "-o", folder.file("plugin.so").path, "-lm",
    ]
    try compiler.run()
    compiler.waitUntilExit()
    try #require(compiler.terminationStatus == 0)
    return folder.file("plugin.so").path
  }

  /// The op of Examples/plugins/op against the same written out here, alone, in company and on threads.
  @Test func anOpOfAPluginComputes() throws {
    let plugin = try TemporaryFolder()
    let file = try compile("Examples/plugins/op/c/sample.c", in: plugin)
    let (side, patch, width, out) = (32, 8, 32, 16)
    var numbers = Numbers(1)
    let weights: [String: (shape: [Int], values: [Float])] = [
      "patch.weight": ([width, 3, patch, patch], numbers.floats(width * 3 * patch * patch)),
      "patch.bias": ([width], numbers.floats(width)), "soft.gain": ([width], numbers.floats(width)),
      "head.weight": ([out, width], numbers.floats(out * width)), "head.bias": ([out], numbers.floats(out)),
    ]
    let folder = try TemporaryFolder()
    try Safetensors.write(
      weights.mapValues { StoredTensor($0.values, shape: $0.shape) }, to: folder.file("model.safetensors"))
    try ModelFolder.writeJSON(
      [
        "version": 1, "embed_dim": out,
        "image": [
          "encoder": "example.encoder.sample-op", "config": ["hardness": 0.5], "preprocess": ["size": side],
        ],
      ], to: folder.file("clipcore.json"))

    let items = 5
    let pixels = numbers.floats(items * 3 * side * side)
    func value(_ name: String, _ index: Int) -> Double { Double(weights[name]!.values[index]) }
    var want: [Float] = []
    let grid = side / patch
    for item in 0..<items {
      var mean = [Double](repeating: 0, count: width)
      for row in 0..<grid * grid {
        for channel in 0..<width {
          var sum = value("patch.bias", channel)
          for color in 0..<3 {
            for y in 0..<patch {
              for x in 0..<patch {
                let place = ((item * 3 + color) * side + row / grid * patch + y) * side + row % grid * patch + x
                sum += Double(pixels[place]) * value("patch.weight", ((channel * 3 + color) * patch + y) * patch + x)
              }
            }
          }
          mean[channel] += value("soft.gain", channel) * sum / (1 + abs(0.5 * sum)) / Double(grid * grid)
        }
      }
      for feature in 0..<out {
        let sum = (0..<width).reduce(value("head.bias", feature)) {
          $0 + mean[$1] * value("head.weight", feature * width + $1)
        }
        want.append(Float(sum))
      }
    }
    let model = try Model(folder.url, runtime: Runtime(threads: 3, plugins: [file]))
    let raw = EncodeOptions(raw: true)
    let got = try model.encode(pixels: pixels, options: raw)
    #expect(maxDifference(got, want) < 1e-5)
    let one = try Model(folder.url, runtime: Runtime(plugins: [file]))
    for item in 0..<items {
      let alone = try one.encode(
        pixels: Array(pixels[item * 3 * side * side..<(item + 1) * 3 * side * side]), options: raw)
      #expect(identical(alone, Array(got[item * out..<(item + 1) * out])))
    }
    // A setting that the op refuses is the model's error, in the op's words.
    try editJSON(folder.file("clipcore.json")) { root in
      root["image"] = [
        "encoder": "example.encoder.sample-op", "config": ["hardness": -1], "preprocess": ["size": side],
      ]
    }
    do {
      _ = try Model(folder.url, runtime: Runtime(plugins: [file]))
      Issue.record("a hardness of -1 was taken")
    } catch let failure as CLIPError {
      #expect(failure.message.contains("example.op.sample soft: expected a hardness of at least 0"), "\(failure)")
    }
  }

  /// Over texts of different lengths, which have as many rows as tokens.
  @Test func opsOverTexts() throws {
    let plugin = try TemporaryFolder()
    let file = try compile("Tests/C/ops_plugin.c", in: plugin)
    let (length, width) = (12, 24)
    var numbers = Numbers(2)
    let folder = try TemporaryFolder()
    try Safetensors.write(
      [
        "words.weight": StoredTensor(numbers.floats(100 * width), shape: [100, width]),
        "places": StoredTensor(numbers.floats(length * width), shape: [length, width]),
      ], to: folder.file("model.safetensors"))
    let lengths = [12, 1, 5, 7, 2, 12, 3, 9, 11, 4, 6]
    let tokens = lengths.flatMap { count in
      (0..<length).map { $0 < count ? Int32(1 + numbers.next() % 99) : 0 }
    }
    func encode(_ encoder: String, threads: Int) throws -> [Float] {
      try ModelFolder.writeJSON(
        ["version": 1, "embed_dim": width, "text": ["encoder": "test.encoder.\(encoder)", "tokenizer": "none"]],
        to: folder.file("clipcore.json"))
      return try Model(folder.url, runtime: Runtime(threads: threads, plugins: [file]))
        .encode(tokens: tokens, options: .init(raw: true))
    }
    let ends = try encode("ends", threads: 1)
    for threads in [1, 3] {
      #expect(identical(try encode("reversed", threads: threads), ends))
      #expect(identical(try encode("doubled", threads: threads), ends.map { 2 * $0 }))
      #expect(identical(try encode("summed", threads: threads), ends.map { $0 + 0.5 * $0 }))
    }
  }
}
