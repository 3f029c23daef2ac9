import CClip
@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// Encoders described without weights, recommended, and made of a plugin's own op.
@Suite struct EncoderCallsTests {
  /// Published sizes: torchvision's models without their classifiers, transformers' ViTModel.
  @Test func examplesHaveTheSizesOfTheirModels() throws {
    let runtime = try Runtime()
    let resnet = try runtime.describeEncoder("clipcore.encoder.resnet50")
    #expect(resnet.features == 2048 && resnet.imageWidth == 224)
    // 25,557,032 with the classifier's 2,049,000, and 53,120 running means and variances.
    #expect(resnet.parameters == 25_557_032 - 2_049_000 + 53_120)
    #expect(resnet.tensors.first { $0.name == "layer1.0.conv2.weight" }?.shape == [64, 64, 3, 3])
    // 4.09 G with the classifier, as torchvision says.
    #expect(abs(Double(resnet.multiplyAdds) / 4.09e9 - 1) < 0.01)
    let vit = try runtime.describeEncoder("clipcore.encoder.vit")
    #expect(vit.parameters == 85_798_656 && vit.features == 768)
    let bert = try runtime.describeEncoder("clipcore.encoder.bert")
    #expect(bert.parameters == 109_482_240 && bert.contextLength == 512 && bert.vocabularySize == 30522)
    #expect(bert.tower == .text && bert.imageWidth == 0)
  }

  /// Every encoder that is installed comes with an example that builds.
  @Test func examplesBuild() throws {
    let runtime = try Runtime()
    for plugin in try runtime.plugins() where plugin.kind == .encoder {
      let info = try runtime.describeEncoder(plugin.id)
      #expect(info.features > 0 && info.multiplyAdds > 0, "\(plugin.id)")
      #expect(info.parameters == info.tensors.reduce(0) { $0 + $1.count })
    }
  }

  @Test func wrongConfigurationsAreRefused() throws {
    let runtime = try Runtime()
    #expect(status { _ = try runtime.describeEncoder("no.such.encoder") } == .notFound)
    for (config, expected) in [
      ("", CLIPStatus.format), ("[]", CLIPStatus.format), ("{", CLIPStatus.format),
      ("{\"image_height\": \"x\"}", CLIPStatus.format),
      ("{\"image_height\": 224}", CLIPStatus.format),
      ("{\"image_height\": 16385, \"image_width\": 16385}", .invalidArgument),
    ] {
      #expect(
        status { _ = try runtime.describeEncoder("clipcore.encoder.vit", config: config) } == expected, "\(config)")
    }
    #expect(clip_encoder_describe(nil, "x", nil, nil, nil, nil) == CLIP_INVALID_ARGUMENT)
    #expect(clip_encoder_describe(runtime.handle, nil, nil, nil, nil, nil) == CLIP_INVALID_ARGUMENT)
    #expect(clip_encoder_describe(runtime.handle, "clipcore.encoder.vit", nil, nil, nil, nil) == CLIP_INVALID_ARGUMENT)
  }

  func recommend(
    _ runtime: Runtime, _ needs: String, tower: Towers = [], most: Int? = nil, measure: Bool = false
  ) throws -> [Recommendation] {
    let list = try runtime.recommendEncoders(needs: needs, tower: tower, maxParameters: most, measure: measure)
    for item in list { #expect(item.reasons.contains(" of 3, ")) }
    return list
  }

  @Test func recommendsByWhatIsNeeded() throws {
    let runtime = try Runtime()
    let small = try recommend(runtime, "few-parameters,low-latency")
    #expect(small.first?.id == "clipcore.encoder.efficientnet-b0" && small.first?.score == 1)
    #expect(small.map(\.score) == small.map(\.score).sorted(by: >))
    #expect(try recommend(runtime, "multi-scale:5").first?.id == "clipcore.encoder.multiscale")
    #expect(try recommend(runtime, "global-context:2,few-parameters:0.1").first?.id.contains("vit") == true)
    let limited = try recommend(runtime, "texture", most: 30_000_000)
    #expect(!limited.isEmpty && !limited.contains { $0.id.contains("hybrid") })
    #expect(
      try recommend(runtime, "low-latency", tower: .text).contains { $0.id == "clipcore.encoder.bert" })
    for needs in [
      "", "speed", "texture:", "texture:0", "texture:-1", "texture:x", "texture,,", "texture:1:2", ":1",
    ] {
      #expect(status { _ = try recommend(runtime, needs) } == .invalidArgument, "\(needs)")
    }
    var options = clip_recommend_options()
    options.struct_size = size(of: clip_recommend_options.self)
    #expect(clip_recommend_encoders(runtime.handle, &options, { _, _ in 0 }, nil) == CLIP_INVALID_ARGUMENT)
    #expect(status { _ = try recommend(runtime, "texture", tower: .both) } == .invalidArgument)
  }

  @Test func measuresTime() throws {
    let measured = try recommend(
      Runtime(threads: 2), "low-latency", most: 5_000_000, measure: true)
    #expect(!measured.isEmpty && measured.allSatisfy { ($0.milliseconds ?? 0) > 0 })
  }
}
