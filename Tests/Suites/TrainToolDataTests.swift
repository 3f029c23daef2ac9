import CClip
@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// What a run learns from: teachers, replayed pairs, epochs, batches.
extension TrainToolTests {
  @Test func teachersReplayAdaptersAndHeldOutPairs() throws {
    let result = try run(
      try command(
        "t",
        [
          "losses": [["kind": "contrastive", "label_smoothing": 0.1], ["kind": "distillation", "weight": 0.5]],
          "teacher": Paths.emoji.path, "replay": ["data": path("pairs.tar"), "share": 0.25],
          "text_pipeline": [["op": "case_noise"]],
          "lora": ["rank": 2, "patterns": ["*.mlp.c_fc.weight"]], "eval": ["data": path("pairs.tar"), "every": 10],
          "chunk": 2, "recompute": true, "steps": 20, "log_every": 5,
        ]) + ["--json"])
    #expect(result.code == 0, "\(result)")
    // Three of each four are new.
    #expect(result.json["samples"] as? Int == 60, "\(result)")
    let recalls = try log("t").filter { $0["eval/recall_at_1"] is Double }
    #expect(recalls.compactMap { $0["step"] as? Int } == [10, 20])
    #expect(try Model(folder.file("t/model")).width == 16)
  }

  /// Bad images that leave fewer batches than captions promised: the last step is told, logged and measured.
  @Test func epochsThatEndEarly() throws {
    var rows = "image,caption\n"
    for name in ["cat", "dog", "pizza", "rocket", "guitar", "rainbow"] {
      let file = "\(name).png"
      try FileManager.default.copyItem(atPath: ToolTests.example(file), toPath: path(file))
      rows += "\(file),a \(name)\nnowhere-\(file),nothing\n"
    }
    try Data(rows.utf8).write(to: folder.file("half.csv"))
    func early(_ output: String, _ changes: [String: Any]) throws -> (result: ToolTests.Result, log: [[String: Any]]) {
      var all: [String: Any] = [
        "data": path("half.csv"), "steps": NSNull(), "epochs": 1, "batch_size": 2, "log_every": 2,
        "eval": ["data": path("pairs.tar"), "every": 100],
      ]
      for (key, value) in changes { all[key] = value }
      let result = try run(try command(output, all) + ["--json"])
      #expect(
        result.code == 0 && result.json["finished"] as? Bool == true && result.json["steps"] as? Int == 3, "\(result)")
      #expect(result.errors.contains("step 3/6  loss"), "\(result)")
      return (result, try log(output))
    }
    func steps(_ log: [[String: Any]], _ key: String) -> [Int] {
      log.filter { $0[key] != nil }.compactMap { $0["step"] as? Int }
    }
    let (_, one) = try early("one", [:])
    #expect(steps(one, "loss") == [2, 3] && steps(one, "eval/recall_at_1") == [3], "\(one)")
    // What was due at the last step anyway is there once.
    let (result, two) = try early("two", ["log_every": 3, "eval": ["data": path("pairs.tar"), "every": 1]])
    #expect(steps(two, "loss") == [3] && steps(two, "eval/recall_at_1") == [1, 2, 3], "\(two)")
    #expect(result.errors.components(separatedBy: "step 3/6  loss").count == 2, "\(result)")
    let (_, three) = try early("three", ["eval": ["data": path("pairs.tar"), "every": 3]])
    #expect(steps(three, "loss") == [2, 3] && steps(three, "eval/recall_at_1") == [3], "\(three)")
    #expect(three.filter { $0["loss"] != nil }.allSatisfy { $0["samples_per_second"] as? Double ?? 0 > 0 }, "\(three)")
  }

  @Test func batchesOfOneAndBadData() throws {
    let one = try run(try command("one", ["batch_size": 1, "steps": 3]))
    #expect(one.code == 0, "\(one)")
    let bytes = try Data(contentsOf: folder.file("pairs.tar"))
    try bytes.prefix(bytes.count * 2 / 3).write(to: folder.file("cut.tar"))
    let cut = try run(try command("cut", ["data": path("cut.tar"), "steps": 4]) + ["--json"])
    #expect(cut.code == 0 && cut.json["damaged_shards"] as? Int ?? 0 > 0, "\(cut)")
    #expect(cut.errors.contains("cut short or damaged"))
    let rows = "image,caption\n" + (0..<120).map { "nowhere-\($0).png,nothing\n" }.joined()
    try Data(rows.utf8).write(to: folder.file("bad.csv"))
    let bad = try run(try command("bad", ["data": path("bad.csv")]))
    #expect(bad.code == 1 && bad.errors.contains("nowhere-"), "\(bad)")
  }

  /// A step whose loss is no number ends the run, with what was before it kept.
  @Test func lossesThatAreNoNumbers() throws {
    let changes: [String: Any] = [
      "optimizer": ["kind": "sgd", "learning_rate": 1e5, "gradient_clip": 0], "schedule": ["kind": "constant"],
      "steps": 200,
    ]
    let result = try run(try command("nan", changes))
    #expect(result.code == 1 && result.errors.contains("NaN or infinite"), "\(result)")
    #expect(result.errors.contains("--resume goes on after it"))
    #expect(try !FileManager.default.contentsOfDirectory(atPath: path("nan/checkpoints")).isEmpty)
  }
}
