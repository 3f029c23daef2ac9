import CClip
@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// A trainer's weights in an open model.
@Suite(.serialized) struct PublishTests {
  let folder: TemporaryFolder
  let place: TemporaryFolder
  let runtime: Runtime
  let model: Model
  let trainer: Trainer

  init() throws {
    folder = try SmallModel().write()
    place = try TemporaryFolder()
    runtime = try Runtime(threads: 2)
    model = try Model(folder.url, runtime: runtime)
    trainer = try Trainer(model) {
      $0.averageDecay = 0.5
      $0.learningRate = 0.01
    }
    try step()
  }

  func step() throws {
    let inputs = ConsistencyTests.Inputs(model, count: 3)
    try trainer.step(pixels: inputs.pixels, tokens: inputs.tokens)
  }

  func outputs(_ model: Model) throws -> [Float] {
    let inputs = ConsistencyTests.Inputs(model, count: 2)
    return try model.encode(pixels: inputs.pixels) + model.encode(tokens: inputs.tokens)
  }

  /// The same bits as of the folder that an export writes, in each storage.
  @Test(arguments: [Storage.float32, Storage.float16, Storage.int8]) func publishingIsExportingAndOpening(
    _ storage: Storage
  )
    throws
  {
    for average in [false, true] {
      let target = place.file("model")
      try trainer.export(target, average: average)
      let exported = try Model(target, runtime: runtime, storage: storage)
      let published = try Model(folder.url, runtime: runtime, storage: storage)
      let before = try outputs(published)
      try trainer.update(published, average: average)
      #expect(identical(try outputs(exported), try outputs(published)))
      #expect(!identical(before, try outputs(published)))
      try published.swap()
      #expect(identical(before, try outputs(published)))
    }
  }

  @Test func aModelWithoutWeightsGetsThem() throws {
    let empty = try Model(folder.url, runtime: runtime, options: .withoutWeights)
    let own = try Trainer(empty)
    #expect(throws: CLIPError.self) { try outputs(empty) }
    try own.update(empty)
    #expect(identical(try outputs(empty), try outputs(model)))
    // The trainer's own memory is as it was.
    try own.update(empty)
    #expect(identical(try outputs(empty), try outputs(model)))
  }

  @Test func failuresChangeNothing() throws {
    var deeper = SmallModel()
    deeper.textLayers = 2
    var longer = SmallModel()
    longer.context = 24
    for other in [deeper, longer] {
      let folder = try other.write()
      let model = try Model(folder.url, runtime: runtime)
      let before = try outputs(model)
      #expect(status { try trainer.update(model) } == .mismatch)
      #expect(identical(before, try outputs(model)))
    }
    let half = try Model(folder.url, runtime: runtime, towers: .text)
    #expect(throws: CLIPError.self) { try trainer.update(half) }
    #expect(throws: CLIPError.self) { try Trainer(model).update(model, average: true) }
    #expect(clip_trainer_update_model(trainer.handle, model.handle, 4) == CLIP_INVALID_ARGUMENT)
    #expect(clip_trainer_update_model(nil, model.handle, 0) == CLIP_INVALID_ARGUMENT)
    #expect(clip_trainer_update_model(trainer.handle, nil, 0) == CLIP_INVALID_ARGUMENT)
    // Its folder has other weights than it: an export would be of those.
    try trainer.update(model)
    do {
      try model.export(place.file("model"))
      Issue.record("exported")
    } catch let failure as CLIPError { #expect(failure.status == .unsupported) }
  }

  /// Every call gives the one or the other, bit for bit, while they take turns.
  @Test func publishingUnderLoad() throws {
    let served = try Model(folder.url, runtime: runtime)
    let untrained = try Trainer(Model(folder.url, runtime: runtime, options: .withoutWeights))
    let inputs = ConsistencyTests.Inputs(served, count: 2)
    @Sendable func outputs() throws -> (images: [Float], texts: [Float]) {
      (try served.encode(pixels: inputs.pixels), try served.encode(tokens: inputs.tokens))
    }
    let first = try outputs()
    try trainer.update(served)
    let second = try outputs()
    let work = Load()
    DispatchQueue.global().async {
      DispatchQueue.concurrentPerform(iterations: 3) { _ in
        while !work.isOver {
          let found = try? outputs()
          guard let found else {
            work.count(nil, nil)
            continue
          }
          work.count(
            identical(found.images, first.images) ? 0 : identical(found.images, second.images) ? 1 : nil,
            identical(found.texts, first.texts) ? 0 : identical(found.texts, second.texts) ? 1 : nil)
        }
      }
      work.done.signal()
    }
    var rounds = 0
    while rounds < 40 || !work.hasSeenBoth && rounds < 4000 {
      try (rounds % 2 == 0 ? untrained : trainer).update(served)
      rounds += 1
    }
    work.stop()
    #expect(work.bad == 0 && work.hasSeenBoth, "\(rounds) rounds")
  }

  final class Load: @unchecked Sendable {
    private let lock = NSLock()
    private var over = false
    private var seen = [0, 0]
    private(set) var bad = 0
    let done = DispatchSemaphore(value: 0)

    var isOver: Bool { lock.withLock { over } }
    var hasSeenBoth: Bool { lock.withLock { seen.allSatisfy { $0 > 0 } } }

    func count(_ image: Int?, _ text: Int?) {
      lock.withLock {
        for found in [image, text] {
          if let found { seen[found] += 1 } else { bad += 1 }
        }
      }
    }

    func stop() {
      lock.withLock { over = true }
      done.wait()
    }
  }
}
