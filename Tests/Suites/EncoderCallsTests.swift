import CClip
@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// Encoders described without weights, recommended, and made of a plugin's own op.
@Suite struct EncoderCallsTests {
  func describe(_ runtime: Runtime, _ id: String, _ config: String?) throws -> (clip_encoder_info, [String: [UInt64]]) {
    var info = clip_encoder_info()
    info.struct_size = size(of: clip_encoder_info.self)
    var tensors: [String: [UInt64]] = [:]
    try withUnsafeMutablePointer(to: &tensors) { list in
      try check(
        clip_encoder_describe(
          runtime.handle, id, config, &info,
          { user, name, shape, rank in
            guard let user, let name else { return }
            user.assumingMemoryBound(to: [String: [UInt64]].self).pointee[String(cString: name)] =
              Array(UnsafeBufferPointer(start: shape, count: rank))
          }, list))
    }
    return (info, tensors)
  }

  func status(_ body: () throws -> Void) -> clip_status {
    do {
      try body()
      return CLIP_OK
    } catch {
      return (error as? CLIPError)?.status ?? CLIP_OK
    }
  }

  /// Published sizes: torchvision's models without their classifiers, transformers' ViTModel.
  @Test func examplesHaveTheSizesOfTheirModels() throws {
    let runtime = try Runtime()
    let resnet = try describe(runtime, "clipcore.encoder.resnet50", nil)
    #expect(resnet.0.features == 2048 && resnet.0.image_width == 224)
    // 25,557,032 with the classifier's 2,049,000, and 53,120 running means and variances.
    #expect(resnet.0.parameters == 25_557_032 - 2_049_000 + 53_120)
    #expect(resnet.1["layer1.0.conv2.weight"] == [64, 64, 3, 3])
    // 4.09 G with the classifier, as torchvision says.
    #expect(abs(Double(resnet.0.multiply_adds) / 4.09e9 - 1) < 0.01)
    let vit = try describe(runtime, "clipcore.encoder.vit", nil)
    #expect(vit.0.parameters == 85_798_656 && vit.0.features == 768)
    let bert = try describe(runtime, "clipcore.encoder.bert", nil)
    #expect(bert.0.parameters == 109_482_240 && bert.0.context_length == 512 && bert.0.vocabulary_size == 30522)
    #expect(bert.0.tower == CLIP_TOWER_TEXT && bert.0.image_width == 0)
  }

  /// Every encoder that is installed comes with an example that builds.
  @Test func examplesBuild() throws {
    let runtime = try Runtime()
    for plugin in try runtime.plugins() where plugin.kind == CLIP_KIND_ENCODER {
      let (info, tensors) = try describe(runtime, String(cString: plugin.id), nil)
      #expect(info.features > 0 && info.multiply_adds > 0, "\(String(cString: plugin.id))")
      #expect(info.parameters == tensors.values.reduce(0) { $0 + $1.reduce(1, *) })
    }
  }

  @Test func wrongConfigurationsAreRefused() throws {
    let runtime = try Runtime()
    #expect(status { _ = try describe(runtime, "no.such.encoder", nil) } == CLIP_NOT_FOUND)
    for (config, expected) in [
      ("", CLIP_FORMAT), ("[]", CLIP_FORMAT), ("{", CLIP_FORMAT), ("{\"image_height\": \"x\"}", CLIP_FORMAT),
      ("{\"image_height\": 224}", CLIP_FORMAT),
      ("{\"image_height\": 16385, \"image_width\": 16385}", CLIP_INVALID_ARGUMENT),
    ] {
      #expect(status { _ = try describe(runtime, "clipcore.encoder.vit", config) } == expected, "\(config)")
    }
    #expect(clip_encoder_describe(nil, "x", nil, nil, nil, nil) == CLIP_INVALID_ARGUMENT)
    #expect(clip_encoder_describe(runtime.handle, nil, nil, nil, nil, nil) == CLIP_INVALID_ARGUMENT)
    #expect(clip_encoder_describe(runtime.handle, "clipcore.encoder.vit", nil, nil, nil, nil) == CLIP_INVALID_ARGUMENT)
  }

  func recommend(
    _ runtime: Runtime, _ needs: String?, tower: Int = 0, most: UInt64 = 0, flags: UInt32 = 0
  ) throws -> [(id: String, score: Float, milliseconds: Double)] {
    typealias List = [(id: String, score: Float, milliseconds: Double)]
    var task = clip_task()
    task.struct_size = size(of: clip_task.self)
    task.tower = UInt32(tower)
    task.max_parameters = most
    task.flags = flags
    var list: List = []
    let needs = needs.map { strdup($0) }
    defer { free(needs ?? nil) }
    task.needs = UnsafePointer(needs ?? nil)
    try withUnsafeMutablePointer(to: &list) { list in
      try check(
        clip_recommend_encoders(
          runtime.handle, &task,
          { user, found in
            guard let user, let found = found?.pointee else { return }
            #expect(String(cString: found.reasons).contains(" of 3, "))
            user.assumingMemoryBound(to: List.self).pointee
              .append((String(cString: found.id), found.score, found.milliseconds))
          }, list))
    }
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
      try recommend(runtime, "low-latency", tower: Int(CLIP_TOWER_TEXT)).contains { $0.id == "clipcore.encoder.bert" })
    for needs in [
      nil, "", "speed", "texture:", "texture:0", "texture:-1", "texture:x", "texture,,", "texture:1:2", ":1",
    ] {
      #expect(status { _ = try recommend(runtime, needs) } == CLIP_INVALID_ARGUMENT, "\(needs ?? "NULL")")
    }
    #expect(status { _ = try recommend(runtime, "texture", tower: 3) } == CLIP_INVALID_ARGUMENT)
  }

  @Test func measuresTime() throws {
    let measured = try recommend(
      Runtime(threads: 2), "low-latency", most: 5_000_000, flags: UInt32(CLIP_RECOMMEND_MEASURE))
    #expect(!measured.isEmpty && measured.allSatisfy { $0.milliseconds > 0 })
  }
}
