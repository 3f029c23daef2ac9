import CClip
@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// Towers that take each other's place.
@Suite struct SwapTests {
  static func small(_ change: (inout SmallModel) -> Void = { _ in }) throws -> TemporaryFolder {
    var model = SmallModel()
    model.imageSize = 32
    model.vocabulary = 600
    change(&model)
    return try model.write()
  }

  struct Inputs {
    let images: [Image]
    let texts = ["a cat", "two dogs and a boat"]
    init(_ runtime: Runtime) throws { images = [try runtime.load(Paths.image("chelsea.png"))] }
  }

  @Test func swapsGiveWhatOpeningGives() throws {
    let runtime = try Runtime()
    let inputs = try Inputs(runtime)
    let first = try Self.small()
    let second = try Self.small { model in
      model.imageSize = 64
      model.visionWidth = 48
      model.visionLayers = 2
      model.context = 24
      model.vocabulary = 700
      model.textLayers = 3
    }
    let model = try Model(first.url, runtime: runtime)
    let (a, b) = (try Model(first.url, runtime: runtime), try Model(second.url, runtime: runtime))
    func isImage(_ other: Model) throws -> Bool {
      try identical(model.encode(images: inputs.images), other.encode(images: inputs.images))
    }
    func isText(_ other: Model) throws -> Bool {
      try identical(model.encode(texts: inputs.texts), other.encode(texts: inputs.texts))
    }

    try model.swap(.image, from: second.url.path)
    #expect(try isImage(b) && isText(a))
    #expect(try model.describe().imageWidth == 64 && model.describe().contextLength == a.info.contextLength)
    #expect(try model.describe().imageParameters == b.info.imageParameters)
    try model.swap(.text, from: second.url.path)
    #expect(try isImage(b) && isText(b))
    #expect(try model.describe().contextLength == 24 && model.describe().vocabularySize == 700)
    #expect(
      try model.tokenize(inputs.texts, options: .init(sizes: try model.describe())) == b.tokenize(inputs.texts))
    try model.swap(from: first.url.path)
    #expect(try isImage(a) && isText(a))
    try model.swap()
    #expect(try isImage(a) && isText(a))

    try model.swap(.image, from: second.url.path, storage: .float16)
    #expect(try model.describe().storage == Storage.float16 && !isImage(b))
    #expect(
      try identical(
        model.encode(images: inputs.images),
        Model(second.url, runtime: runtime, storage: .float16).encode(images: inputs.images)))
    try model.swap(.image)  // as it was: in half precision
    #expect(try model.describe().storage == Storage.float16)
  }

  /// Between architectures, and layouts.
  @Test func swapsBetweenArchitectures() throws {
    let runtime = try Runtime()
    let inputs = try Inputs(runtime)
    let names = ["vit-tiny", "rn-tiny", "hf-vit-tiny"]
    let model = try Model(ModelFolder.reference("vit-tiny"), runtime: runtime)
    for name in names + names.reversed() {
      try model.swap(.image, from: ModelFolder.reference(name).path)
      let other = try Model(ModelFolder.reference(name), runtime: runtime, towers: .image)
      #expect(try identical(model.encode(images: inputs.images), other.encode(images: inputs.images)), "\(name)")
      #expect(model.encoder(.image) == other.encoder(.image))
      #expect(try model.describe().layout == "open_clip")
    }
  }

  /// The scale is the model's own, unless all of it is replaced.
  @Test func logitScaleAtSwaps() throws {
    let first = try Self.small(), second = try Self.small()
    let weights = second.file("open_clip_model.safetensors")
    var tensors = try Safetensors.read(weights)
    tensors["logit_scale"] = StoredTensor([log(Float(50))], shape: [])
    try Safetensors.write(tensors, to: weights)
    let model = try Model(first.url)
    let scale = try model.describe().logitScale
    try model.swap(.image, from: second.url.path)
    try model.swap(.text, from: second.url.path)
    #expect(try model.describe().logitScale == scale)
    try model.swap()
    #expect(try model.describe().logitScale == scale)
    try model.swap(from: second.url.path)
    #expect(try abs(model.describe().logitScale - 50) < 1e-3)
  }

  @Test func aFailedSwapChangesNothing() throws {
    let runtime = try Runtime()
    let inputs = try Inputs(runtime)
    let folder = try Self.small()
    let model = try Model(folder.url, runtime: runtime)
    let before = (try model.encode(images: inputs.images), try model.encode(texts: inputs.texts), model.info)
    func refused(
      _ status: CLIPStatus, _ words: String, _ towers: Towers?, _ folder: URL?, of model: Model, line: Int = #line
    ) {
      do throws(CLIPError) {
        try model.swap(towers, from: folder?.path)
        Issue.record("swapped, line \(line)")
      } catch {
        #expect(error.status == status && error.message.contains(words), "line \(line): \(error)")
      }
    }
    let wide = try Self.small { $0.embedding = 24 }
    refused(.mismatch, "expected embeddings of 16 as the model's, found 24", .image, wide.url, of: model)
    refused(.mismatch, "expected embeddings of 16", .text, wide.url, of: model)
    let spoiled = try Self.small()
    let weights = spoiled.file("open_clip_model.safetensors")
    var tensors = try Safetensors.read(weights)
    tensors["visual.ln_post.weight"] = nil
    try Safetensors.write(tensors, to: weights)
    refused(.mismatch, "missing: visual.ln_post.weight", .image, spoiled.url, of: model)
    refused(.mismatch, "missing: visual.ln_post.weight", nil, spoiled.url, of: model)
    let cut = try Self.small()
    try Data(contentsOf: cut.file("open_clip_model.safetensors")).dropLast(4).write(
      to: cut.file("open_clip_model.safetensors"))
    refused(.format, "open_clip_model.safetensors", .text, cut.url, of: model)
    refused(.notFound, "/nowhere", .text, URL(filePath: "/nowhere"), of: model)
    refused(.invalidArgument, "towers", Towers(rawValue: 4), nil, of: model)
    #expect(clip_model_swap(nil, 0, nil, nil) == CLIP_INVALID_ARGUMENT)
    var options = clip_model_options()
    #expect(clip_model_swap(model.handle, 0, nil, &options) == CLIP_INVALID_ARGUMENT)
    options.struct_size = size(of: clip_model_options.self)
    options.flags = 1 << 30
    #expect(clip_model_swap(model.handle, 0, nil, &options) == CLIP_INVALID_ARGUMENT)

    let after = try model.describe()
    #expect(after.imageParameters == before.2.imageParameters && after.textParameters == before.2.textParameters)
    #expect(try identical(model.encode(images: inputs.images), before.0))
    #expect(try identical(model.encode(texts: inputs.texts), before.1))

    // A tower that is not open has nothing to be swapped with.
    let images = try Model(folder.url, runtime: runtime, towers: .image)
    refused(.unsupported, "text tower", .text, folder.url, of: images)
    refused(.unsupported, "text tower", .both, folder.url, of: images)
    try images.swap(from: folder.url.path)
    #expect(try images.describe().towers == .image)
    // A model that has lost its folder keeps what it has.
    let lost = try ModelFolder.copy(of: folder.url)
    let orphan = try Model(lost.url, runtime: runtime)
    try FileManager.default.removeItem(at: lost.url)
    refused(.notFound, lost.url.path, nil, nil, of: orphan)
    #expect(try identical(orphan.encode(images: inputs.images), before.0))
  }

  /// Buffers made for the sizes of before are never touched: the call says what has changed.
  @Test func buffersOfOtherSizesAreRefused() throws {
    let runtime = try Runtime()
    let small = try Self.small()
    let large = try Self.small { model in
      model.imageSize = 64
      model.context = 24
    }
    let model = try Model(small.url, runtime: runtime)
    let opened = model.info
    let image = try runtime.load(Paths.image("chelsea.png"))
    var pixels = [Float](repeating: -7, count: 3 * 32 * 32), tokens = [Int32](repeating: -7, count: 16)
    var row = [Float](repeating: -7, count: model.width)
    let bytes = image.bytes
    func calls(_ options: clip_encode_options) -> [clip_status] {
      var options = options
      let (pixelCount, tokenCount, width) = (pixels.count, tokens.count, row.count)
      return bytes.withUnsafeBufferPointer { bytes in
        let view = clip_image_view(
          pixels: bytes.baseAddress, width: UInt32(image.width), height: UInt32(image.height), stride: 0,
          format: clip_pixel_format(image.format.rawValue), orientation: 0, full_width: 0, full_height: 0)
        return "a cat".withCString { text in
          [
            clip_preprocess(model.handle, [view], 1, &options, &pixels, pixelCount),
            clip_encode_pixels(model.handle, pixels, 1, &options, &row, width),
            clip_tokenize(model.handle, [text], 1, &options, &tokens, tokenCount, nil, 0),
            clip_encode_tokens(model.handle, tokens, 1, &options, &row, width),
          ]
        }
      }
    }
    func sizes(_ width: Int, _ height: Int, _ context: Int) -> clip_encode_options {
      var options = clip_encode_options()
      options.struct_size = size(of: clip_encode_options.self)
      (options.image_width, options.image_height, options.context_length) = (
        UInt32(width), UInt32(height), UInt32(context)
      )
      return options
    }
    let good = [clip_status](repeating: CLIP_OK, count: 4), bad = [clip_status](repeating: CLIP_MISMATCH, count: 4)
    let none = sizes(0, 0, 0)
    #expect(calls(none) == good && calls(sizes(64, 64, 24)) == bad)

    try model.swap(from: large.url.path)
    pixels = pixels.map { _ in -7 }
    tokens = tokens.map { _ in -7 }
    row = row.map { _ in -7 }
    #expect(calls(none) == bad)
    #expect(String(cString: clip_last_error()).contains("expected 24 for each text"))
    #expect(calls(sizes(opened.imageWidth, opened.imageHeight, opened.contextLength)) == bad)
    #expect(pixels.allSatisfy { $0 == -7 } && tokens.allSatisfy { $0 == -7 } && row.allSatisfy { $0 == -7 })
    (pixels, tokens) = ([Float](repeating: 0, count: 3 * 64 * 64), [Int32](repeating: 0, count: 24))
    #expect(calls(sizes(64, 64, 24)) == good)
    // What has no such buffers needs no such words.
    #expect(
      try model.encode(images: [image]).count == model.width && model.encode(texts: ["a cat"]).count == model.width)
    try model.swap(from: small.url.path)
    (pixels, tokens) = ([Float](repeating: 0, count: 3 * 32 * 32), [Int32](repeating: 0, count: 16))
    #expect(calls(none) == good)
  }
}
