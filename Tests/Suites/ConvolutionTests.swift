@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// Convolutions, direct and Winograd's, in a ResNet of basic blocks against plain loops in double precision.
@Suite struct ConvolutionTests {
  /// Pixels of `width` numbers, row by row.
  struct Grid {
    var side: Int
    var width: Int
    var values: [Double]
  }

  /// A ResNet of basic blocks, one in each stage, with weights of its own.
  final class ResNet {
    private(set) var tensors: [String: StoredTensor] = [:]
    private var numbers = Numbers(11)

    private func tensor(_ name: String, _ shape: [Int], _ size: Float, about mean: Float = 0) -> [Double] {
      let stored =
        tensors[name] ?? StoredTensor(numbers.floats(shape.reduce(1, *)).map { mean + size * $0 }, shape: shape)
      tensors[name] = stored
      return stored.floats.map(Double.init)
    }

    private func conv(
      _ x: Grid, _ name: String, _ norm: String, _ features: Int, kernel: Int, stride: Int = 1
    ) -> Grid {
      let area = kernel * kernel
      let weights = tensor(
        "\(name).weight", [features, x.width, kernel, kernel], 2 / Float(x.width * area).squareRoot())
      let gain = tensor("\(norm).weight", [features], 0.1, about: 1)
      let bias = tensor("\(norm).bias", [features], 0.1)
      let mean = tensor("\(norm).running_mean", [features], 0.1)
      let variance = tensor("\(norm).running_var", [features], 0.1, about: 1)
      let side = (x.side + kernel / 2 * 2 - kernel) / stride + 1
      var y = Grid(side: side, width: features, values: [Double](repeating: 0, count: side * side * features))
      // [area, channels, features], so that the innermost loop runs along features.
      var turned = [Double](repeating: 0, count: weights.count)
      for feature in 0..<features {
        for channel in 0..<x.width {
          for tap in 0..<area {
            turned[(tap * x.width + channel) * features + feature] = weights[(feature * x.width + channel) * area + tap]
          }
        }
      }
      for row in 0..<side {
        for column in 0..<side {
          let target = (row * side + column) * features
          for tap in 0..<area {
            let top = row * stride + tap / kernel - kernel / 2
            let left = column * stride + tap % kernel - kernel / 2
            guard top >= 0, top < x.side, left >= 0, left < x.side else { continue }
            for channel in 0..<x.width {
              let value = x.values[(top * x.side + left) * x.width + channel]
              let line = (tap * x.width + channel) * features
              for feature in 0..<features { y.values[target + feature] += value * turned[line + feature] }
            }
          }
          for feature in 0..<features {
            let scale = gain[feature] / (variance[feature] + 1e-5).squareRoot()
            y.values[target + feature] = (y.values[target + feature] - mean[feature]) * scale + bias[feature]
          }
        }
      }
      return y
    }

    private func relu(_ x: Grid) -> Grid { Grid(side: x.side, width: x.width, values: x.values.map { max($0, 0) }) }

    private func maxPool(_ x: Grid) -> Grid {
      let side = (x.side - 1) / 2 + 1
      var y = Grid(side: side, width: x.width, values: [])
      for row in 0..<side {
        for column in 0..<side {
          for channel in 0..<x.width {
            var largest = -Double.infinity
            for top in max(0, 2 * row - 1)...min(x.side - 1, 2 * row + 1) {
              for left in max(0, 2 * column - 1)...min(x.side - 1, 2 * column + 1) {
                largest = max(largest, x.values[(top * x.side + left) * x.width + channel])
              }
            }
            y.values.append(largest)
          }
        }
      }
      return y
    }

    /// Features of one image, [3, side, side].
    func features(_ pixels: ArraySlice<Float>, side: Int) -> [Double] {
      let planes = Array(pixels)
      var x = Grid(side: side, width: 3, values: [])
      for pixel in 0..<side * side {
        for color in 0..<3 { x.values.append(Double(planes[color * side * side + pixel])) }
      }
      x = maxPool(relu(conv(x, "conv1", "bn1", 64, kernel: 7, stride: 2)))
      for stage in 0..<4 {
        let scope = "layer\(stage + 1).0"
        let features = 64 << stage
        let stride = stage == 0 ? 1 : 2
        let shortcut =
          stage == 0
          ? x : conv(x, "\(scope).downsample.0", "\(scope).downsample.1", features, kernel: 1, stride: stride)
        let y = relu(conv(x, "\(scope).conv1", "\(scope).bn1", features, kernel: 3, stride: stride))
        x = conv(y, "\(scope).conv2", "\(scope).bn2", features, kernel: 3)
        for index in x.values.indices { x.values[index] += shortcut.values[index] }
        x = relu(x)
      }
      var mean = [Double](repeating: 0, count: x.width)
      for (index, value) in x.values.enumerated() { mean[index % x.width] += value / Double(x.side * x.side) }
      return mean
    }
  }

  /// Grids of 15, 16, 13 and 11: odd sides, even ones, and one below what Winograd's form is taken for.
  @Test(arguments: [59, 64, 52, 44]) func aResNetAgainstPlainLoops(_ side: Int) throws {
    let net = ResNet()
    let (items, width) = (3, 512)
    var numbers = Numbers(UInt64(side))
    let each = 3 * side * side
    let pixels = numbers.floats(items * each)
    let want = (0..<items).flatMap { net.features(pixels[$0 * each..<($0 + 1) * each], side: side).map { Float($0) } }
    let folder = try TemporaryFolder()
    try Safetensors.write(net.tensors, to: folder.file("model.safetensors"))
    try ModelFolder.writeJSON(
      [
        "version": 1, "embed_dim": width,
        "image": [
          "encoder": "clipcore.encoder.resnet50", "config": ["block": "basic", "layers": [1, 1, 1, 1]],
          "preprocess": ["size": side],
        ],
      ], to: folder.file("clipcore.json"))
    let raw = EncodeOptions(raw: true)
    let scale = want.map(abs).max() ?? 1
    let together = try Model(folder.url, runtime: Runtime(threads: 3)).encode(pixels: pixels, options: raw)
    #expect(maxDifference(together, want) <= 3e-6 * scale)
    for threads in [1, 2, 8] {
      let model = try Model(folder.url, runtime: Runtime(threads: threads))
      for item in 0..<items {
        let alone = try model.encode(pixels: Array(pixels[item * each..<(item + 1) * each]), options: raw)
        #expect(
          identical(alone, Array(together[item * width..<(item + 1) * width])), "image \(item), \(threads) threads")
      }
    }
    for set in ["reference", "x86-64", "x86-64-v3"] {
      // Sets that this processor cannot run are refused by name.
      guard let runtime = try? Runtime(threads: 2, kernels: set) else { continue }
      let got = try Model(folder.url, runtime: runtime).encode(pixels: pixels, options: raw)
      #expect(maxDifference(got, want) <= 3e-6 * scale, "\(set)")
    }
  }
}
