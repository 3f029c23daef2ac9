@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// Against PyTorch's training of the same weights on the same batches. Gradients and weights are held by their
/// norm and eight random projections, whose differences have the size of the tensors' difference.
@Suite(.serialized) struct TrainingParityTests {
  /// The sum of a tensor with the signs of stream `seed`.
  static func projection(_ values: [Float], _ seed: UInt64) -> Double {
    var numbers = Numbers(seed)
    var word: UInt64 = 0
    var sum = 0.0
    for (index, value) in values.enumerated() {
      if index % 64 == 0 { word = numbers.next() }
      sum += word >> UInt64(index % 64) & 1 == 1 ? Double(value) : -Double(value)
    }
    return sum
  }

  /// The relative difference of a tensor from what `stored` says of the reference's.
  static func difference(_ values: [Float], _ stored: [Float]) -> Double {
    let squares = (0..<8).map { pow(projection(values, UInt64($0)) - Double(stored[1 + $0]), 2) }
    return (squares.reduce(0, +) / 8).squareRoot() / max(Double(stored[0]), 1e-30)
  }

  @Test(arguments: ["train-vit-tiny", "train-rn-tiny"]) func fiveSteps(_ name: String) throws {
    let want = try expected(name)
    let manifest = try Manifest(name)
    let model = try Model(
      ModelFolder.reference(name), runtime: Runtime(threads: 2), options: .withoutWeights)
    let trainer = try Trainer(model) {
      $0.weightDecay = 0.2
      $0.gradientClip = 1
    }
    let ids = try tokenIds(tensor("tokens", of: want))
    func facts(_ key: String) throws -> [Double] { try tensor(key, of: want).floats.map(Double.init) }
    for step in 0..<5 {
      let pixels = ReferenceInputs.pixels("\(name).\(step)", n: 8, size: manifest.imageSize)
      let tokens = Array(ids[step * 8 * model.context..<(step + 1) * 8 * model.context])
      let metrics = try trainer.step(pixels: pixels, tokens: tokens)
      #expect(try abs(metrics.loss / facts("loss")[step] - 1) <= 2e-5)
      #expect(try abs(metrics.gradientNorm / facts("grad_norm")[step] - 1) <= 2e-5)
      #expect(try abs(metrics.temperature - facts("temperature")[step]) <= 1e-5)
      #expect(try Double(metrics.accuracy) == facts("accuracy")[step])
      #expect(metrics.step == step + 1)
      guard step == 0 else { continue }
      for tensor in manifest.tensors {
        // The true gradient of attention pooling's key bias is 0.
        guard let stored = want["grad0.\(tensor.name)"], !tensor.name.hasSuffix("attnpool.k_proj.bias") else {
          continue
        }
        let found = try trainer.read(tensor.name, .gradient)
        #expect(Self.difference(found, stored.floats) <= 5e-5, "\(tensor.name)")
      }
    }
    for tensor in manifest.tensors {
      guard let stored = want["final.\(tensor.name)"] else { continue }
      let found = try trainer.read(tensor.name, .weight)
      #expect(Self.difference(found, stored.floats) <= 5e-4, "\(tensor.name)")
    }
  }
}
