import CClip
@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import CMalloc
import Foundation
import Support
import Testing

/// Weights held in less than float32: how close embeddings stay, that they keep their bits, what is saved.
@Suite(.serialized) struct StorageTests {
  static let narrow = [Storage.float16, Storage.bfloat16, Storage.int8]

  /// The end-to-end reference of ParityTests, whose numbers PyTorch made in float32.
  @Test(.enabled(if: fullTier), arguments: narrow) func endToEnd(_ storage: Storage) throws {
    let model = try Model(ModelFolder.reference("hf-vit-b-32"), runtime: Runtime(threads: 2), storage: storage)
    let (_, _, imageCosine, textCosine) = try EndToEnd().compare(model)
    print("parity storage \(storage.rawValue): image cosine \(imageCosine), text cosine \(textCosine)")
    let bound = storage == Storage.int8 ? 0.999 : 0.9999
    #expect(imageCosine >= bound)
    #expect(textCosine >= bound)
  }

  @Test(.enabled(if: fullTier), arguments: ["vit-b-32"]) func fullSize(_ name: String) throws {
    let want = try expected(name)
    let model = try Model(ModelFolder.reference(name), runtime: Runtime(threads: 2), storage: .int8)
    let images = try model.encode(pixels: tensor("pixels", of: want).floats)
    let texts = try model.encode(tokens: tokenIds(tensor("tokens", of: want)))
    let imageCosine = smallestCosine(images, try tensor("image_embeds", of: want).floats, width: model.width)
    let textCosine = smallestCosine(texts, try tensor("text_embeds", of: want).floats, width: model.width)
    print("parity storage 3, \(name): image cosine \(imageCosine), text cosine \(textCosine)")
    #expect(imageCosine >= 0.999)
    #expect(textCosine >= 0.999)
  }

  @Test(arguments: ["vit-tiny", "rn-tiny", "hf-vit-tiny"]) func bytesAreClose(_ name: String) throws {
    let model = try Model(ModelFolder.reference(name), storage: .int8)
    #expect(model.info.storage == Storage.int8)
    let want = try CheckpointTests.Outputs(Model(ModelFolder.reference(name)))
    let got = try CheckpointTests.Outputs(model)
    #expect(smallestCosine(got.images, want.images, width: model.width) >= 0.999)
    #expect(smallestCosine(got.texts, want.texts, width: model.width) >= 0.999)
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
    let model = try Model(folder.url, storage: .int8)
    let got = try CheckpointTests.Outputs(model)
    #expect(smallestCosine(got.images, want.images, width: model.width) >= 0.999)
    #expect(smallestCosine(got.texts, want.texts, width: model.width) >= 0.999)
  }

  @Test func unknownStorageIsRefused() throws {
    let runtime = try Runtime()
    var options = clip_model_options()
    options.struct_size = size(of: clip_model_options.self)
    options.storage = clip_storage(Storage.int8.rawValue + 1)
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
