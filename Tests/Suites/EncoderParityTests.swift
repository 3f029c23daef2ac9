import CClip
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
        images = try model.encode(pixels: pixels, flags: UInt32(CLIP_RAW_FEATURES))
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
      let got = try model.similarity(images, texts)
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
    let composed = try Model(folder.url, towers: UInt32(CLIP_TOWER_IMAGE)).encode(pixels: pixels)
    try FileManager.default.removeItem(at: folder.file("clipcore.json"))
    try ModelFolder.writeJSON(manifest.config, to: folder.file("config.json"))
    let model = try Model(folder.url, towers: UInt32(CLIP_TOWER_IMAGE))
    #expect(String(cString: model.info.layout) == "huggingface" && model.info.has_logit_bias == 1)
    #expect(identical(try model.encode(pixels: pixels), composed))
  }
}
