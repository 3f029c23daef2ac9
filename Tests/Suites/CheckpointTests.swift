import CClip
@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

@Suite struct CheckpointTests {
  struct Outputs {
    let images: [Float]
    let texts: [Float]

    init(_ model: Model) throws {
      let inputs = ConsistencyTests.Inputs(model, count: 3)
      images = try model.encode(pixels: inputs.pixels)
      texts = try model.encode(tokens: inputs.tokens)
    }

    func difference(_ other: Outputs) -> Float {
      max(maxDifference(images, other.images), maxDifference(texts, other.texts))
    }
  }

  static func weightsName(_ name: String) -> String {
    name.hasPrefix("hf-") ? "model.safetensors" : "open_clip_model.safetensors"
  }

  /// A checkpoint in half precision gives what float32 weights of the same values give.
  @Test(arguments: ["vit-tiny", "rn-tiny", "hf-vit-tiny"], ["F16", "BF16"])
  func halfPrecisionFiles(_ name: String, _ dtype: String) throws {
    let tensors = try Safetensors.read(ModelFolder.reference(name).appending(path: Self.weightsName(name)))
    let narrow = tensors.mapValues { $0.converted(to: dtype) }
    let folder = try ModelFolder.copy(of: ModelFolder.reference(name))
    let file = folder.file(Self.weightsName(name))
    try Safetensors.write(narrow, to: file)
    let got = try Outputs(Model(folder.url))
    try Safetensors.write(narrow.mapValues(\.widened), to: file)
    let want = try Outputs(Model(folder.url))
    #expect(got.difference(want) <= 1e-6)
    #expect(got.difference(try Outputs(Model(ModelFolder.reference(name)))) > 1e-5)

    // Held as F16, nothing is lost either, but for the norms folded into a ResNet's convolutions.
    let storage = dtype == "F16" ? Storage.float16 : Storage.bfloat16
    let held = try Model(folder.url, storage: storage)
    #expect(held.info.storage == storage)
    // BF16 may also round activations: `narrowStorageIsClose` has bounds for that.
    if name != "rn-tiny", storage == .float16 { #expect(try Outputs(held).difference(want) <= 5e-6) }
  }

  @Test(arguments: [Storage.float16, Storage.bfloat16]) func narrowStorageIsClose(_ storage: Storage) throws {
    for name in ["vit-tiny", "rn-tiny"] {
      let want = try Outputs(Model(ModelFolder.reference(name)))
      let got = try Outputs(Model(ModelFolder.reference(name), storage: storage))
      let width = try Model(ModelFolder.reference(name)).width
      let bound = storage == Storage.float16 ? 0.9999 : 0.999
      #expect(smallestCosine(got.images, want.images, width: width) >= bound, "\(name)")
      #expect(smallestCosine(got.texts, want.texts, width: width) >= bound, "\(name)")
    }
  }

  @Test func halfStorageRefusesWhatItCannotHold() throws {
    let folder = try spoil("vit-tiny") { tensors in
      var values = tensors["visual.transformer.resblocks.0.mlp.c_fc.weight"]?.floats ?? []
      values[5] = 70_000
      tensors["visual.transformer.resblocks.0.mlp.c_fc.weight"]?.data = values.withUnsafeBytes { Data($0) }
    }
    _ = try Model(folder.url)
    let failure = #expect(throws: CLIPError.self) { try Model(folder.url, storage: .float16) }
    #expect(failure?.message.contains("c_fc.weight") == true, "\(String(describing: failure))")
  }

  @Test func shardedCheckpoint() throws {
    let whole = try ModelFolder.reference("hf-vit-tiny")
    let tensors = try Safetensors.read(whole.appending(path: "model.safetensors"))
    let folder = try ModelFolder.copy(of: whole)
    try FileManager.default.removeItem(at: folder.file("model.safetensors"))
    var map: [String: String] = [:]
    for shard in 1...3 {
      let name = "model-0000\(shard)-of-00003.safetensors"
      let part = tensors.filter { crc($0.key) % 3 == shard - 1 }
      try Safetensors.write(part, to: folder.file(name))
      for key in part.keys { map[key] = name }
    }
    let index = folder.file("model.safetensors.index.json")
    let size = tensors.values.reduce(0) { $0 + $1.data.count }
    try ModelFolder.writeJSON(["metadata": ["total_size": size], "weight_map": map], to: index)
    #expect(try Outputs(Model(folder.url)).difference(Outputs(Model(whole))) == 0)

    // A tensor the index sends to the wrong shard, one it leaves out, a shard that is not there.
    let key = "text_projection.weight"
    let right = try #require(map[key])
    func reopen(_ change: (inout [String: String]) -> Void) throws {
      var map = map
      change(&map)
      try ModelFolder.writeJSON(["weight_map": map], to: index)
      _ = try Model(folder.url)
    }
    let wrong = #expect(throws: CLIPError.self) {
      try reopen {
        $0[key] =
          right.contains("00001")
          ? right.replacing("00001-", with: "00002-")
          : right.replacing("0000\(right.dropFirst(10).prefix(1))-", with: "00001-")
      }
    }
    #expect(wrong?.message.contains(key) == true, "\(String(describing: wrong))")
    let absent = #expect(throws: CLIPError.self) { try reopen { $0[key] = "model-00009-of-00003.safetensors" } }
    #expect(absent?.message.contains("model-00009") == true, "\(String(describing: absent))")
    for bad in ["[]", "{}", "{\"weight_map\": 3}", "{\"weight_map\": {\"a\": 5}}", "{", ""] {
      try Data(bad.utf8).write(to: index)
      #expect(throws: CLIPError.self, "\(bad)") { try Model(folder.url) }
    }
  }

  private func crc(_ name: String) -> Int { name.utf8.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xffff } }

  /// A copy of a reference model with other tensors.
  private func spoil(_ name: String, _ change: (inout [String: StoredTensor]) throws -> Void) throws -> TemporaryFolder
  {
    let folder = try ModelFolder.copy(of: ModelFolder.reference(name))
    let file = folder.file(Self.weightsName(name))
    var tensors = try Safetensors.read(file).mapValues {
      StoredTensor(dtype: $0.dtype, shape: $0.shape, data: Data($0.data))
    }
    try change(&tensors)
    try FileManager.default.removeItem(at: file)
    try Safetensors.write(tensors, to: file)
    return folder
  }

  /// A tower that is left out is never read: its tensors may be missing.
  @Test(arguments: ["vit-tiny", "rn-tiny", "hf-vit-tiny"]) func aTowerOpensAlone(_ name: String) throws {
    let both = try Model(ModelFolder.reference(name))
    let want = try Outputs(both)
    let inputs = ConsistencyTests.Inputs(both, count: 3)

    func isVisual(_ key: String) -> Bool { key.hasPrefix("vis") }
    let images = try spoil(name) { tensors in tensors = tensors.filter { isVisual($0.key) || $0.key == "logit_scale" } }
    for file in ["vocab.json", "merges.txt"] { try FileManager.default.removeItem(at: images.file(file)) }
    let imageModel = try Model(images.url, towers: .image)
    #expect(maxDifference(try imageModel.encode(pixels: inputs.pixels), want.images) == 0)
    #expect(imageModel.info.towers == .image)
    #expect(imageModel.info.contextLength == 0 && imageModel.info.textParameters == 0)
    #expect(imageModel.encoder(.text).isEmpty)
    let noText = #expect(throws: CLIPError.self) { try imageModel.encode(texts: ["cat"]) }
    #expect(noText?.message.isEmpty == false)
    #expect(throws: CLIPError.self) { try imageModel.tokenize(["cat"]) }

    let texts = try spoil(name) { tensors in tensors = tensors.filter { !isVisual($0.key) } }
    let textModel = try Model(texts.url, towers: .text)
    #expect(maxDifference(try textModel.encode(tokens: inputs.tokens), want.texts) == 0)
    #expect(textModel.info.towers == .text)
    #expect(textModel.info.imageWidth == 0 && textModel.info.imageParameters == 0)
    #expect(textModel.encoder(.image).isEmpty)
    var row = [Float](repeating: 0, count: textModel.width)
    #expect(clip_encode_pixels(textModel.handle, inputs.pixels, 1, nil, &row, row.count) != CLIP_OK)
    #expect(throws: CLIPError.self) { try Model(texts.url) }
  }

  @Test func describes() throws {
    let tiny = try Model(ModelFolder.reference("vit-tiny")).info
    #expect(tiny.towers == .both && tiny.embeddingWidth == 32)
    #expect(tiny.imageWidth == 64 && tiny.imageHeight == 64)
    #expect(tiny.contextLength == 32 && tiny.vocabularySize == 1024)
    #expect(abs(tiny.logitScale - 1 / 0.07) < 1e-4 && tiny.logitBias == nil)
    for (name, layout) in [("vit-tiny", "open_clip"), ("rn-tiny", "open_clip"), ("hf-vit-tiny", "huggingface")] {
      let model = try Model(ModelFolder.reference(name))
      let manifest = try Manifest(name)
      #expect(model.info.layout == layout)
      #expect(model.encoder(.text) == "clipcore.encoder.clip-text")
      let image = name == "rn-tiny" ? "clipcore.encoder.clip-resnet" : "clipcore.encoder.clip-vit"
      #expect(model.encoder(.image) == image)
      let text = manifest.tensors.filter { !$0.name.hasPrefix("vis") && $0.name != "logit_scale" }
      #expect(Int(model.info.textParameters) == text.reduce(0) { $0 + $1.count }, "\(name)")
      let visual = manifest.tensors.filter { $0.name.hasPrefix("vis") && $0.rule != "count" }
      let running = visual.filter { $0.rule.hasPrefix("running") }.reduce(0) { $0 + $1.count }
      let all = visual.reduce(0) { $0 + $1.count }
      #expect([all, all - running].contains(Int(model.info.imageParameters)), "\(name)")
    }
  }

  @Test func tensorsAreListedByName() throws {
    let folder = try spoil("vit-tiny") { tensors in
      tensors["visual.proj"] = nil
      tensors["ln_final.bias"] = nil
      tensors["visual.extra.weight"] = StoredTensor([1, 2], shape: [2])
      tensors["text_projection"] = StoredTensor([Float](repeating: 0, count: 48 * 31), shape: [48, 31])
      tensors["visual.ln_pre.weight"] = StoredTensor([Float](repeating: 0, count: 64), shape: [8, 8])
    }
    let failure = try #require(throws: CLIPError.self) { try Model(folder.url) }
    #expect(failure.status == .mismatch)
    for name in ["visual.proj", "ln_final.bias", "visual.extra.weight", "text_projection", "visual.ln_pre.weight"] {
      #expect(failure.message.contains(name), "\(name) is not in: \(failure.message)")
    }
    #expect(failure.message.contains("31") && failure.message.contains("32"))
  }

  @Test func extraTensorsAreAllowedWhenAsked() throws {
    let folder = try spoil("vit-tiny") { $0["visual.extra.weight"] = StoredTensor([1, 2], shape: [2]) }
    #expect(try #require(throws: CLIPError.self) { try Model(folder.url) }.status == .mismatch)
    _ = try Model(folder.url, options: .allowExtraTensors)
  }

  /// Buffers that checkpoints carry and no model reads.
  @Test func positionIdsAreNoExtras() throws {
    let ids = (0..<32).map { Int64($0) }.withUnsafeBytes { Data($0) }
    let folder = try spoil("hf-vit-tiny") { tensors in
      tensors["text_model.embeddings.position_ids"] = StoredTensor(dtype: "I64", shape: [1, 32], data: ids)
      tensors["vision_model.embeddings.position_ids"] = StoredTensor(
        dtype: "I64", shape: [1, 17], data: (0..<17).map { Int64($0) }.withUnsafeBytes { Data($0) })
    }
    #expect(try Outputs(Model(folder.url)).difference(Outputs(Model(ModelFolder.reference("hf-vit-tiny")))) == 0)
  }

  @Test(arguments: ["F32", "F16", "BF16"]) func weightsThatAreNoNumbers(_ dtype: String) throws {
    for value in [Float.nan, .infinity, -.infinity] {
      for name in ["visual.transformer.resblocks.1.mlp.c_proj.weight", "ln_final.weight", "token_embedding.weight"] {
        let folder = try spoil("vit-tiny") { tensors in
          tensors = tensors.mapValues { $0.converted(to: dtype) }
          var values = tensors[name]?.widened.floats ?? []
          values[values.count - 3] = value
          let shape = tensors[name]?.shape ?? []
          tensors[name] = StoredTensor(values, shape: shape).converted(to: dtype)
        }
        let failure = #expect(throws: CLIPError.self, "\(name) \(value)") { try Model(folder.url) }
        #expect(failure?.message.contains(name) == true, "\(String(describing: failure))")
      }
    }
  }

  @Test func scores() throws {
    let model = try Model(ModelFolder.reference("vit-tiny"))
    let outputs = try Outputs(model)
    let logits = try model.similarity(images: outputs.images, texts: outputs.texts)
    let probabilities = try model.classify(images: outputs.images, texts: outputs.texts)
    for i in 0..<3 {
      for j in 0..<3 {
        let dot = (0..<model.width).reduce(0.0) {
          $0 + Double(outputs.images[i * model.width + $1]) * Double(outputs.texts[j * model.width + $1])
        }
        #expect(abs(logits[i * 3 + j] - Float(dot) * model.info.logitScale) < 1e-4)
      }
      let row = logits[i * 3..<i * 3 + 3].map { exp(Double($0)) }
      for j in 0..<3 { #expect(abs(Double(probabilities[i * 3 + j]) - row[j] / row.reduce(0, +)) < 1e-5) }
    }
    let raw = try model.encode(
      pixels: ConsistencyTests.Inputs(model, count: 2).pixels, options: .init(raw: true))
    let unit = try model.encode(pixels: ConsistencyTests.Inputs(model, count: 2).pixels)
    for row in 0..<2 {
      let range = row * model.width..<(row + 1) * model.width
      let length = raw[range].reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      #expect(maxDifference(raw[range].map { Float(Double($0) / length) }, Array(unit[range])) < 1e-6)
    }
  }
}
