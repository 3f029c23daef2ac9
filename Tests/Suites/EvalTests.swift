@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// `clip eval` against numbers worked out here from the embeddings, `clip export`, and what both refuse.
@Suite(.serialized) struct EvalTests {
  let place: TemporaryFolder
  let runtime: Runtime
  let model: Model
  static let images = ["bicycle", "cat", "dog", "guitar", "pizza", "rainbow", "rocket", "strawberry"]
  static let arguments = ["eval"] + ToolTests.model

  init() throws {
    place = try TemporaryFolder()
    runtime = try Runtime()
    model = try Model(Paths.emoji, runtime: runtime)
  }

  func clip(_ arguments: [String]) throws -> ToolTests.Result { try ToolTests().clip(arguments) }

  func write(_ name: String, _ text: String) throws -> String {
    try Data(text.utf8).write(to: place.file(name))
    return place.file(name).path
  }

  /// Pairs with several captions each, some of them shared: a folder of images and JSON.
  func writePairs() throws -> (path: String, captions: [[String]]) {
    let folder = place.file("pairs")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    var captions: [[String]] = []
    for (index, name) in Self.images.enumerated() {
      let own = ["a \(name)", name, index % 2 == 0 ? "a thing" : "image \(index)"]
      captions.append(own)
      try FileManager.default.copyItem(
        atPath: ToolTests.example("\(name).png"), toPath: folder.appending(path: "\(name).png").path)
      // A caption that is there twice counts once.
      try ModelFolder.writeJSON(
        ["name": own[0], "words": [own[1], own[2], own[1]]], to: folder.appending(path: "\(name).json"))
    }
    return (folder.path, captions)
  }

  func embedImages() throws -> [Float] {
    try model.encode(images: Self.images.map { try runtime.load(URL(filePath: ToolTests.example("\($0).png"))) })
  }

  func cosine(_ a: [Float], _ i: Int, _ b: [Float], _ j: Int) -> Float {
    (0..<model.width).reduce(0) { $0 + a[i * model.width + $1] * b[j * model.width + $1] }
  }

  /// The rank of the best own candidate among those that are not own, which win when they are equal.
  func rank(_ scores: [Float], own: Set<Int>) -> Int {
    let best = own.map { scores[$0] }.max() ?? 0
    return 1 + scores.indices.count { !own.contains($0) && scores[$0] >= best - 1e-6 }
  }

  @Test func retrievalWithSeveralCaptions() throws {
    let (path, captions) = try writePairs()
    let flat = captions.flatMap { $0 }
    let images = try embedImages()
    let texts = try model.encode(texts: flat)
    let toText = captions.indices.map { image in
      rank(flat.indices.map { cosine(images, image, texts, $0) }, own: Set(3 * image..<3 * image + 3))
    }
    let toImage = flat.indices.map { text in
      rank(captions.indices.map { cosine(texts, text, images, $0) }, own: [text / 3])
    }
    let result = try clip(
      Self.arguments + ["--data", path, "--caption-fields", "name", "words", "--json", "--batch", "3"])
    #expect(result.code == 0, "\(result)")
    #expect(result.json["images"] as? Int == 8 && result.json["captions"] as? Int == 24)
    for (key, ranks) in [("image_to_text", toText), ("text_to_image", toImage)] {
      let found = result.json[key] as? [String: Any] ?? [:]
      let count = Double(ranks.count)
      for k in [1, 5, 10] {
        #expect(found["recall_at_\(k)"] as? Double == Double(ranks.count { $0 <= k }) / count, "\(key) \(k) \(ranks)")
      }
      let reciprocal = ranks.reduce(0) { $0 + 1 / Double($1) } / count
      #expect(abs((found["mean_reciprocal_rank"] as? Double ?? 0) - reciprocal) < 1e-12)
      let sorted = ranks.sorted()
      #expect(found["median_rank"] as? Double == Double(sorted[(ranks.count - 1) / 2] + sorted[ranks.count / 2]) / 2)
    }
    let table = try clip(Self.arguments + ["--data", path, "--caption-fields", "name", "words"])
    #expect(
      table.code == 0 && table.text.contains("8 images, 24 captions, 0 left out") && table.text.contains("MRR"),
      "\(table)")
  }

  @Test func samplesAreSeeded() throws {
    let (path, _) = try writePairs()
    func run(_ seed: Int, _ limit: Int) throws -> String {
      try clip(
        Self.arguments + [
          "--data", path, "--caption-fields", "words", "--limit", "\(limit)", "--seed", "\(seed)", "--json",
        ]
      ).text
    }
    #expect(try run(1, 4) == run(1, 4))
    #expect(try Set((1...6).map { try run($0, 4) }).count > 1)
    #expect(try run(1, 4).contains("\"images\": 4") && run(1, 100).contains("\"images\": 8"))
  }

  /// Folders of classes; embeddings of a class are the mean over templates.
  @Test func zeroShotWithTemplates() throws {
    let root = place.file("classes")
    let labels = ["cat", "dog", "pizza", "rainbow"]
    for (index, name) in Self.images.enumerated() {
      let folder = root.appending(path: labels[index % 4])
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        atPath: ToolTests.example("\(name).png"), toPath: folder.appending(path: "\(name).png").path)
    }
    let names = ["cat", "dog", "pizza", "a rainbow", "sea", "star"]
    let templates = ["a photo of {}", "{}!", "{} and {}"]
    let images = try embedImages()
    let width = model.width
    var classes: [Float] = []
    for name in names {
      let texts = try model.encode(texts: templates.map { $0.replacingOccurrences(of: "{}", with: name) })
      let mean = (0..<width).map { column in (0..<3).reduce(0.0) { $0 + Double(texts[$1 * width + column]) } }
      let length = mean.reduce(0) { $0 + $1 * $1 }.squareRoot()
      classes += mean.map { Float($0 / length) }
    }
    let ranks = Self.images.indices.map { image in
      rank(names.indices.map { cosine(images, image, classes, $0) }, own: [image % 4])
    }
    let labelled = ["cat": "cat", "dog": "dog", "pizza": "pizza", "rainbow": "a rainbow", "sea": "sea", "star": "star"]
    // By hand, since a dictionary has no order.
    let list =
      labels.map { "\"\($0)\": \"\(labelled[$0] ?? "")\"" }.joined(separator: ", ")
      + ", \"sea\": \"sea\", \"star\": \"star\""
    let json = try write(
      "classes.json", "{\"classes\": {\(list)}, \"templates\": [\"a photo of {}\", \"{}!\", \"{} and {}\"]}")
    let result = try clip(Self.arguments + ["--data", root.path, "--zero-shot", json, "--per-class", "--json"])
    #expect(result.code == 0, "\(result)")
    func share(_ k: Int, _ of: [Int]) -> Double { Double(of.count { $0 <= k }) / Double(of.count) }
    #expect(
      result.json["top_1"] as? Double == share(1, ranks) && result.json["top_5"] as? Double == share(5, ranks),
      "\(result.text) \(ranks)")
    #expect(result.json["templates"] as? Int == 3 && result.json["classes"] as? Int == 6)
    let each = result.json["per_class"] as? [[String: Any]] ?? []
    #expect(each.map { $0["class"] as? String ?? "" } == labels + ["sea", "star"])
    for index in 0..<4 {
      #expect(each[index]["images"] as? Int == 2)
      #expect(each[index]["top_1"] as? Double == share(1, [ranks[index], ranks[index + 4]]))
    }
    #expect(each.last?["images"] as? Int == 0)
    let mean = (0..<4).reduce(0.0) { $0 + share(1, [ranks[$1], ranks[$1 + 4]]) } / 4
    #expect(abs((result.json["mean_per_class"] as? Double ?? -1) - mean) < 1e-12)

    // The same from a field of the data, templates from a file, and a plain list.
    let table = place.file("table.csv")
    var rows = "image,kind\n"
    for (index, name) in Self.images.enumerated() {
      rows += "classes/\(labels[index % 4])/\(name).png,\(labels[index % 4])\n"
    }
    try Data(rows.utf8).write(to: table)
    let file = try write("templates.txt", "a photo of {}\n\n{}!\r\n{} and {}\n")
    let other = try clip(
      Self.arguments + [
        "--data", table.path, "--label-field", "kind", "--zero-shot", json, "--templates", file, "--json",
      ])
    #expect(other.json["top_1"] as? Double == share(1, ranks) && other.json["images"] as? Int == 8, "\(other)")
    let plain = try clip(
      Self.arguments + [
        "--data", root.path, "--zero-shot", try write("list.txt", "cat\ndog\npizza\nrainbow\n"), "--limit", "5",
        "--per-class",
      ])
    #expect(plain.code == 0 && plain.text.contains("5 images, 0 left out; 4 classes, 1 template"), "\(plain)")
  }

  /// Archives as WebDataset has them, with a class in each sample's .cls: by name, or by its place in the list.
  @Test func zeroShotOfArchives() throws {
    let root = place.file("root")
    for name in Self.images {
      let folder = root.appending(path: name)
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        atPath: ToolTests.example("\(name).png"), toPath: folder.appending(path: "\(name).png").path)
    }
    let list = try write("list.txt", Self.images.joined(separator: "\n"))
    func evaluate(_ arguments: [String]) throws -> ToolTests.Result {
      try clip(Self.arguments + ["--zero-shot", list, "--per-class", "--json"] + arguments)
    }
    let want = try evaluate(["--data", root.path])
    #expect(want.code == 0 && want.json["images"] as? Int == 8, "\(want)")
    func archive(_ labels: [String]) throws -> String {
      var tar = TarWriter()
      for (index, name) in Self.images.enumerated() {
        tar.file("\(index).png", try Data(contentsOf: URL(filePath: ToolTests.example("\(name).png"))))
        tar.file("\(index).cls", Data(labels[index].utf8))
      }
      tar.end()
      try tar.bytes.write(to: place.file("set.tar"))
      return place.file("set.tar").path
    }
    let numbers = Self.images.indices.map { "\($0)\n" }
    for labels in [numbers, Self.images, ["00", "01"] + Self.images[2...]] {
      let found = try evaluate(["--data", archive(labels)])
      #expect(found.code == 0 && found.text == want.text, "\(found) \(want)")
      #expect(try evaluate(["--data", archive(labels), "--label-field", "cls"]).text == want.text)
    }
    for label in ["8", "-1", "1.0", "9999999999999999999999", "fish"] {
      let found = try evaluate(["--data", archive(numbers.prefix(5) + [label] + numbers.suffix(2))])
      #expect(found.code == 1 && found.errors.contains("5: class \"\(label)\" is not among the 8 classes"), "\(found)")
    }
    // In another field a number is a name.
    try Data("image,kind\nroot/cat/cat.png,1\n".utf8).write(to: place.file("numbers.csv"))
    let named = try evaluate(["--data", place.file("numbers.csv").path, "--label-field", "kind"])
    #expect(named.code == 1 && named.errors.contains("class \"1\" is not among"), "\(named)")
  }

  /// The options that both commands have mean the same in both.
  @Test func analysisOfTheSamePairs() throws {
    let (path, _) = try writePairs()
    let options = [
      "--data", path, "--caption-fields", "name", "--seed", "4", "--white", "--openai-cleaning", "--batch", "3",
      "--json",
    ]
    let eval = try clip(Self.arguments + options)
    let analysis = try clip(["analyze"] + ToolTests.model + options + ["--report", place.file("report").path])
    #expect(eval.code == 0 && analysis.code == 0, "\(eval) \(analysis)")
    let recall = (eval.json["image_to_text"] as? [String: Any])?["recall_at_1"] as? Double
    let captions = (analysis.json["captions"] as? [[String: Any]])?.first
    #expect(
      (captions?["image_to_text"] as? [String: Any])?["recall_at_1"] as? Double == recall && recall != nil,
      "\(analysis.text)")
    for command in [Self.arguments, ["analyze"] + ToolTests.model + ["--report", "x"]] {
      let none = try clip(command)
      #expect(none.code == 2 && none.errors.contains("--data"), "\(none)")
    }
  }

  @Test func refusals() throws {
    let (path, _) = try writePairs()
    let root = place.file("root")
    let folder = root.appending(path: "cat")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      atPath: ToolTests.example("cat.png"), toPath: folder.appending(path: "cat.png").path)
    let list = try write("list.txt", "cat\ndog\n")
    func refused(_ code: Int32, _ words: String, _ arguments: [String], line: Int = #line) throws {
      let result = try clip(Self.arguments + arguments)
      #expect(result.code == code && result.errors.contains(words) && result.out.isEmpty, "line \(line): \(result)")
    }
    try refused(2, "--data", [])
    try refused(2, "--limit", ["--data", path, "--limit", "0"])
    try refused(2, "--zero-shot", ["--data", path, "--per-class"])
    try refused(2, "--label-field", ["--data", root.path, "--zero-shot", list, "--caption-fields", "name"])
    try refused(1, "expected classes", ["--data", root.path, "--zero-shot", try write("empty.txt", "\n \n")])
    try refused(1, "there twice", ["--data", root.path, "--zero-shot", try write("twice.txt", "cat\ndog\ncat\n")])
    try refused(1, "\"cat\" is not among", ["--data", root.path, "--zero-shot", try write("other.txt", "dog\nfish\n")])
    try refused(
      1, "expected {}", ["--data", root.path, "--zero-shot", list, "--templates", try write("t.txt", "a photo\n")])
    try refused(
      1, "expected templates", ["--data", root.path, "--zero-shot", list, "--templates", try write("n.txt", "")])
    try refused(1, "cannot open", ["--data", root.path, "--zero-shot", "/nowhere"])
    try refused(1, "UTF-8", ["--data", root.path, "--zero-shot", try write("nul.txt", "a\u{0}b\n")])
    try refused(1, "one folder a class", ["--data", path, "--zero-shot", list])
    for (words, json) in [
      ("expected JSON", "{\"classes\": ["), ("classes", "{}"), ("expected classes", "{\"classes\": []}"),
      ("expected names", "{\"classes\": [1]}"),
      ("a name is empty", "{\"classes\": {\"a\": \"\"}}"),
      ("expected {}", "{\"classes\": [\"cat\"], \"templates\": [\"x\"]}"),
      ("no key", "{\"classes\": [\"cat\"], \"class\": 1}"), ("templates", "{\"classes\": [\"cat\"], \"templates\": 3}"),
    ] {
      try refused(1, words, ["--data", root.path, "--zero-shot", try write("bad.json", json)])
    }
    // An image that cannot be read is told, and the others count.
    try Data("none".utf8).write(to: folder.appending(path: "bad.png"))
    let result = try clip(Self.arguments + ["--data", root.path, "--zero-shot", list, "--json"])
    #expect(
      result.code == 1 && result.json["images"] as? Int == 1 && result.json["left_out"] as? Int == 1, "\(result)")
  }

  @Test func exportCommand() throws {
    let small = try SmallModel().write()
    let (there, back) = (place.file("there").path, place.file("back").path)
    let one = try clip([
      "export", "--model", small.url.path, "--output", there, "--layout", "huggingface", "--storage", "f16", "--json",
    ])
    #expect(
      one.code == 0 && one.json["layout"] as? String == "huggingface" && one.json["storage"] as? String == "f16",
      "\(one)")
    #expect(try clip(["export", "--model", there, "--output", back, "--layout", "open_clip"]).code == 0)
    #expect(try clip(["info", back]).text.contains("open_clip"))
    let trainer = try Trainer(Model(small.url)) { $0.averageDecay = 0.5 }
    let inputs = ConsistencyTests.Inputs(trainer.model, count: 3)
    try trainer.step(pixels: inputs.pixels, tokens: inputs.tokens)
    try trainer.save(place.file("checkpoints"))
    try trainer.export(place.file("want"), average: true)
    let trained = try clip(
      [
        "export", "--model", small.url.path, "--checkpoint", place.file("checkpoints").path, "--average", "--output",
        place.file("got").path,
      ])
    #expect(trained.code == 0, "\(trained)")
    let name = "open_clip_model.safetensors"
    #expect(
      try Data(contentsOf: place.file("want").appending(path: name))
        == Data(contentsOf: place.file("got").appending(path: name)))
    // A file beyond the shell's limit, like a disk that is full: an error, and the model that was there stays. The
    // limit leaves room for plugins, which are copied as they are loaded.
    let before = try Data(contentsOf: place.file("got").appending(path: name))
    let process = Process()
    process.executableURL = URL(filePath: "/bin/bash")
    process.arguments = [
      "-c", "ulimit -f 4000; exec \"$0\" export --model \"$1\" --output \"$2\" 2> \"$3\"",
      Paths.build.appending(path: "bin/clip").path, Paths.emoji.path, place.file("got").path, place.file("errors").path,
    ]
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 1)
    #expect(try String(contentsOf: place.file("errors"), encoding: .utf8).contains("File too large"))
    #expect(try Data(contentsOf: place.file("got").appending(path: name)) == before)
    let left = try FileManager.default.contentsOfDirectory(atPath: place.url.path).sorted()
    #expect(left == ["back", "checkpoints", "errors", "got", "there", "want"])
    for (code, arguments) in [
      (2, ["export"]), (2, ["export", "--model", there]),
      (2, ["export", "--model", there, "--output", back, "--layout", "onnx"]),
      (2, ["export", "--model", there, "--output", back, "--storage", "int8"]),
      (2, ["export", "--model", there, "--output", back, "--average"]),
      (1, ["export", "--model", "/nowhere", "--output", back]),
      (1, ["export", "--model", there, "--output", "/nowhere/model"]),
      (1, ["export", "--model", there, "--checkpoint", "/nowhere", "--output", back]),
      (1, ["export", "--model", Paths.emoji.path, "--output", back, "--layout", "huggingface"]),
    ] as [(Int32, [String])] {
      let result = try clip(arguments)
      #expect(result.code == code && !result.errors.isEmpty, "\(arguments): \(result)")
    }
  }
}
