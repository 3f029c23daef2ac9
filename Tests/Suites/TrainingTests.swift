import CClip
@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// What a trainer promises, on a model of a few thousand weights.
@Suite(.serialized) struct TrainingTests {
  let folder: TemporaryFolder
  let manifest = SmallModel().manifest
  let model: Model
  let pixels: [Float]
  let tokens: [Int32]

  init() throws {
    folder = try SmallModel().write()
    model = try Model(folder.url, runtime: Runtime(threads: 2))
    var numbers = Numbers(5)
    pixels = numbers.floats(6 * model.imageNumbers)
    var tokens = [Int32](repeating: 0, count: 6 * model.context)
    for row in 0..<6 {
      tokens[row * model.context] = 1022
      for place in 1..<(3 + row) { tokens[row * model.context + place] = Int32(numbers.next() % 1000) + 1 }
      tokens[row * model.context + 3 + row] = 1023
    }
    self.tokens = tokens
  }

  func train(_ trainer: Trainer, _ steps: Int) throws -> [Double] {
    try (0..<steps).map { _ in try trainer.step(pixels: pixels, tokens: tokens).loss }
  }

  func weights(_ trainer: Trainer) throws -> [Float] { try trainer.all(.weight, manifest) }

  @Test func threadsAndKernelsOfOneSetGiveTheSameBits() throws {
    let first = try Trainer(model)
    _ = try train(first, 3)
    for threads in [1, 3] {
      let other = try Trainer(Model(folder.url, runtime: Runtime(threads: threads)))
      _ = try train(other, 3)
      #expect(try identical(weights(first), weights(other)))
    }
  }

  @Test(arguments: [1, 4]) func chunksGiveTheGradientsOfTheWholeBatch(_ chunk: Int) throws {
    let whole = try Trainer(model)
    let parts = try Trainer(model) { $0.chunk = chunk }
    #expect(try abs(train(whole, 1)[0] - train(parts, 1)[0]) < 1e-6)
    let a = try whole.all(.gradient, manifest)
    let b = try parts.all(.gradient, manifest)
    let apart = zip(a, b).map { pow(Double($0 - $1), 2) }.reduce(0, +)
    #expect((apart / a.map { Double($0) * Double($0) }.reduce(0, +)).squareRoot() <= 1e-5)
  }

  @Test func checkpointsChangeNoBit() throws {
    let kept = try Trainer(model)
    let again = try Trainer(model) { $0.recompute = true }
    #expect(try train(kept, 3) == train(again, 3))
    #expect(try identical(weights(kept), weights(again)))
  }

  @Test func aResumedRunIsTheRunThatNeverStopped() throws {
    let place = try TemporaryFolder()
    func make() throws -> Trainer {
      try Trainer(model) {
        $0.averageDecay = 0.9
        $0.schedule = .cosine
        $0.warmupSteps = 2
        $0.totalSteps = 8
        $0.weightDecay = 0.1
      }
    }
    let through = try make()
    _ = try train(through, 2)
    try through.save(place.url, keep: 2, note: "first")
    _ = try train(through, 1)
    try through.save(place.url, keep: 2, note: "shard \"a\"\n7")
    _ = try train(through, 1)
    try through.save(place.url, keep: 2)
    let names = try FileManager.default.contentsOfDirectory(atPath: place.url.path).sorted()
    #expect(names == ["step-00000000000000000003.safetensors", "step-00000000000000000004.safetensors"])
    _ = try train(through, 2)

    let later = try make()
    try later.resume(place.file(names[0]))
    #expect(later.note == "shard \"a\"\n7")
    _ = try train(later, 3)
    #expect(try identical(weights(through), weights(later)))
    #expect(
      try identical(through.all(.average, manifest), later.all(.average, manifest)))
    let last = try make()
    try last.resume(place.url)
    _ = try train(last, 2)
    #expect(try identical(weights(through), weights(last)))
  }

  @Test func aCheckpointThatDoesNotFitChangesNothing() throws {
    let place = try TemporaryFolder()
    let trainer = try Trainer(model)
    _ = try train(trainer, 1)
    #expect(throws: CLIPError.self) { try trainer.resume(place.url) }
    try trainer.save(place.url)
    let before = try weights(trainer)
    let other = try Trainer(model) { $0.seed = 9 }
    #expect(throws: CLIPError.self) { try other.resume(place.url) }
    let sgd = try Trainer(model) { $0.optimizer = .sgd }
    #expect(throws: CLIPError.self) { try sgd.resume(place.url) }
    let file = place.file("step-00000000000000000001.safetensors")
    let whole = try Data(contentsOf: file)
    try whole.prefix(whole.count - 5).write(to: file)
    #expect(throws: CLIPError.self) { try trainer.resume(place.url) }
    #expect(throws: CLIPError.self) { try trainer.resume(folder.file("open_clip_model.safetensors")) }
    #expect(try identical(before, weights(trainer)))
    #expect(throws: CLIPError.self) { try trainer.save(file) }
  }

  /// A header that lies, with the numbers as they were.
  private func doctored(_ file: URL, _ change: (inout String) -> Void) throws {
    let bytes = try Data(contentsOf: file)
    let count = bytes.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    var header = String(decoding: bytes[8..<(8 + count)], as: UTF8.self)
    change(&header)
    try Safetensors.framed(header: Data(header.utf8), body: bytes[(8 + count)...]).write(to: file)
  }

  @Test func aStepThatNoRunTakes() throws {
    let place = try TemporaryFolder()
    let trainer = try Trainer(model)
    _ = try train(trainer, 1)
    try trainer.save(place.url)
    let file = place.file("step-00000000000000000001.safetensors")
    for step in ["18446744073709551615", "9223372036854775808", "-1", "1e3", ""] {
      try trainer.save(place.url)
      try doctored(file) { $0 = $0.replacingOccurrences(of: #""step":"1""#, with: #""step":"\#(step)""#) }
      let failure = #expect(throws: CLIPError.self) { try trainer.resume(file) }
      #expect(failure?.status == .format, "\(step): \(String(describing: failure))")
    }
    try trainer.save(place.url)
    try doctored(file) { $0 = $0.replacingOccurrences(of: #""dtype":"F32""#, with: #""dtype":"I32""#) }
    let failure = #expect(throws: CLIPError.self) { try trainer.resume(file) }
    #expect(failure?.message.contains("F32 [") == true && failure?.message.contains("found I32 [") == true)
    #expect(try trainer.step(pixels: pixels, tokens: tokens).step == 2)
  }

  /// Checkpoints of later steps, as after going back to an earlier one, and other files stay.
  @Test func keepingFewRemovesEarlierOnesAlone() throws {
    let place = try TemporaryFolder()
    let later = "step-00000000000000000900.safetensors"
    let others = [later, "step-a-file-of-20-bytes-.safetensors", "weights.safetensors"]
    for name in others { try Data("x".utf8).write(to: place.file(name)) }
    let trainer = try Trainer(model)
    for _ in 0..<3 {
      _ = try train(trainer, 1)
      try trainer.save(place.url, keep: 1)
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: place.url.path).sorted()
    #expect(names == (others + ["step-00000000000000000003.safetensors"]).sorted())
  }

  @Test func exportsAreModels() throws {
    let place = try TemporaryFolder()
    let trainer = try Trainer(model) { $0.averageDecay = 0.5 }
    _ = try train(trainer, 2)
    for average in [false, true] {
      let target = place.file("model-\(average)")
      try trainer.export(target, average: average)
      let opened = try Trainer(Model(target))
      let kind = average ? Trainer.TensorKind.average : .weight
      #expect(try identical(trainer.all(kind, manifest), weights(opened)))
      let embeddings = try opened.model.encode(tokens: tokens)
      #expect(embeddings.allSatisfy { $0.isFinite })
    }
    #expect(throws: CLIPError.self) { try Trainer(model).export(place.file("none"), average: true) }
  }

  @Test func lossesFall() throws {
    let teacher = (0..<36).map { $0 % 7 == 0 ? Float(10) : 0 }
    let kinds: [[LossTerm]] = [
      [.init()], [.init(labelSmoothing: 0.1)], [.init(.sigmoid)], [.init(.distillation)],
      [.init(weight: 0.5), .init(.distillation, weight: 0.5)],
    ]
    for losses in kinds {
      let trainer = try Trainer(model, losses: losses) { $0.learningRate = 5e-3 }
      let found = try (0..<12).map { _ in try trainer.step(pixels: pixels, tokens: tokens, teacher: teacher).loss }
      #expect(found[11] < 0.7 * found[0], "\(losses): \(found)")
    }
    let untaught = try Trainer(model, losses: [.init(.distillation)])
    #expect(throws: CLIPError.self) { try untaught.step(pixels: pixels, tokens: tokens) }
    var spoilt = teacher
    spoilt[5] = .nan
    let failure = #expect(throws: CLIPError.self) { try untaught.step(pixels: pixels, tokens: tokens, teacher: spoilt) }
    #expect(failure?.status == .notFinite && failure?.message.contains("batch.teacher_logits") == true)
    // A caption that the teacher rules out.
    spoilt[5] = -.infinity
    #expect(try untaught.step(pixels: pixels, tokens: tokens, teacher: spoilt).loss.isFinite)
  }

  @Test func sgdFollowsTheGradient() throws {
    let trainer = try Trainer(model) {
      $0.optimizer = .sgd
      $0.learningRate = 0.01
      $0.beta1 = -1
    }
    let before = try weights(trainer)
    _ = try train(trainer, 1)
    let gradient = try trainer.all(.gradient, manifest)
    let after = try weights(trainer)
    #expect(maxDifference(after, zip(before, gradient).map { $0 - 0.01 * $1 }) < 1e-6)
  }

  /// Decay is for what has two sides in the file: SigLIP's probe lies there as [1, 1, width].
  @Test func decayIsForTensorsOfTwoSides() throws {
    let name = "hf-siglip-tiny"
    let model = try Model(ModelFolder.reference(name))
    let trainer = try Trainer(model) {
      $0.optimizer = .sgd
      $0.learningRate = 0.01
      $0.weightDecay = 0.5
      $0.beta1 = -1
    }
    let manifest = try Manifest(name)
    let tensors = manifest.tensors.filter { $0.rule != "count" }
    let before = try tensors.map { try trainer.read($0.name, .weight) }
    var numbers = Numbers(11)
    try trainer.step(
      pixels: numbers.floats(3 * model.imageNumbers),
      tokens: (0..<(3 * model.context)).map { _ in Int32(numbers.next() % 90) + 3 })
    for (tensor, before) in zip(tensors, before) where tensor.name != "logit_scale" {
      let decay: Float = tensor.shape.count >= 2 ? 0.5 : 0
      let gradient = try trainer.read(tensor.name, .gradient)
      let after = try trainer.read(tensor.name, .weight)
      let wanted = zip(before, gradient).map { $0 - 0.01 * ($1 + decay * $0) }
      #expect(maxDifference(after, wanted) < 1e-6, "\(tensor.name)")
    }
  }

  @Test func scheduleAndRates() throws {
    let trainer = try Trainer(model) {
      $0.schedule = .linear
      $0.warmupSteps = 2
      $0.totalSteps = 6
      $0.finalRate = 0.5
    }
    let rates = try (0..<8).map { _ in try trainer.step(pixels: pixels, tokens: tokens).learningRate / 1e-3 }
    let wanted = [0.5, 1, 1, 0.875, 0.75, 0.625, 0.5, 0.5]
    for (found, want) in zip(rates, wanted) { #expect(abs(found - want) < 1e-5) }
  }

  @Test func frozenTensorsStay() throws {
    let start = try weights(Trainer(model))
    let trainer = try Trainer(model, groups: [.init("visual.proj", rate: 2), .init("visual.*", rate: 0)])
    _ = try train(trainer, 3)
    for tensor in manifest.tensors {
      let now = try trainer.read(tensor.name, .weight)
      let then = try Trainer(model).read(tensor.name, .weight)
      #expect(
        identical(now, then) == (tensor.name.hasPrefix("visual.") && tensor.name != "visual.proj"), "\(tensor.name)")
    }
    #expect(throws: CLIPError.self) { try trainer.read("visual.conv1.weight", .gradient) }
    #expect(throws: CLIPError.self) { try Trainer(model, groups: [.init("*", rate: 0)]) }
    _ = start
  }

  @Test func lowRankUpdatesChangeTheirTargetsAlone() throws {
    let place = try TemporaryFolder()
    func make() throws -> Trainer {
      try Trainer(model, lowRank: .init(rank: 2, patterns: ["*.in_proj_weight"])) { $0.learningRate = 0.02 }
    }
    let trainer = try make()
    let losses = try train(trainer, 10)
    #expect(losses[9] < 0.9 * losses[0])
    let fresh = try Trainer(model)
    // The second factor starts at 0.
    let factor = "transformer.resblocks.0.attn.q_proj.weight.low_rank_b"
    #expect(try trainer.read(factor, .weight).contains { $0 != 0 })
    #expect(try trainer.read(factor, .gradient).contains { $0 != 0 })
    for tensor in manifest.tensors {
      let now = try trainer.read(tensor.name, .weight)
      let then = try fresh.read(tensor.name, .weight)
      #expect(identical(now, then) != tensor.name.hasSuffix(".in_proj_weight"), "\(tensor.name)")
    }
    try trainer.save(place.url)
    let later = try make()
    try later.resume(place.url)
    #expect(try train(trainer, 2) == train(later, 2))
    // Whatever else is learned, patterns that fit no matrix are what is told.
    for groups in [[], [TensorGroup("logit_scale", rate: 1)]] {
      do {
        _ = try Trainer(model, groups: groups, lowRank: .init(rank: 2, patterns: ["nothing", "ln_final.weight"]))
        Issue.record("there is no such matrix")
      } catch let failure as CLIPError {
        #expect(failure.status == .notFound)
        let words = #"options.low_rank_patterns: expected to fit a matrix, and fit none: "nothing", "ln_final.weight""#
        #expect(failure.message == words)
      }
    }
  }

  @Test func badBatchesLeaveTheWeights() throws {
    let trainer = try Trainer(model)
    _ = try train(trainer, 1)
    let before = try weights(trainer)
    var bad = pixels
    bad[model.imageNumbers * 2 + 3] = .nan
    do {
      try trainer.step(pixels: bad, tokens: tokens)
      Issue.record("a batch with NaN was taken")
    } catch let failure as CLIPError {
      #expect(failure.status == .notFinite)
      #expect(failure.message.contains("pixels"))
    }
    var ids = tokens
    ids[2] = 1 << 20
    #expect(throws: CLIPError.self) { try trainer.step(pixels: pixels, tokens: ids) }
    // Metrics that cannot be filled are known before the update.
    var batch = clip_train_batch()
    batch.struct_size = size(of: clip_train_batch.self)
    batch.n = 6
    var metrics = clip_train_metrics()
    let status = pixels.withUnsafeBufferPointer { pixels in
      tokens.withUnsafeBufferPointer { tokens in
        batch.pixels = pixels.baseAddress
        batch.tokens = tokens.baseAddress
        return clip_train_step(trainer.handle, &batch, &metrics)
      }
    }
    #expect(status == CLIP_INVALID_ARGUMENT)
    #expect(try identical(before, weights(trainer)))
    // One pair has nothing to tell it from: the loss is 0, and so is the gradient.
    let one = try trainer.step(
      pixels: Array(pixels.prefix(model.imageNumbers)), tokens: Array(tokens.prefix(model.context)))
    #expect(one.loss == 0 && one.accuracy == 1 && one.step == 2)
  }

  @Test func aNumberWhoseSquareIsTooLarge() throws {
    let manifest = try Manifest("train-rn-tiny")
    let trainer = try Trainer(Model(ModelFolder.reference("train-rn-tiny"), options: .withoutWeights))
    let before = try trainer.all(.weight, manifest)
    var pixels = ReferenceInputs.pixels("train-rn-tiny.0", n: 8, size: manifest.imageSize)
    let tokens = Array(try tokenIds(tensor("tokens", of: expected("train-rn-tiny")))[..<(8 * trainer.model.context)])
    pixels[100] = 1e25
    let failure = #expect(throws: CLIPError.self) { try trainer.step(pixels: pixels, tokens: tokens) }
    #expect(failure?.status == .notFinite && failure?.message.contains("visual.bn1.running_var") == true)
    #expect(try identical(before, trainer.all(.weight, manifest)))
  }

  @Test(arguments: [65, -1]) func countsThatAreNone(_ count: Int) throws {
    var term = clip_loss_term()
    var group = clip_tensor_group(pattern: nil, rate: 1)
    var trainer: OpaquePointer?
    for takesLosses in [true, false] {
      var options = clip_trainer_options()
      options.struct_size = size(of: clip_trainer_options.self)
      let status = withUnsafePointer(to: &term) { term in
        withUnsafePointer(to: &group) { group in
          options.losses = term
          options.groups = group
          options.loss_count = takesLosses ? count : 0
          options.group_count = takesLosses ? 0 : count
          return clip_trainer_create(model.handle, &options, &trainer)
        }
      }
      #expect(status == CLIP_INVALID_ARGUMENT && trainer == nil)
    }
  }

  @Test func oneTowerIsNotEnough() throws {
    let half = try Model(folder.url, towers: .text)
    #expect(throws: CLIPError.self) { try Trainer(half) }
    let empty = try Model(folder.url, options: .withoutWeights)
    #expect(throws: CLIPError.self) { try empty.encode(tokens: tokens) }
  }
}
