import CClip
@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// `clip train` on twelve images and a model of a few thousand weights.
@Suite(.serialized) struct TrainToolTests {
  let folder: TemporaryFolder
  let model: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    var small = SmallModel()
    small.imageSize = 32
    model = try small.write()
    var tar = TarWriter()
    for name in try FileManager.default.contentsOfDirectory(atPath: ToolTests.examples.path).sorted()
    where !name.hasSuffix(".md") {
      tar.file(name, try Data(contentsOf: ToolTests.examples.appending(path: name)))
      tar.file("\(name.split(separator: ".")[0]).txt", Data("a \(name.split(separator: ".")[0])".utf8))
    }
    tar.end()
    try tar.bytes.write(to: folder.file("pairs.tar"))
  }

  func path(_ name: String) -> String { folder.file(name).path }

  /// Writes a configuration with `changes` over a small run's, and returns the arguments of its command.
  func command(_ output: String, _ changes: [String: Any] = [:]) throws -> [String] {
    var config: [String: Any] = [
      "model": model.url.path, "data": path("pairs.tar"), "output": path(output), "batch_size": 4, "steps": 30,
      "shuffle_buffer": 6, "seed": 3, "workers": 2, "threads": 2, "log_every": 1, "save_every": 10, "keep": 2,
      "average_decay": 0.9, "background": [255, 255, 255],
      "image_pipeline": [["op": "random_horizontal_flip"]],
      "optimizer": ["learning_rate": 2e-3, "gradient_clip": 1], "schedule": ["kind": "cosine", "warmup_steps": 1],
    ]
    for (key, value) in changes { config[key] = value is NSNull ? nil : value }
    let file = folder.file("\(output).json")
    try ModelFolder.writeJSON(config, to: file)
    return ["train", file.path]
  }

  func run(_ arguments: [String]) throws -> ToolTests.Result { try ToolTests().clip(arguments) }

  func log(_ output: String) throws -> [[String: Any]] {
    try String(contentsOf: folder.file("\(output)/log.jsonl"), encoding: .utf8).split(separator: "\n").map {
      try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] ?? [:]
    }
  }

  func weights(_ output: String) throws -> Data {
    try Data(contentsOf: folder.file("\(output)/model/open_clip_model.safetensors"))
  }

  @Test func aRunFromItsConfiguration() throws {
    let result = try run(try command("a") + ["--json"])
    #expect(result.code == 0 && result.json["finished"] as? Bool == true, "\(result)")
    #expect(result.json["steps"] as? Int == 30 && result.json["samples"] as? Int == 120)
    let lines = try log("a")
    #expect(lines.compactMap { $0["step"] as? Int } == Array(1...30))
    let losses = lines.compactMap { $0["loss"] as? Double }
    let ends: (Double, Double) = (losses.prefix(5).reduce(0, +), losses.suffix(5).reduce(0, +))
    #expect(ends.1 < ends.0 * 0.9, "\(losses)")
    for key in ["accuracy", "temperature", "learning_rate", "gradient_norm", "epoch", "samples_per_second"] {
      #expect(lines.allSatisfy { $0[key] is NSNumber }, "\(key)")
    }
    #expect(result.errors.contains("step 30/30"))
    let saved = try FileManager.default.contentsOfDirectory(atPath: path("a/checkpoints")).sorted()
    #expect(saved == ["step-00000000000000000020.safetensors", "step-00000000000000000030.safetensors"])
    #expect(try Model(folder.file("a/model")).width == 16)
    let config = try jsonObject(at: folder.file("a/config.json"))
    #expect(config["seed"] as? Int == 3 && config["drop_last"] as? Bool == true)
    let curves = try String(contentsOf: folder.file("a/curves.svg"), encoding: .utf8)
    #expect(curves.hasPrefix("<svg ") && curves.hasSuffix("</svg>\n"))
    #expect(
      curves.components(separatedBy: "<g").count == curves.components(separatedBy: "</g>").count, "groups are closed")
    // A folder with a run in it is not written over.
    let again = try run(try command("a"))
    #expect(again.code == 1 && again.errors.contains("--resume"), "\(again)")
  }

  /// CRC32C bit by bit, masked.
  private func checksum(_ bytes: Data) -> UInt32 {
    var sum = ~UInt32(0)
    for byte in bytes {
      sum ^= UInt32(byte)
      for _ in 0..<8 { sum = sum >> 1 ^ (sum & 1 == 1 ? 0x82F6_3B78 : 0) }
    }
    sum = ~sum
    return (sum >> 15 | sum << 17) &+ 0xA282_EAD8
  }

  @Test func eventsAreTensorBoards() throws {
    #expect(try run(try command("e")).code == 0)
    let names = try FileManager.default.contentsOfDirectory(atPath: path("e")).filter {
      $0.hasPrefix("events.out.tfevents.")
    }
    #expect(names.count == 1)
    let file = [UInt8](try Data(contentsOf: folder.file("e/\(names.first ?? "")")))
    func word(_ at: Int, _ count: Int) -> UInt64 { (0..<count).reduce(0) { $0 | UInt64(file[at + $1]) << (8 * $1) } }
    var (at, events): (Int, [Data]) = (0, [])
    while at + 12 <= file.count {
      let length = Int(word(at, 8))
      #expect(UInt32(word(at + 8, 4)) == checksum(Data(file[at..<at + 8])))
      let event = Data(file[(at + 12)..<(at + 12 + length)])
      #expect(UInt32(word(at + 12 + length, 4)) == checksum(event))
      events.append(event)
      at += 16 + length
    }
    #expect(at == file.count && events.count == 31)
    #expect(events.first?.range(of: Data("brain.Event:2".utf8)) != nil)
    // After a tag, the key of a float and its four bytes.
    let losses = events.dropFirst().compactMap { event -> Float? in
      guard let tag = event.range(of: Data("train/loss".utf8)), event[tag.upperBound] == 0x15 else { return nil }
      return Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(event[tag.upperBound + 1 + $1]) << (8 * $1) })
    }
    #expect(try losses == log("e").compactMap { ($0["loss"] as? Double).map { Float($0) } })
    for tag in ["train/accuracy", "train/temperature", "train/learning_rate", "train/gradient_norm"] {
      #expect(events.last?.range(of: Data(tag.utf8)) != nil, "\(tag)")
    }
  }

  /// Starts a run and sends `signal` once its log has some lines. Returns how it ended.
  private func interrupt(_ arguments: [String], _ output: String, _ signal: Int32) throws -> (
    code: Int32, errors: String
  ) {
    let process = Process()
    let errors = folder.file("\(output).err")
    try Data().write(to: errors)
    process.executableURL = Paths.build.appending(path: "bin/clip")
    process.arguments = arguments
    process.standardOutput = FileHandle.nullDevice
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
    let log = folder.file("\(output)/log.jsonl")
    while process.isRunning, (try? Data(contentsOf: log))?.filter({ $0 == 10 }).count ?? 0 < 13 { usleep(2000) }
    kill(process.processIdentifier, signal)
    process.waitUntilExit()
    return (process.terminationStatus, try String(contentsOf: errors, encoding: .utf8))
  }

  @Test(arguments: [SIGINT, SIGTERM, SIGKILL]) func aStoppedRunGoesOnAsIfItHadNot(_ signal: Int32) throws {
    let long: [String: Any] = ["steps": 600, "save_every": 5]
    let whole = try run(try command("whole", long))
    #expect(whole.code == 0, "\(whole)")
    let arguments = try command("cut", long)
    let stopped = try interrupt(arguments, "cut", signal)
    #expect(stopped.code == (signal == SIGKILL ? SIGKILL : 130), "\(stopped)")
    #expect(signal == SIGKILL || stopped.errors.contains("\(arguments[1]) --resume"), "\(stopped)")
    #expect(!FileManager.default.fileExists(atPath: path("cut/model")))
    let resumed = try run(arguments + ["--resume", "--set", "workers=1", "--threads", "1"])
    #expect(resumed.code == 0, "\(resumed)")
    #expect(try weights("whole") == weights("cut"))
    let (first, second) = (try log("whole"), try log("cut"))
    #expect(first.map { $0["loss"] as? Double } == second.map { $0["loss"] as? Double })
    #expect(second.compactMap { $0["step"] as? Int } == Array(1...600))
  }

  @Test func nothingElseMayChangeBeforeItGoesOn() throws {
    #expect(try run(try command("n", ["steps": 4])).code == 0)
    let other = try run(try command("n", ["steps": 4]) + ["--resume", "--batch-size", "3"])
    #expect(
      other.code == 1 && other.errors.contains("batch_size") && other.errors.contains("has 4, found 3"), "\(other)")
    let none = try run(try command("none") + ["--resume"])
    #expect(none.code == 1 && none.errors.contains("expected a run to go on with"), "\(none)")
    // A run that is over is not trained further, and may be made longer.
    #expect(try run(try command("n", ["steps": 4]) + ["--resume"]).code == 0)
    #expect(try run(try command("n", ["steps": 6]) + ["--resume"]).code == 0)
    #expect(try log("n").compactMap { $0["step"] as? Int } == Array(1...6))
  }

  @Test(arguments: [
    (#"{"bach_size": 3}"#, "\"bach_size\" is no key here; there are model"),
    (#"{"batch_size": "3"}"#, "batch_size: expected a whole number from 1 to 65536, found \"3\""),
    (#"{"batch_size": 0}"#, "batch_size: expected a whole number"),
    (#"{"batch_size": 2.5}"#, "batch_size: expected a whole number"),
    (#"{"optimizer": {"kind": "adam"}}"#, "optimizer: kind: expected one of adamw, sgd, found \"adam\""),
    (#"{"optimizer": {"beta1": 1.5}}"#, "optimizer: beta1: expected a number from 0.0"),
    (#"{"optimizer": 3}"#, "optimizer: expected an object, found 3"),
    (
      #"{"schedule": {"warm_up": 3}}"#, "schedule: \"warm_up\" is no key here; there are kind, warmup_steps, final_rate"
    ),
    (#"{"schedule": {"warmup_steps": 30}}"#, "warmup_steps: expected fewer than the run's 30 steps, found 30"),
    (#"{"losses": [{"kind": "distillation"}]}"#, "teacher: expected a model's folder"),
    (#"{"losses": [{"weight": -1}]}"#, "losses[0]: weight"),
    (#"{"groups": [{"rate": 1}]}"#, "groups[0]: expected the key pattern"),
    (#"{"freeze": [3]}"#, "freeze[0]: expected a text"),
    (#"{"freeze": ["visual.*", "visal.*"]}"#, #"expected to fit a tensor, and fits none: "visal.*""#),
    (#"{"freeze": "*"}"#, "all parameters are frozen"),
    (#"{"lora": {"rank": 2, "patterns": ["nothing"]}}"#, #"expected to fit a matrix, and fit none: "nothing""#),
    (#"{"shard": "2/2"}"#, "shard: expected \"i/n\""),
    (#"{"background": [1, 2]}"#, "background: expected [red, green, blue]"),
    (#"{"epochs": 2}"#, "expected epochs or steps, found 2 epochs and 30 steps"),
    (#"{"replay": {"data": "x.tar", "share": 0.01}}"#, "replay: a share of 0.01"),
    (#"{"image_pipeline": [{"op": "nope"}]}"#, "image_pipeline: pipeline[0]: unknown op"),
    (#"{"image_pipeline": "nowhere.json"}"#, "cannot open nowhere.json"),
    (#"{"model": "/nowhere"}"#, "/nowhere"),
    (#"{"data": "/nowhere.tar"}"#, "/nowhere.tar"),
    (#"{"data": "/nowhere.tar", "from_scratch": true}"#, "/nowhere.tar"),
    (#"{"data": []}"#, "expected the key data"),
    (#"{"steps": 0, "epochs": 1, "batch_size": 50}"#, "12 pairs: expected at least a batch of 50"),
    (#"{"eval": {"data": "/nowhere.tar"}}"#, "/nowhere.tar"),
  ]) func badConfigurations(_ changes: String, _ message: String) throws {
    var changes = try JSONSerialization.jsonObject(with: Data(changes.utf8)) as? [String: Any] ?? [:]
    if changes["from_scratch"] != nil {
      let bare = folder.file("bare")
      try FileManager.default.copyItem(at: model.url, to: bare)
      try FileManager.default.removeItem(at: bare.appending(path: "open_clip_model.safetensors"))
      changes["model"] = bare.path
    }
    let result = try run(try command("bad", changes))
    #expect(result.code == 1 && result.errors.contains(message), "\(result)")
    // No folder is left, and one that was there stays.
    #expect(!FileManager.default.fileExists(atPath: path("bad")))
    try FileManager.default.createDirectory(at: folder.file("bad"), withIntermediateDirectories: true)
    try Data("mine".utf8).write(to: folder.file("bad/notes"))
    #expect(try run(try command("bad", changes)).code == 1)
    #expect(try Data(contentsOf: folder.file("bad/notes")) == Data("mine".utf8))
  }

  @Test func filesThatAreNoConfiguration() throws {
    for (text, message) in [
      ("", "expected JSON"), ("[]", "expected an object"), (#"{"seed": 1, "seed": 2}"#, "duplicate"),
      ("{}", "expected the key model"),
      (String(repeating: "[", count: 100_000), "expected JSON"),
      (#"{"model": "# + String(repeating: "[", count: 70) + String(repeating: "]", count: 70) + "}", "64 deep"),
    ] {
      try Data(text.utf8).write(to: folder.file("x.json"))
      let result = try run(["train", path("x.json")])
      #expect(result.code == 1 && result.errors.contains(message), "\(result)")
    }
    #expect(try run(["train", path("x.json"), "--set", "seed"]).code == 2)
  }

  /// What cannot be written to is known before the first step.
  @Test func aFolderThatIsReadOnly() throws {
    try Data().write(to: folder.file("file"))
    for place in ["/proc/run", path("file/run")] {
      let result = try run(try command("r", ["output": place]))
      #expect(result.code == 1 && result.errors.contains(place) && !result.errors.contains("step 1"), "\(result)")
    }
  }

  @Test func optionsOverrideTheConfiguration() throws {
    let result = try run(
      try command("o") + [
        "--steps", "3", "--batch-size", "2", "--learning-rate", "1e-4", "--seed", "9", "--set", "optimizer.kind=sgd",
        "--set",
        "schedule={\"kind\": \"constant\"}", "--json",
      ])
    #expect(result.code == 0 && result.json["steps"] as? Int == 3 && result.json["samples"] as? Int == 6, "\(result)")
    let config = try jsonObject(at: folder.file("o/config.json"))
    #expect((config["optimizer"] as? [String: Any])?["kind"] as? String == "sgd")
    #expect(try log("o").allSatisfy { abs(($0["learning_rate"] as? Double ?? 0) - 1e-4) < 1e-9 })
    let epochs = try run(try command("p") + ["--epochs", "2", "--batch-size", "5", "--json"])
    // Twelve pairs are two batches of five; what is left is dropped, or is a batch of its own.
    #expect(epochs.json["steps"] as? Int == 4, "\(epochs)")
    let all = try run(try command("q") + ["--epochs", "2", "--batch-size", "5", "--set", "drop_last=false", "--json"])
    #expect(all.json["steps"] as? Int == 6 && all.json["samples"] as? Int == 24, "\(all)")
  }

  @Test func fromScratch() throws {
    let bare = try ModelFolder.copy(of: model.url)
    try FileManager.default.removeItem(at: bare.file("open_clip_model.safetensors"))
    func start(_ output: String, _ seed: Int) throws -> [String: [Float]] {
      let changes: [String: Any] = ["model": bare.url.path, "from_scratch": true, "seed": seed, "steps": 2]
      let result = try run(try command(output, changes))
      #expect(result.code == 0, "\(result)")
      return try Safetensors.read(folder.file("\(output)/start/open_clip_model.safetensors")).mapValues { $0.floats }
    }
    let weights = try start("one", 1)
    #expect(try weights == start("same", 1))
    #expect(try weights != start("other", 2))
    func deviation(_ name: String) -> Float {
      let values = weights[name] ?? [.nan]
      return (values.map { $0 * $0 }.reduce(0, +) / Float(values.count)).squareRoot()
    }
    // open_clip's, of a width of 32 and one layer.
    for (name, expected) in [
      ("token_embedding.weight", 0.02), ("positional_embedding", 0.01), ("visual.positional_embedding", 0.1768),
      ("transformer.resblocks.0.attn.in_proj_weight", 0.1768),
      ("visual.transformer.resblocks.0.attn.out_proj.weight", 0.125),
      ("transformer.resblocks.0.mlp.c_fc.weight", 0.125), ("transformer.resblocks.0.mlp.c_proj.weight", 0.125),
      ("visual.proj", 0.1768), ("ln_final.weight", 1), ("ln_final.bias", 0),
      ("transformer.resblocks.0.attn.in_proj_bias", 0),
    ] as [(String, Float)] {
      #expect(abs(deviation(name) - expected) <= expected * 0.12, "\(name): \(deviation(name))")
    }
    #expect(abs(deviation("logit_scale") - 2.6593) < 1e-4)
    // Weights that are there are never written over.
    let runtime = try Runtime()
    withExtendedLifetime(runtime) {
      #expect(clip_model_initialize(runtime.handle, model.url.path, 1) == CLIP_INVALID_ARGUMENT)
      #expect(String(cString: clip_last_error()).contains("open_clip_model.safetensors"))
    }
  }

  @Test(arguments: [
    "hf-vit-tiny", "hf-siglip-tiny", "vit-tiny", "rn-tiny", "multiscale", "bert-tiny",
  ]) func drawnWeightsFitEveryLayout(_ name: String) throws {
    let runtime = try Runtime()
    let copy = try ModelFolder.copy(of: ModelFolder.reference(name))
    let files = try FileManager.default.contentsOfDirectory(atPath: copy.url.path).filter {
      $0.hasSuffix(".safetensors")
    }
    let file = copy.file(try #require(files.first))
    let before = try Safetensors.read(file)
    try FileManager.default.removeItem(at: file)
    try Model.initialize(copy.url.path, seed: 5, runtime: runtime)
    let after = try Safetensors.read(file)
    // Hugging Face has the matrices of SigLIP's pooling head joined, here they are apart: either is read.
    let isJoined = { (name: String) in name.contains(".head.attention.") }
    for (name, tensor) in before
    where !isJoined(name)
      && !["position_ids", "num_batches_tracked", "attn_mask"].contains(where: { name.hasSuffix($0) })
    {
      #expect(after[name]?.floats.count == tensor.data.count / 4, "\(name)")
    }
    #expect(after.keys.allSatisfy { before[$0] != nil || isJoined($0) })
    let model = try Model(copy.url, runtime: runtime)
    guard model.info.towers.contains(.image) else { return }
    var numbers = Numbers(1)
    #expect(try model.encode(pixels: numbers.floats(2 * model.imageNumbers)).allSatisfy { $0.isFinite })
  }

  @Test func callsWithoutTheirArguments() throws {
    let runtime = try Runtime()
    let trainer = try Trainer(Model(model.url, runtime: runtime))
    withExtendedLifetime((runtime, trainer)) {
      #expect(clip_model_initialize(nil, "x", 0) == CLIP_INVALID_ARGUMENT)
      #expect(clip_model_initialize(runtime.handle, nil, 0) == CLIP_INVALID_ARGUMENT)
      #expect(clip_model_initialize(runtime.handle, "/nowhere", 0) == CLIP_NOT_FOUND)
      #expect(clip_trainer_tensors_visit(nil, { _, _, _, _ in 0 }, nil) == CLIP_INVALID_ARGUMENT)
      #expect(clip_trainer_tensors_visit(trainer.handle, nil, nil) == CLIP_INVALID_ARGUMENT)
    }
  }

  @Test func aDryRunTellsWhatWouldBeTrained() throws {
    let result = try run(
      try command("d", ["freeze": "visual.*", "epochs": 3, "steps": NSNull()]) + ["--dry-run", "--json"])
    #expect(result.code == 0 && result.json["steps"] as? Int == 9, "\(result)")
    let tensors = result.json["tensors"] as? [[String: Any]] ?? []
    #expect(tensors.count == SmallModel().manifest.tensors.count)
    #expect(tensors.allSatisfy { ($0["rate"] as? Double == 0) == ($0["name"] as? String ?? "").hasPrefix("visual.") })
    let trained = tensors.filter { $0["rate"] as? Double != 0 }.compactMap { $0["count"] as? Int }.reduce(0, +)
    #expect(result.json["trained_parameters"] as? Int == trained && trained > 0)
    #expect(try run(try command("d", ["from_scratch": true]) + ["--dry-run"]).text.contains("30 steps of 4 pairs"))
    #expect(!FileManager.default.fileExists(atPath: path("d")))
  }

  @Test func frozenTowersStay() throws {
    #expect(try run(try command("f", ["freeze": "visual.*", "average_decay": 0])).code == 0)
    let before = try Safetensors.read(model.file("open_clip_model.safetensors"))
    let after = try Safetensors.read(folder.file("f/model/open_clip_model.safetensors"))
    for (name, tensor) in before {
      #expect((try after[name]?.floats == tensor.floats) == name.hasPrefix("visual."), "\(name)")
    }
  }
}
