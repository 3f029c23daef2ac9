@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// What must not change an embedding: its neighbours in a batch, the number of threads, other callers.
@Suite struct ConsistencyTests {
  static let bound: Float = 0
  static let models = ["vit-tiny", "rn-tiny", "hf-vit-tiny"]

  struct Inputs {
    let pixels: [Float]
    let tokens: [Int32]

    /// `count` images and captions of different lengths for `model`.
    init(_ model: Model, count: Int) {
      var numbers = Numbers(7)
      pixels = numbers.floats(count * model.imageNumbers)
      let vocabulary = Int32(model.info.vocabularySize)
      tokens = (0..<count).flatMap { row -> [Int32] in
        let words = (0..<row % (model.context - 1)).map { _ in Int32(numbers.next() % UInt64(vocabulary - 2)) }
        let ids = [vocabulary - 2] + words + [vocabulary - 1]
        return ids + [Int32](repeating: 0, count: model.context - ids.count)
      }
    }
  }

  @Test(arguments: models) func aBatchIsItsItems(_ name: String) throws {
    let model = try Model(ModelFolder.reference(name), runtime: Runtime(threads: 2))
    for count in [2, 7, 33] {
      let inputs = Inputs(model, count: count)
      let images = try model.encode(pixels: inputs.pixels)
      let texts = try model.encode(tokens: inputs.tokens)
      for i in 0..<count {
        let image = try model.encode(
          pixels: Array(inputs.pixels[i * model.imageNumbers..<(i + 1) * model.imageNumbers]))
        let text = try model.encode(tokens: Array(inputs.tokens[i * model.context..<(i + 1) * model.context]))
        let row = i * model.width..<(i + 1) * model.width
        #expect(maxDifference(Array(images[row]), image) <= Self.bound, "image \(i) of \(count)")
        #expect(maxDifference(Array(texts[row]), text) <= Self.bound, "text \(i) of \(count)")
      }
    }
  }

  @Test(arguments: models) func threadsDoNotMatter(_ name: String) throws {
    let folder = try ModelFolder.reference(name)
    let one = try Model(folder, runtime: Runtime(threads: 1))
    let inputs = Inputs(one, count: 9)
    let images = try one.encode(pixels: inputs.pixels)
    let texts = try one.encode(tokens: inputs.tokens)
    for threads in [0, 2, 3, 8] {
      let many = try Model(folder, runtime: Runtime(threads: threads))
      #expect(maxDifference(try many.encode(pixels: inputs.pixels), images) <= Self.bound, "\(threads) threads")
      #expect(maxDifference(try many.encode(tokens: inputs.tokens), texts) <= Self.bound, "\(threads) threads")
    }
  }

  @Test(arguments: models) func theSameCallGivesTheSameBits(_ name: String) throws {
    let model = try Model(ModelFolder.reference(name), runtime: Runtime(threads: 2))
    let inputs = Inputs(model, count: 5)
    let images = try model.encode(pixels: inputs.pixels)
    let texts = try model.encode(tokens: inputs.tokens)
    for _ in 0..<3 {
      #expect(identical(try model.encode(pixels: inputs.pixels), images))
      #expect(identical(try model.encode(tokens: inputs.tokens), texts))
    }
  }

  @Test func manyCallersOnOneModel() throws {
    let runtime = try Runtime(threads: 2)
    let model = try Model(Paths.emoji, runtime: runtime)
    let image = try runtime.load(Paths.image("chelsea.png"))
    let captions = ["cat", "a long sentence about a dog", "sun"]
    let images = try model.encode(images: [image])
    let texts = try model.encode(texts: captions)
    let shared = UnsafeBox(image)
    let failed = Counter()
    DispatchQueue.concurrentPerform(iterations: 8) { caller in
      for round in 0..<6 {
        do {
          let good =
            (caller + round) % 2 == 0
            ? maxDifference(try model.encode(texts: captions), texts) <= Self.bound
            : maxDifference(try model.encode(images: [shared.value]), images) <= Self.bound
          if !good { failed.add() }
        } catch { failed.add() }
      }
    }
    #expect(failed.count == 0)
  }

  /// Errors are per thread: one caller's failure does not reach another.
  @Test func messagesArePerThread() throws {
    let model = try Model(ModelFolder.reference("vit-tiny"))
    let failed = Counter()
    DispatchQueue.concurrentPerform(iterations: 4) { caller in
      for _ in 0..<50 {
        let id = Int32(2000 + caller)
        let tokens = [1022, id, 1023] + [Int32](repeating: 0, count: model.context - 3)
        do {
          _ = try model.encode(tokens: tokens)
          failed.add()
        } catch { if !"\(error)".contains("\(id)") { failed.add() } }
      }
    }
    #expect(failed.count == 0)
  }

  /// A host's own loop gives the same numbers, and no thread of the library's.
  @Test func theHostsParallelLoop() throws {
    let folder = try ModelFolder.reference("vit-tiny")
    let own = try Model(folder)
    let inputs = Inputs(own, count: 5)
    let calls = Counter()
    let runtime = try Runtime(
      threads: 3,
      parallelFor: { count, task in
        calls.add()
        for i in (0..<count).reversed() { task(i) }
      })
    let embeddings = try Model(folder, runtime: runtime).encode(pixels: inputs.pixels)
    #expect(maxDifference(embeddings, try own.encode(pixels: inputs.pixels)) <= Self.bound)
    #expect(calls.count > 0)
  }

  @Test(arguments: ["vit-tiny", "rn-tiny"]) func everyKernelSetAgrees(_ name: String) throws {
    let folder = try ModelFolder.reference(name)
    let best = try Model(folder)
    let inputs = Inputs(best, count: 3)
    let want = try best.encode(pixels: inputs.pixels)
    for plugin in try best.runtime.plugins() where plugin.kind == .kernels {
      let id = plugin.id
      // Sets that this processor cannot run are refused by name.
      guard let runtime = try? Runtime(kernels: id) else { continue }
      let got = try Model(folder, runtime: runtime).encode(pixels: inputs.pixels)
      #expect(maxDifference(got, want) <= 5e-6, "\(id)")
    }
    #expect(throws: CLIPError.self) { try Runtime(kernels: "no-such-kernels") }
  }
}

/// Hands something to other threads that the test knows to be safe there.
struct UnsafeBox<T>: @unchecked Sendable {
  let value: T
  init(_ value: T) { self.value = value }
}

final class Counter: @unchecked Sendable {
  private let lock = NSLock()
  private var number = 0
  var count: Int { lock.withLock { number } }
  func add() { lock.withLock { number += 1 } }
}
