import CClip
@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// A model's folder written in another layout or storage, or with trained weights, and read again.
@Suite(.serialized) struct ExportTests {
  let place: TemporaryFolder
  /// open_clip's layout.
  let folder: TemporaryFolder

  init() throws {
    place = try TemporaryFolder()
    folder = try SmallModel().write()
  }

  static let openClipWeights = "open_clip_model.safetensors", weights = "model.safetensors"
  static let noWeights = Model.OpenOptions.withoutWeights

  func embeddings(_ folder: URL, storage: Storage = Storage.float32) throws -> [Float] {
    let model = try Model(folder, storage: storage)
    let inputs = ConsistencyTests.Inputs(model, count: 3)
    return try model.encode(pixels: inputs.pixels) + model.encode(tokens: inputs.tokens)
  }

  func same(_ a: URL, _ b: URL) throws -> Bool {
    let (first, second) = (try Safetensors.read(a), try Safetensors.read(b))
    return first.keys == second.keys
      && first.allSatisfy {
        second[$0]?.shape == $1.shape && second[$0]?.dtype == $1.dtype && second[$0]?.data == $1.data
      }
  }

  func names(_ folder: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
  }

  /// There and back again: the same tensors under the same names, and the same embeddings on the way.
  @Test(arguments: ["open_clip", "hf-vit-tiny", "vit-tiny-gelu"]) func roundTrip(_ name: String) throws {
    let start = name == "open_clip" ? folder.url : try ModelFolder.reference(name)
    let isHuggingFace = name == "hf-vit-tiny"
    let layouts =
      isHuggingFace
      ? [Layout.openCLIP, Layout.huggingFace] : [Layout.huggingFace, Layout.openCLIP]
    let (there, back) = (place.file("there"), place.file("back"))
    try Model(start, options: Self.noWeights).export(there, layout: layouts[0])
    let converted = try Model(there)
    #expect(converted.info.layout == (isHuggingFace ? "open_clip" : "huggingface"))
    try converted.export(back, layout: layouts[1])
    let file = isHuggingFace ? Self.weights : Self.openClipWeights
    #expect(try same(start.appending(path: file), back.appending(path: file)))
    #expect(try identical(embeddings(start), embeddings(there)))
    #expect(try identical(embeddings(start), embeddings(back)))
    for tokenizer in ["vocab.json", "merges.txt", "tokenizer_config.json"] {
      #expect(
        try Data(contentsOf: back.appending(path: tokenizer)) == Data(contentsOf: start.appending(path: tokenizer)))
    }
    #expect(try names(there).count == (isHuggingFace ? 5 : 6))
    // Images and texts come to the same, through the files' own preprocessing and tokenizer.
    let runtime = try Runtime()
    let image = try runtime.load(Paths.image("coffee.png"))
    let (a, b) = (try Model(start, runtime: runtime), try Model(there, runtime: runtime))
    #expect(identical(try a.preprocess([image]), try b.preprocess([image])))
    #expect(identical(try a.encode(texts: ["a cat"]), try b.encode(texts: ["a cat"])))
    #expect(a.info.logitScale == b.info.logitScale)
  }

  /// What configurations say beside the usual.
  @Test func unusualConfigurations() throws {
    try editJSON(folder.file("open_clip_config.json")) { root in
      var model = root["model_cfg"] as? [String: Any] ?? [:]
      model["quick_gelu"] = false
      var vision = model["vision_cfg"] as? [String: Any] ?? [:]
      vision["act_kwargs"] = ["approximate": "tanh"]
      vision["norm_kwargs"] = ["eps": 1e-6]
      model["vision_cfg"] = vision
      root["model_cfg"] = model
      root["preprocess_cfg"] = [
        "size": 64, "mean": [0.5, 0.25, 0.125], "std": [0.1, 0.2, 0.3], "interpolation": "bilinear",
        "resize_mode": "squash",
      ]
    }
    let (there, back) = (place.file("there"), place.file("back"))
    try Model(folder.url).export(there, layout: .huggingFace)
    let vision = try jsonObject(at: there.appending(path: "config.json"))["vision_config"] as? [String: Any]
    #expect(vision?["hidden_act"] as? String == "gelu_pytorch_tanh" && vision?["layer_norm_eps"] as? Double == 1e-6)
    try Model(there).export(back, layout: .openCLIP)
    let runtime = try Runtime()
    let image = try runtime.load(Paths.image("coffee.png"))
    let want = try Model(folder.url, runtime: runtime).encode(images: [image])
    for other in [there, back] {
      #expect(identical(try Model(other, runtime: runtime).encode(images: [image]), want))
    }
    #expect(try identical(embeddings(folder.url), embeddings(back)))
  }

  @Test(arguments: ["F16", "BF16"]) func halvesHalveTheFile(_ type: String) throws {
    let storage = type == "F16" ? Storage.float16 : Storage.bfloat16
    let model = try Model(folder.url)
    for (layout, file) in [(Layout.asOpened, Self.openClipWeights), (Layout.huggingFace, Self.weights)] {
      let (half, whole) = (place.file("half"), place.file("whole"))
      try model.export(half, layout: layout, storage: storage)
      try model.export(whole, layout: layout)
      let (halves, floats) = (
        try Safetensors.read(half.appending(path: file)), try Safetensors.read(whole.appending(path: file))
      )
      #expect(halves.keys == floats.keys)
      for (name, tensor) in floats {
        let want = name == "logit_scale" ? tensor : tensor.converted(to: type)
        #expect(halves[name]?.dtype == want.dtype && halves[name]?.data == want.data, "\(name)")
      }
      let data = { (tensors: [String: StoredTensor]) in tensors.values.reduce(0) { $0 + $1.data.count } }
      #expect(data(halves) == data(floats) / 2 + 2)
      #expect(try smallestCosine(embeddings(half), embeddings(folder.url), width: 16) > 0.999)
    }
  }

  @Test func trainedWeightsInEitherLayout() throws {
    let model = try Model(folder.url)
    let trainer = try Trainer(model) {
      $0.averageDecay = 0.5
      $0.learningRate = 0.01
    }
    let inputs = ConsistencyTests.Inputs(model, count: 3)
    for _ in 0..<2 { try trainer.step(pixels: inputs.pixels, tokens: inputs.tokens) }
    for average in [false, true] {
      let (own, other, back) = (place.file("own"), place.file("other"), place.file("back"))
      try trainer.export(own, average: average)
      try trainer.export(other, average: average, layout: .huggingFace)
      try Model(other).export(back, layout: .openCLIP)
      #expect(try same(own.appending(path: Self.openClipWeights), back.appending(path: Self.openClipWeights)))
      #expect(try identical(embeddings(own), embeddings(other)))
      #expect(try !identical(embeddings(own), embeddings(folder.url)))
    }
  }

  /// A checkpoint gives what the trainer that saved it gives, whatever its options were.
  @Test func checkpointsWithoutATrainer() throws {
    let model = try Model(folder.url)
    let inputs = ConsistencyTests.Inputs(model, count: 3)
    let trainers: [Trainer] = [
      try Trainer(model) { $0.averageDecay = 0.5 },
      try Trainer(model, groups: [.init("visual.*", rate: 0)]) { $0.averageDecay = 0.5 },
      try Trainer(model, lowRank: .init(rank: 2, scale: 3, patterns: ["*.in_proj_weight"])) {
        $0.averageDecay = 0.5
        $0.learningRate = 0.02
      },
      try Trainer(model) { $0.optimizer = .sgd },
    ]
    for (index, trainer) in trainers.enumerated() {
      for _ in 0..<2 { try trainer.step(pixels: inputs.pixels, tokens: inputs.tokens) }
      let checkpoints = place.file("checkpoints-\(index)")
      try trainer.save(checkpoints)
      for average in index < 3 ? [false, true] : [false] {
        let (own, later) = (place.file("own-\(index)"), place.file("later-\(index)"))
        try trainer.export(own, average: average)
        try Model(folder.url, options: Self.noWeights).export(later, checkpoint: checkpoints, average: average)
        #expect(
          try same(own.appending(path: Self.openClipWeights), later.appending(path: Self.openClipWeights)),
          "\(index) \(average)")
      }
    }
    let file = place.file("checkpoints-0/step-00000000000000000002.safetensors")
    let target = place.file("none")
    #expect(
      status { try model.export(target, checkpoint: place.file("checkpoints-3"), average: true) } == .notFound)
    #expect(status { try model.export(target, average: true) } == .notFound)
    #expect(status { try model.export(target, checkpoint: place.url) } == .notFound)
    #expect(status { try model.export(target, checkpoint: folder.file(Self.openClipWeights)) } == .format)
    var wider = SmallModel()
    wider.textWidth = 48
    let other = try wider.write()
    #expect(status { try Model(other.url).export(target, checkpoint: file) } == .mismatch)
    #expect(status { try Model(ModelFolder.reference("rn-tiny")).export(target, checkpoint: file) } == .mismatch)
    let whole = try Data(contentsOf: file)
    try whole.prefix(whole.count - 3).write(to: file)
    #expect(status { try model.export(target, checkpoint: file) } == .format)
    #expect(!FileManager.default.fileExists(atPath: target.path))
  }

  @Test func aFolderIsReplacedWhole() throws {
    let target = place.file("model")
    let model = try Model(folder.url)
    try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
    try model.export(target)
    try Data("mine".utf8).write(to: target.appending(path: "README.md"))
    try FileManager.default.createDirectory(at: target.appending(path: "notes"), withIntermediateDirectories: true)
    try model.export(target, layout: .huggingFace)
    let all = [
      "README.md", "config.json", "merges.txt", Self.weights, "notes", "preprocessor_config.json",
      "tokenizer_config.json", "vocab.json",
    ]
    #expect(try names(target) == all.sorted())
    #expect(try identical(embeddings(folder.url), embeddings(target)))
    // Over its own folder, and through a link and a slash.
    try Model(target).export(target, layout: .openCLIP)
    let link = place.file("link")
    try FileManager.default.createSymbolicLink(at: link, withDestinationURL: target)
    try Model(target).export(URL(filePath: link.path + "/"), storage: .float16)
    #expect(try names(place.url) == ["link", "model"])
    #expect(try names(target).contains("README.md") && !names(target).contains("config.json"))
    #expect(try String(contentsOf: target.appending(path: "README.md"), encoding: .utf8) == "mine")
    #expect(try smallestCosine(embeddings(target), embeddings(folder.url), width: 16) > 0.999)
  }

  @Test func whatCannotBeWritten() throws {
    let target = place.file("model")
    let model = try Model(folder.url)
    func expect(_ model: Model, _ layout: Layout, _ wanted: CLIPStatus, _ words: String, line: Int = #line) {
      do {
        try model.export(target, layout: layout)
        Issue.record("line \(line): written")
      } catch {
        let failure = error as? CLIPError
        #expect(failure?.status == wanted && failure?.message.contains(words) == true, "line \(line): \(error)")
      }
    }
    let (openClip, huggingFace) = (Layout.openCLIP, Layout.huggingFace)
    expect(try Model(ModelFolder.reference("rn-tiny")), huggingFace, .unsupported, "clip-resnet")
    expect(try Model(Paths.emoji), huggingFace, .unsupported, "longer side")
    expect(try Model(ModelFolder.reference("hf-siglip-tiny")), openClip, .unsupported, "siglip")
    expect(try Model(folder.url, towers: .text), huggingFace, .unsupported, "image tower")
    #expect(status { try model.export(target, storage: .int8) } == .invalidArgument)
    for (layout, storage) in [(9, 0), (0, 77)] {
      var options = clip_export_options()
      options.struct_size = size(of: clip_export_options.self)
      (options.layout, options.storage) = (clip_layout(UInt32(layout)), clip_storage(UInt32(storage)))
      #expect(clip_model_export(model.handle, nil, target.path, &options) == CLIP_INVALID_ARGUMENT)
      #expect(String(cString: clip_last_error()).contains(layout == 9 ? "clip_layout" : "storage"))
    }
    var options = clip_export_options()
    (options.struct_size, options.flags) = (size(of: clip_export_options.self), 8)
    #expect(clip_model_export(model.handle, nil, target.path, &options) == CLIP_INVALID_ARGUMENT)
    #expect(clip_model_export(nil, nil, target.path, nil) == CLIP_INVALID_ARGUMENT)
    #expect(clip_model_export(model.handle, nil, nil, nil) == CLIP_INVALID_ARGUMENT)
    #expect(clip_trainer_export(nil, target.path, nil) == CLIP_INVALID_ARGUMENT)

    let huggingFaceModel = try ModelFolder.copy(of: ModelFolder.reference("hf-vit-tiny"))
    func refused(_ file: String, _ words: String, _ change: (inout [String: Any]) -> Void) throws {
      let before = try Data(contentsOf: huggingFaceModel.file(file))
      try editJSON(huggingFaceModel.file(file), change)
      expect(try Model(huggingFaceModel.url), openClip, .unsupported, words)
      try before.write(to: huggingFaceModel.file(file))
    }
    try refused("preprocessor_config.json", "resize") { $0["size"] = ["shortest_edge": 80] }
    try refused("preprocessor_config.json", "bicubic") { $0["resample"] = 1 }
    try refused("preprocessor_config.json", "rescale") { $0["do_rescale"] = false }
    try refused("config.json", "end token") {
      var text = $0["text_config"] as? [String: Any] ?? [:]
      text["eos_token_id"] = 7
      $0["text_config"] = text
    }
    try refused("config.json", "quick_gelu") {
      var text = $0["text_config"] as? [String: Any] ?? [:]
      text["hidden_act"] = "gelu"
      $0["text_config"] = text
    }
    #expect(try names(place.url).isEmpty)
  }

  /// What was there before a failure is there after it, and nothing else.
  @Test func failuresLeaveTheFolder() throws {
    let target = place.file("model")
    let model = try Model(folder.url)
    try model.export(target)
    let before = try Data(contentsOf: target.appending(path: Self.openClipWeights))
    // Found when part of the file is written.
    let large = try ModelFolder.copy(of: folder.url)
    var tensors = try Safetensors.read(large.file(Self.openClipWeights))
    let bias = try tensor("visual.ln_post.bias", of: tensors)
    tensors["visual.ln_post.bias"] = StoredTensor([Float](repeating: 1e5, count: bias.floats.count), shape: bias.shape)
    try Safetensors.write(tensors, to: large.file(Self.openClipWeights))
    #expect(status { try Model(large.url).export(target, storage: .float16) } == .unsupported)
    #expect(String(cString: clip_last_error()).contains("visual.ln_post.bias"))
    #expect(try Data(contentsOf: target.appending(path: Self.openClipWeights)) == before)
    #expect(try names(place.url) == ["model"])
    // A file in its place, no folder to be in, one that cannot be written to.
    let file = place.file("file")
    try Data("x".utf8).write(to: file)
    #expect(status { try model.export(file) } == .io)
    #expect(status { try model.export(place.file("none/model")) } == .notFound)
    #expect(status { try model.export(URL(filePath: "/sys/model")) } != nil)
    #expect(try Data(contentsOf: file) == Data("x".utf8) && names(place.url) == ["file", "model"])
  }
}
