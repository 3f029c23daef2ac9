import CClip
@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import CMalloc
import Foundation
import Support
import Testing

/// Weights held in less than float32: how close embeddings stay, that they keep their bits, what is saved.
@Suite(.serialized) struct StorageTests {
  static let narrow = [Storage.float16, Storage.bfloat16, Storage.int8, Storage.int8Fast]
  static let bytes = [Storage.int8, Storage.int8Fast]

  /// The smallest cosine with embeddings of float32.
  private func bound(_ storage: Storage) -> Double {
    switch storage {
    case .int8: 0.999
    case .int8Fast: 0.998
    default: 0.9999
    }
  }

  /// The end-to-end reference of ParityTests, whose numbers PyTorch made in float32.
  @Test(.enabled(if: fullTier), arguments: narrow) func endToEnd(_ storage: Storage) throws {
    let model = try Model(ModelFolder.reference("hf-vit-b-32"), runtime: Runtime(threads: 2), storage: storage)
    let (_, _, imageCosine, textCosine) = try EndToEnd().compare(model)
    print("parity storage \(storage.rawValue): image cosine \(imageCosine), text cosine \(textCosine)")
    #expect(imageCosine >= bound(storage))
    #expect(textCosine >= bound(storage))
  }

  @Test(.enabled(if: fullTier), arguments: ["vit-b-32"], bytes) func fullSize(_ name: String, _ storage: Storage) throws
  {
    let want = try expected(name)
    let model = try Model(ModelFolder.reference(name), runtime: Runtime(threads: 2), storage: storage)
    let images = try model.encode(pixels: tensor("pixels", of: want).floats)
    let texts = try model.encode(tokens: tokenIds(tensor("tokens", of: want)))
    let imageCosine = smallestCosine(images, try tensor("image_embeds", of: want).floats, width: model.width)
    let textCosine = smallestCosine(texts, try tensor("text_embeds", of: want).floats, width: model.width)
    print("parity storage \(storage.rawValue), \(name): image cosine \(imageCosine), text cosine \(textCosine)")
    #expect(imageCosine >= bound(storage))
    #expect(textCosine >= bound(storage))
  }

  @Test(arguments: ["vit-tiny", "rn-tiny", "hf-vit-tiny"], bytes)
  func bytesAreClose(_ name: String, _ storage: Storage) throws {
    let model = try Model(ModelFolder.reference(name), storage: storage)
    #expect(model.info.storage == storage)
    let want = try CheckpointTests.Outputs(Model(ModelFolder.reference(name)))
    let got = try CheckpointTests.Outputs(model)
    #expect(smallestCosine(got.images, want.images, width: model.width) >= bound(storage))
    #expect(smallestCosine(got.texts, want.texts, width: model.width) >= bound(storage))
    #expect(got.difference(want) > 0)
  }

  @Test(arguments: ["vit-tiny", "rn-tiny"], narrow)
  func batchesAndThreadsDoNotMatter(_ name: String, _ storage: Storage) throws {
    let folder = try ModelFolder.reference(name)
    let one = try Model(folder, storage: storage)
    let inputs = ConsistencyTests.Inputs(one, count: 9)
    let images = try one.encode(pixels: inputs.pixels)
    let texts = try one.encode(tokens: inputs.tokens)
    for threads in [2, 5] {
      let many = try Model(folder, runtime: Runtime(threads: threads), storage: storage)
      #expect(identical(try many.encode(pixels: inputs.pixels), images))
      #expect(identical(try many.encode(tokens: inputs.tokens), texts))
    }
    for i in 0..<9 {
      let image = try one.encode(pixels: Array(inputs.pixels[i * one.imageNumbers..<(i + 1) * one.imageNumbers]))
      let text = try one.encode(tokens: Array(inputs.tokens[i * one.context..<(i + 1) * one.context]))
      #expect(identical(image, Array(images[i * one.width..<(i + 1) * one.width])), "image \(i)")
      #expect(identical(text, Array(texts[i * one.width..<(i + 1) * one.width])), "text \(i)")
    }
  }

  /// The fast sets round activations and the reference does not, so they are as close as that.
  @Test func kernelSetsAgreeOnBytes() throws {
    let folder = try ModelFolder.reference("vit-tiny")
    let reference = try Model(folder, runtime: Runtime(kernels: "reference"), storage: .int8)
    let best = try Model(folder, storage: .int8)
    #expect(try CheckpointTests.Outputs(best).difference(CheckpointTests.Outputs(reference)) <= 1e-3)
    let fast = try Model(folder, runtime: Runtime(kernels: "reference"), storage: .int8Fast)
    #expect(try CheckpointTests.Outputs(fast).difference(CheckpointTests.Outputs(reference)) == 0)
  }

  /// A channel of each norm is 30 times as large, and the weights that read it 30 times as small: an outlier as CLIP's
  /// towers are known for. Without rounding, the model is what it was.
  @Test func outlierChannel() throws {
    let name = "vit-tiny"
    let want = try CheckpointTests.Outputs(Model(ModelFolder.reference(name)))
    let folder = try ModelFolder.copy(of: ModelFolder.reference(name))
    let file = folder.file(CheckpointTests.weightsName(name))
    var tensors = try Safetensors.read(file).mapValues {
      StoredTensor(dtype: $0.dtype, shape: $0.shape, data: Data($0.data))
    }
    func scale(_ key: String, _ factor: Float, every width: Int) throws {
      let tensor = try #require(tensors[key])
      var values = tensor.floats
      for index in values.indices where index % width == 3 { values[index] *= factor }
      tensors[key] = StoredTensor(values, shape: tensor.shape)
    }
    for (norm, reader) in [("ln_1", "attn.in_proj_weight"), ("ln_2", "mlp.c_fc.weight")] {
      for key in Array(tensors.keys) where key.hasSuffix(norm + ".weight") {
        let width = try #require(tensors[key]).shape[0]
        let block = String(key.dropLast(norm.count + ".weight".count))
        for vector in [key, block + norm + ".bias"] { try scale(vector, 30, every: width) }
        try scale(block + reader, 1 / 30, every: width)
      }
    }
    try FileManager.default.removeItem(at: file)
    try Safetensors.write(tensors, to: file)
    for storage in Self.bytes {
      let model = try Model(folder.url, storage: storage)
      let got = try CheckpointTests.Outputs(model)
      #expect(smallestCosine(got.images, want.images, width: model.width) >= 0.99, "\(storage)")
      #expect(smallestCosine(got.texts, want.texts, width: model.width) >= 0.99, "\(storage)")
    }
  }

  /// Channels and token embeddings that are all zeros, or too small for a scale, stay so.
  @Test func bytesOfZeros() throws {
    let name = "vit-tiny"
    let folder = try ModelFolder.copy(of: ModelFolder.reference(name))
    let file = folder.file(CheckpointTests.weightsName(name))
    var tensors = try Safetensors.read(file).mapValues {
      StoredTensor(dtype: $0.dtype, shape: $0.shape, data: Data($0.data))
    }
    for key in ["visual.transformer.resblocks.0.mlp.c_fc.weight", "token_embedding.weight"] {
      let tensor = try #require(tensors[key])
      var values = tensor.floats
      for column in 0..<tensor.shape[1] {
        values[column] = 0
        values[tensor.shape[1] + column] = Float(bitPattern: 7)
      }
      tensors[key] = StoredTensor(values, shape: tensor.shape)
    }
    try FileManager.default.removeItem(at: file)
    try Safetensors.write(tensors, to: file)
    let want = try CheckpointTests.Outputs(Model(folder.url))
    for storage in Self.bytes {
      let model = try Model(folder.url, storage: storage)
      let got = try CheckpointTests.Outputs(model)
      #expect(smallestCosine(got.images, want.images, width: model.width) >= bound(storage))
      #expect(smallestCosine(got.texts, want.texts, width: model.width) >= bound(storage))
    }
  }

  @Test func unknownStorageIsRefused() throws {
    let runtime = try Runtime()
    var options = clip_model_options()
    options.struct_size = size(of: clip_model_options.self)
    options.storage = clip_storage(Storage.int8Fast.rawValue + 1)
    var model: OpaquePointer?
    let status = clip_model_open(runtime.handle, try ModelFolder.reference("vit-tiny").path, &options, &model)
    #expect(status == CLIP_INVALID_ARGUMENT && model == nil)
  }

  /// What a model holds, from the process's own memory before it opens and after two calls.
  @Test(.enabled(if: fullTier)) func bytesTakeAQuarter() throws {
    let folder = try ModelFolder.reference("hf-vit-b-32")
    func held(_ storage: Storage) throws -> Double {
      let before = try ownMemory()
      let model = try Model(folder, storage: storage)
      // Float32 weights are in their file until the second call.
      for _ in 0..<2 { _ = try CheckpointTests.Outputs(model) }
      let parameters = 4 * Double(model.info.imageParameters + model.info.textParameters)
      return try withExtendedLifetime(model) { (try ownMemory() - before) / parameters }
    }
    let shares = try [Storage.float32, Storage.float16, Storage.int8].map(held)
    print("memory of the parameters' float32 bytes: \(shares)")
    #expect(shares[0] > 0.9 && shares[1] <= 0.55 && shares[2] <= 0.28)
  }

  private func ownMemory() throws -> Double {
    malloc_trim(0)  // what was freed before is not ours
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") })
    return try #require(line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Double($0) }) * 1024
  }
}
