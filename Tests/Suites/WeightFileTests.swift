import CClip
@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// What a model's first calls have to do with its file: float32 weights stay in it until they are packed, with
/// the second call that uses them.
@Suite struct WeightFileTests {
  /// A model of its own, its weight file, and what its calls have to give.
  final class Subject {
    let folder: TemporaryFolder
    let file: URL
    let pixels: [Float]
    let tokens: [Int32]
    private let images: [Float]
    private let texts: [Float]

    init(_ name: String = "vit-tiny") throws {
      folder = try ModelFolder.copy(of: ModelFolder.reference(name))
      file = folder.file(CheckpointTests.weightsName(name))
      let model = try Model(folder.url)
      let inputs = ConsistencyTests.Inputs(model, count: 1)
      (pixels, tokens) = (inputs.pixels, inputs.tokens)
      for _ in 0..<2 { _ = (try model.encode(pixels: pixels), try model.encode(tokens: tokens)) }
      (images, texts) = (try model.encode(pixels: pixels), try model.encode(tokens: tokens))
    }

    func agrees(_ model: Model) throws -> Bool {
      try model.encode(pixels: pixels) == images && model.encode(tokens: tokens) == texts
    }

    func expectRefusal(_ model: Model, _ what: Comment) {
      for _ in 0..<3 {
        let ofImage = #expect(throws: CLIPError.self, what) { try model.encode(pixels: pixels) }
        let ofText = #expect(throws: CLIPError.self, what) { try model.encode(tokens: tokens) }
        for failure in [ofImage, ofText] {
          #expect(failure?.status == .io, what)
          #expect(
            failure?.message.contains("changed since") == true && failure?.message.contains(file.path) == true, what)
        }
      }
    }

    /// Writes `data` into the file that is there, as `cp` does.
    func overwrite(_ data: Data) throws {
      let handle = try FileHandle(forWritingTo: file)
      defer { try? handle.close() }
      try handle.truncate(atOffset: 0)
      try handle.write(contentsOf: data)
    }
  }

  @Test(arguments: ["vit-tiny", "hf-vit-tiny"], [1, 2, 3]) func everyCallGivesTheSameBits(
    _ name: String, _ threads: Int
  ) throws {
    let subject = try Subject(name)
    let model = try Model(subject.folder.url, runtime: Runtime(threads: threads))
    for call in 1...4 { #expect(try subject.agrees(model), "call \(call)") }
  }

  @Test func aLargeFirstBatchGivesTheSameBits() throws {
    let subject = try Subject()
    let model = try Model(subject.folder.url, runtime: Runtime(threads: 2))
    let many = try model.encode(pixels: (0..<40).flatMap { _ in subject.pixels })
    let one = try model.encode(pixels: subject.pixels)
    #expect((0..<40).allSatisfy { Array(many[$0 * model.width..<($0 + 1) * model.width]) == one })
    let texts = try model.encode(tokens: (0..<800).flatMap { _ in subject.tokens })
    let text = try model.encode(tokens: subject.tokens)
    #expect((0..<800).allSatisfy { Array(texts[$0 * model.width..<($0 + 1) * model.width]) == text })
    #expect(try subject.agrees(model))
  }

  @Test func aFileCutShortIsAnError() throws {
    let subject = try Subject()
    for calls in 0...1 {
      let data = try Data(contentsOf: subject.file)
      let model = try Model(subject.folder.url)
      for _ in 0..<calls { #expect(try subject.agrees(model)) }
      try subject.overwrite(data.prefix(100))
      subject.expectRefusal(model, "after \(calls) calls")
      try subject.overwrite(data)
    }
  }

  @Test func aFileWrittenAgainIsAnError() throws {
    let subject = try Subject()
    let data = try Data(contentsOf: subject.file)
    let model = try Model(subject.folder.url)
    try subject.overwrite(data)
    subject.expectRefusal(model, "the same bytes at another time")
  }

  @Test func aFileThatIsReplacedOrRemovedIsNot() throws {
    let subject = try Subject()
    let replaced = try Model(subject.folder.url)
    let other = subject.folder.file("other")
    try Data(count: 100).write(to: other)
    #expect(rename(other.path, subject.file.path) == 0)
    for _ in 0..<3 { #expect(try subject.agrees(replaced)) }

    let second = try Subject()
    let removed = try Model(second.folder.url)
    try FileManager.default.removeItem(at: second.file)
    for _ in 0..<3 { #expect(try second.agrees(removed)) }
  }

  @Test func afterTwoCallsTheFileIsNotNeeded() throws {
    let subject = try Subject()
    let model = try Model(subject.folder.url)
    for _ in 0..<2 { #expect(try subject.agrees(model)) }
    try subject.overwrite(Data(count: 10))
    for _ in 0..<2 { #expect(try subject.agrees(model)) }
  }

  @Test func aSwapLeavesNothingInTheFile() throws {
    let subject = try Subject()
    let model = try Model(subject.folder.url)
    try model.swap(from: subject.folder.url.path)
    try subject.overwrite(Data(count: 10))
    for _ in 0..<3 { #expect(try subject.agrees(model)) }
  }

  /// A host whose loop, while it waits for its workers, begins another call on the same thread, as task schedulers do.
  private final class Host {
    var model: OpaquePointer?
    var pixels: [Float] = []
    var embeddings: [Float] = []
    var isInside = false
    var calls = 0

    func wait() {
      guard let model, !isInside else { return }
      isInside = true
      if clip_encode_pixels(model, pixels, 1, nil, &embeddings, embeddings.count) == CLIP_OK { calls += 1 }
      isInside = false
    }
  }

  @Test(.timeLimit(.minutes(1))) func aHostsLoopMayCallAgain() throws {
    let subject = try Subject()
    let host = Host()
    var options = clip_runtime_options()
    options.struct_size = size(of: clip_runtime_options.self)
    options.threads = 2
    options.parallel_user = Unmanaged.passUnretained(host).toOpaque()
    options.parallel_for = { user, count, task, context in
      for i in 0..<count { task?(context, i) }
      if let user { Unmanaged<Host>.fromOpaque(user).takeUnretainedValue().wait() }
    }
    var runtime: OpaquePointer?
    try check(clip_runtime_create(&options, &runtime))
    defer { clip_runtime_release(runtime) }
    var model: OpaquePointer?
    try check(clip_model_open(runtime, subject.folder.url.path, nil, &model))
    defer { clip_model_release(model) }
    let want = try Model(subject.folder.url).encode(pixels: subject.pixels)
    host.pixels = subject.pixels
    host.embeddings = [Float](repeating: 0, count: want.count)
    host.model = model
    for _ in 0..<3 {
      var got = [Float](repeating: 0, count: want.count)
      try check(clip_encode_pixels(model, subject.pixels, 1, nil, &got, want.count))
      #expect(got == want && host.embeddings == want)
    }
    #expect(host.calls > 3)
  }
}
