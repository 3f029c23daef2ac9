@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// Each encoder against PyTorch's outputs for the same weights and inputs.
@Suite(.serialized) struct EncoderParityTests {
  /// PyTorch's own float32 is within 2e-5 of its float64, measured in the same way.
  static let bound = 1e-4

  func compare(_ name: String) throws {
    let manifest = try Manifest(name)
    // Up to 450 MB, so not kept.
    let folder = try ModelFolder.reference(name)
    defer { try? FileManager.default.removeItem(at: folder) }
    try compare(name, manifest, Model(folder, runtime: Runtime(threads: 2)))
  }

  func compare(_ name: String, _ manifest: Manifest, _ model: Model) throws {
    let want = try expected(name)
    var report = "parity \(name):"
    func check(_ part: String, _ got: [Float], _ tensor: StoredTensor) {
      let error = centredError(got, tensor.floats, width: model.width)
      report += " \(part) \(error)"
      #expect(error <= Self.bound, "\(name) \(part)")
    }
    var images: [Float] = [], texts: [Float] = []
    if let shape = manifest.pixelShape {
      let pixels = ReferencePixels.make(name, shape: shape)
      if let features = want["features"] {
        images = try model.encode(pixels: pixels, options: .init(raw: true))
        check("features", images, features)
      } else {
        images = try model.encode(pixels: pixels)
        check("image", images, try tensor("image_embeds", of: want))
      }
    }
    if let tokens = want["tokens"] {
      texts = try model.encode(tokens: tokenIds(tokens))
      check("text", texts, try tensor("text_embeds", of: want))
    }
    if let logits = want["logits_per_image"] {
      let got = try model.similarity(images: images, texts: texts)
      let difference = maxDifference(got, logits.floats)
      report += " logits \(difference)"
      #expect(difference <= 1e-4 * (logits.floats.map(abs).max() ?? 1), "\(name) logits")
    }
    print(report)
  }

  @Test(arguments: ["hf-siglip-tiny", "bert-tiny", "bert-tiny-mean", "efficientnet-b0"])
  func small(_ name: String) throws { try compare(name) }

  @Test(.enabled(if: fullTier), arguments: ["resnet50", "vit-base-patch16", "hybrid", "multiscale", "projected-clip"])
  func large(_ name: String) throws { try compare(name) }

  /// The folder as downloaded gives the image tower that clipcore.json describes.
  @Test func siglipOpensInHuggingFacesLayout() throws {
    let name = "hf-siglip-tiny"
    let manifest = try Manifest(name)
    let folder = try TemporaryFolder()
    try ModelFolder.write(manifest, to: folder.url)
    let pixels = ReferencePixels.make(name, shape: try #require(manifest.pixelShape))
    let composed = try Model(folder.url, towers: .image).encode(pixels: pixels)
    try FileManager.default.removeItem(at: folder.file("clipcore.json"))
    try ModelFolder.writeJSON(manifest.config, to: folder.file("config.json"))
    let model = try Model(folder.url, towers: .image)
    #expect(model.info.layout == "huggingface" && model.info.logitBias != nil)
    #expect(identical(try model.encode(pixels: pixels), composed))
  }

  /// A ViT's config.json, with and without a classifier over it, says what a clipcore.json would.
  @Test func vitOpensInHuggingFacesLayout() throws {
    var tensors: [Manifest.Tensor] = []
    func add(_ name: String, _ shape: [Int], _ rule: String) {
      tensors.append(Manifest.Tensor(name: name, shape: shape, rule: rule))
    }
    func linear(_ name: String, _ rows: Int, _ columns: Int) {
      add("\(name).weight", [rows, columns], "linear")
      add("\(name).bias", [rows], "bias")
    }
    func norm(_ name: String) {
      add("\(name).weight", [16], "norm_weight")
      add("\(name).bias", [16], "bias")
    }
    add("vit.embeddings.cls_token", [1, 1, 16], "embedding")
    add("vit.embeddings.position_embeddings", [1, 5, 16], "embedding")
    add("vit.embeddings.patch_embeddings.projection.weight", [16, 3, 16, 16], "conv")
    add("vit.embeddings.patch_embeddings.projection.bias", [16], "bias")
    let layer = "vit.encoder.layer.0"
    for name in [
      "attention.attention.query", "attention.attention.key", "attention.attention.value", "attention.output.dense",
    ] {
      linear("\(layer).\(name)", 16, 16)
    }
    norm("\(layer).layernorm_before")
    norm("\(layer).layernorm_after")
    linear("\(layer).intermediate.dense", 32, 16)
    linear("\(layer).output.dense", 16, 32)
    norm("vit.layernorm")
    linear("classifier", 3, 16)
    let config: [String: Any] = [
      "model_type": "vit", "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 32,
      "image_size": 32, "patch_size": 16,
    ]
    let folder = try TemporaryFolder()
    try ReferenceWeights.write(
      Manifest(tensors: tensors, config: config, isHuggingFace: true), to: folder.file("model.safetensors"))
    try ModelFolder.writeJSON(config, to: folder.file("config.json"))
    let model = try Model(folder.url)
    #expect(
      model.info.towers == .image
        && model.encoder(.image) == "clipcore.encoder.vit")
    let image: [String: Any] = [
      "encoder": "clipcore.encoder.vit", "scope": "vit",
      "config": ["width": 16, "heads": 2, "layers": 1, "mlp_width": 32, "patch_size": 16],
      "preprocess": ["size": 32, "resize_mode": "squash", "interpolation": "bilinear", "mean": 0.5, "std": 0.5],
    ]
    try ModelFolder.writeJSON(
      ["version": 1, "embed_dim": 16, "image": image, "ignore": ["classifier."]], to: folder.file("clipcore.json"))
    let photo = try model.runtime.load(Paths.image("astronaut.png"))
    #expect(identical(try model.encode(images: [photo]), try Model(folder.url).encode(images: [photo])))
  }
}
