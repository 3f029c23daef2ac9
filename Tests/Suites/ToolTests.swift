@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// The clip tool as a person or a script runs it.
@Suite struct ToolTests {
  struct Result {
    let code: Int32
    let out: Data
    let errors: String
    var text: String { String(decoding: out, as: UTF8.self) }
    var json: [String: Any] { (try? JSONSerialization.jsonObject(with: out)) as? [String: Any] ?? [:] }
  }

  static let model = ["--model", Paths.emoji.path]
  static let examples = Paths.root.appending(path: "Examples/images")
  static func example(_ name: String) -> String { examples.appending(path: name).path }

  func clip(_ arguments: [String], input: String = "") throws -> Result {
    let folder = try TemporaryFolder()
    let (out, errors, source) = (folder.file("out"), folder.file("err"), folder.file("in"))
    for file in [out, errors] { try Data().write(to: file) }
    try Data(input.utf8).write(to: source)
    let process = Process()
    process.executableURL = Paths.build.appending(path: "bin/clip")
    process.arguments = arguments
    process.standardInput = try FileHandle(forReadingFrom: source)
    process.standardOutput = try FileHandle(forWritingTo: out)
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
    process.waitUntilExit()
    return Result(
      code: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
      out: try Data(contentsOf: out), errors: try String(contentsOf: errors, encoding: .utf8))
  }

  @Test(arguments: [
    [], ["no-such-command"], ["embed"], ["classify"], ["search"], ["tokenize"], ["info"], ["info", "a", "b"],
    ["classify", "--model", "m"], ["classify", "--model", "m", "a.png"], ["tokenize", "text"],
    ["embed", "--model", "m", "--text", "t"], ["embed", "--model", "m", "--text", "t", "--output", "x.txt"],
    ["plugins", "--no-such-flag"], ["info", "--threads", "0", "m"], ["info", "--threads", "many", "m"],
  ]) func wrongWordsAre2(_ arguments: [String]) throws {
    let result = try clip(arguments)
    // Alone, the tool explains itself.
    #expect(result.code == (arguments.isEmpty ? 0 : 2), "\(result)")
    #expect(arguments.isEmpty || !result.errors.isEmpty)
    #expect(arguments.isEmpty || result.out.isEmpty)
  }

  @Test func helpAndVersion() throws {
    for arguments in [["--help"], ["--version"], ["embed", "--help"], ["classify", "--help"]] {
      let result = try clip(arguments)
      #expect(result.code == 0 && !result.text.isEmpty && result.errors.isEmpty, "\(arguments): \(result)")
    }
  }

  /// Every command, option and argument has a description; a default is one of the values where these are listed.
  @Test func everyOptionIsDescribed() throws {
    var options = 0
    func check(_ command: [String: Any], _ path: String) {
      let name = path + " " + (command["commandName"] as? String ?? "")
      if name.hasSuffix(" help") { return }
      #expect(!(command["abstract"] as? String ?? "").isEmpty, "\(name)")
      for option in command["arguments"] as? [[String: Any]] ?? [] where option["shouldDisplay"] as? Bool != false {
        options += 1
        #expect(!(option["abstract"] as? String ?? "").isEmpty, "\(name): \(option)")
        guard let values = option["allValues"] as? [String], let usual = option["defaultValue"] as? String else {
          continue
        }
        #expect(values.contains(usual), "\(name): \(option)")
      }
      for sub in command["subcommands"] as? [[String: Any]] ?? [] { check(sub, name) }
    }
    check(try #require(try clip(["--experimental-dump-help"]).json["command"] as? [String: Any]), "")
    #expect(options > 100)
  }

  @Test func workThatFailsIs1() throws {
    for arguments in [
      ["info", "/nowhere"], ["tokenize", "--model", "/nowhere", "text"],
      ["classify", "--model", "/nowhere", Self.example("cat.png"), "--label", "cat"],
      ["search", "--index", "/nowhere/index", "cat"], ["duplicates", "--index", "/nowhere/index"],
      ["index", "--index", "/nowhere/index"] + Self.model + [Self.examples.path],
      ["embed"] + Self.model + ["--text", "t", "--output", "/nowhere/x.npy"],
      ["tokenize"] + Self.model + [String(repeating: "word ", count: 100)],
    ] {
      let result = try clip(arguments)
      #expect(result.code == 1 && !result.errors.isEmpty, "\(arguments): \(result)")
    }
  }

  @Test func infoAndPlugins() throws {
    let info = try clip(["info", Paths.emoji.path, "--json"])
    #expect(info.code == 0 && info.json["embedding_width"] as? Int == 128, "\(info)")
    #expect(info.json["layout"] as? String == "open_clip")
    #expect((info.json["text"] as? [String: Any])?["context_length"] as? Int == 24)
    let plugins = try clip(["plugins", "--json"])
    let ids = (plugins.json["plugins"] as? [[String: Any]] ?? []).compactMap { $0["id"] as? String }
    #expect(plugins.code == 0)
    for id in ["clipcore.encoder.clip-vit", "clipcore.encoder.clip-text", "clipcore.codec.png"] {
      #expect(ids.contains(id), "\(ids)")
    }
    #expect(try clip(["info", Paths.emoji.path]).text.contains("128"))
    let listed = try clip(["plugins"]).text
    #expect(listed.contains("clipcore.codec.jpeg"))
    // What waits for a model that needs it is listed, and not loaded for that.
    let waiting = plugins.json["on_demand"] as? [String] ?? []
    #expect(
      waiting.map { URL(filePath: $0).lastPathComponent }
        == [
          "codec_gif.so", "codec_heif.so", "codec_jxl.so", "codec_tiff.so", "kernels_openblas.so",
          "neighbours_faiss.so", "tokenizer_subword.so",
        ],
      "\(plugins)")
    #expect(!ids.contains("clipcore.tokenizer.subword"))
    #expect(
      listed.split(separator: "\n").contains { $0.contains("on demand") && $0.contains("tokenizer_subword.so") })
  }

  @Test func tokenizes() throws {
    let model = try Model(Paths.emoji)
    let texts = ["a cat", "two dogs", ""]
    let result = try clip(["tokenize", "--json"] + Self.model + texts)
    #expect(result.code == 0, "\(result)")
    let rows = (result.json["texts"] as? [[String: Any]] ?? []).compactMap { $0["tokens"] as? [Int] }
    #expect(rows == (try model.tokenize(texts)).map { $0.map(Int.init) })
    let long = String(repeating: "word ", count: 100)
    let cut = try clip(["tokenize", "--json", "--truncate"] + Self.model + [long])
    #expect(cut.code == 0 && ((cut.json["texts"] as? [[String: Any]])?.first?["tokens"] as? [Int])?.count == 24)
  }

  @Test func classifiesAndSearches() throws {
    let result = try clip(
      ["classify", "--json"] + Self.model + [Self.example("cat.png"), Self.example("sailboat.jpg")]
        + ["--label", "cat", "--label", "sailboat", "--label", "pizza"])
    #expect(result.code == 0, "\(result)")
    let rows = result.json["images"] as? [[String: Any]] ?? []
    let best = rows.compactMap { ($0["labels"] as? [[String: Any]])?.first?["label"] as? String }
    #expect(best == ["cat", "sailboat"], "\(result.text)")

    let folder = try TemporaryFolder()
    let index = ["--index", folder.file("index").path]
    let indexed = try clip(["index", "--json"] + index + Self.model + [Self.examples.path])
    #expect(indexed.code == 0 && indexed.json["added"] as? Int == 12, "\(indexed)")
    let search = try clip(["search", "--json"] + index + ["rainbow"])
    let found = search.json["results"] as? [[String: Any]] ?? []
    #expect(search.code == 0 && found.count == 10 && found.first?["rank"] as? Int == 1, "\(search)")
    #expect(found.first?["image"] as? String == Self.example("rainbow.png"))
    let table = try clip(["search"] + index + ["rainbow"])
    let first = table.text.split(separator: "\n").first {
      $0.contains(".png") || $0.contains(".jpg") || $0.contains(".webp")
    }
    #expect(first?.contains("rainbow.png") == true, "\(table.text)")
    // Piped, there is no progress bar.
    #expect(table.errors.isEmpty)
  }

  @Test func embedsToEachFormat() throws {
    let folder = try TemporaryFolder()
    let paths = ["cat.png", "snowman.jpg", "penguin.webp"].map(Self.example)
    let texts = ["a cat", "snow"]
    try Data("third line\nfourth\n".utf8).write(to: folder.file("texts.txt"))
    let input = paths.flatMap { ["--image", $0] } + texts.flatMap { ["--text", $0] }

    let runtime = try Runtime()
    let model = try Model(Paths.emoji, runtime: runtime)
    let images = try model.encode(images: paths.map { try runtime.load(URL(filePath: $0)) })
    let captions = try model.encode(texts: texts + ["third line", "fourth"])

    let safetensors = folder.file("x.safetensors")
    let one = try clip(
      ["embed"] + Self.model + input + ["--text-file", folder.file("texts.txt").path, "--output", safetensors.path])
    #expect(one.code == 0, "\(one)")
    let stored = try Safetensors.read(safetensors)
    let image = try tensor("image_embeds", of: stored), text = try tensor("text_embeds", of: stored)
    #expect(image.shape == [3, 128] && text.shape == [4, 128])
    #expect(maxDifference(image.floats, images) <= 1e-6)
    #expect(maxDifference(text.floats, captions) <= 1e-6)

    let npy = folder.file("x.npy")
    #expect(try clip(["embed"] + Self.model + ["--text"] + texts + ["--output", npy.path]).code == 0)
    let bytes = try Data(contentsOf: npy)
    #expect(bytes.prefix(6) == Data([0x93]) + Data("NUMPY".utf8))
    let header = Int(bytes[8]) | Int(bytes[9]) << 8
    #expect((10 + header) % 64 == 0)
    #expect(String(decoding: bytes[10..<10 + header], as: UTF8.self).contains("'shape': (2, 128)"))
    let numbers = StoredTensor(dtype: "F32", shape: [2, 128], data: Data(bytes[(10 + header)...])).floats
    #expect(maxDifference(numbers, Array(captions.prefix(256))) <= 1e-6)

    let lines = folder.file("x.jsonl")
    #expect(try clip(["embed"] + Self.model + input + ["--output", lines.path]).code == 0)
    let rows = try String(contentsOf: lines, encoding: .utf8).split(separator: "\n").map {
      try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] ?? [:]
    }
    #expect(rows.count == 5)
    let first = (rows.first?["embedding"] as? [Double] ?? []).map(Float.init)
    #expect(maxDifference(first, Array(images.prefix(128))) <= 1e-6)
  }

  @Test func aBadImageIsSkipped() throws {
    let folder = try TemporaryFolder()
    let files = FileManager.default
    try files.copyItem(atPath: Self.example("cat.png"), toPath: folder.file("a.png").path)
    try Data("no image".utf8).write(to: folder.file("b.png"))
    try files.copyItem(atPath: Self.example("dog.png"), toPath: folder.file("c.png").path)
    let output = folder.file("x.safetensors")
    let result = try clip(["embed", "--json"] + Self.model + ["--image", folder.url.path, "--output", output.path])
    #expect(result.code == 1, "\(result)")
    #expect(result.errors.contains("b.png"))
    #expect((result.json["skipped"] as? [Any])?.count == 1)
    #expect(try tensor("image_embeds", of: Safetensors.read(output)).shape == [2, 128])
    let index = try clip(["index", "--index", folder.file("index").path] + Self.model + [folder.url.path])
    #expect(index.code == 1 && index.text.contains("2 added") && index.errors.contains("b.png"), "\(index)")
    // Nothing left to work on.
    let none = try clip(["classify"] + Self.model + [folder.file("b.png").path, "--label", "cat"])
    #expect(none.code == 1)
  }

  @Test func readsTextsFromStandardInput() throws {
    let folder = try TemporaryFolder()
    let output = folder.file("x.npy")
    let result = try clip(["embed"] + Self.model + ["--text-file", "-", "--output", output.path], input: "cat\ndog\n")
    #expect(result.code == 0, "\(result)")
    #expect(try Data(contentsOf: output).count % 64 == 0)
  }

  @Test func augmentsImagesOnASheet() throws {
    let folder = try TemporaryFolder()
    let (sheet, again) = (folder.file("sheet.png"), folder.file("again.png"))
    let image = Paths.image("coffee.png").path
    let result = try clip(["augment", image, "--seed", "3", "--count", "5", "--output", sheet.path, "--json"])
    #expect(result.code == 0, "\(result)")
    // Three columns and two rows of 224 pixels, 4 between.
    #expect(result.json["width"] as? Int == 3 * 228 + 4 && result.json["height"] as? Int == 2 * 228 + 4)
    let read = try Runtime().load(sheet)
    #expect(read.width == 688 && read.height == 460 && read.format.channels == 3)
    #expect(read.bytes[0] == 40)
    let pipeline = folder.file("p.json")
    try Data("\"default\"".utf8).write(to: pipeline)
    let named = [
      "augment", image, "--pipeline", pipeline.path, "--seed", "3", "--count", "5", "--output", again.path,
    ]
    #expect(try clip(named).code == 0)
    #expect(try Data(contentsOf: sheet) == Data(contentsOf: again))
    // An image larger than a cell is shrunk.
    let large = try clip(["augment", image, "--pipeline", "[]", "--count", "1", "--output", again.path, "--json"])
    #expect(large.json["width"] as? Int == 256 + 8, "\(large)")
  }

  /// With --white the variants are those that training with a white background gets.
  @Test(arguments: ["rgba8.png", "gray-alpha8.png", "palette-alpha.png", "rgb8.png", "alpha.webp"])
  func augmentsImagesOverWhite(_ name: String) throws {
    let folder = try TemporaryFolder()
    let image = Paths.fixtures.appending(path: "codecs/\(name)")
    try FileManager.default.copyItem(at: image, to: folder.file(name))
    try Data("a".utf8).write(to: folder.file(name.split(separator: ".")[0] + ".txt"))
    let runtime = try Runtime()
    let json = #"[{"op": "random_rotation", "degrees": [20, 40], "fill": 9}]"#
    let pipeline = try Pipeline(json, runtime)
    let options = DatasetOptions {
      ($0.seed, $0.imagePipeline, $0.encode.background, $0.flags) = (
        5, pipeline, .white, .images
      )
    }
    let want = try Dataset([folder.url.path], options, runtime: runtime).rest()
    let sheet = folder.file("sheet.png")
    func pixels(_ more: [String]) throws -> [UInt8] {
      let arguments = [
        "augment", folder.file(name).path, "--pipeline", json, "--seed", "5", "--count", "1", "--output", sheet.path,
      ]
      let result = try clip(arguments + more)
      #expect(result.code == 0, "\(result)")
      let read = try runtime.load(sheet)
      // The image without the 4 around it.
      return (4..<read.height - 4).flatMap { y in
        read.bytes[3 * (y * read.width + 4)..<3 * (y * read.width + read.width - 4)]
      }
    }
    #expect(try pixels(["--white"]) == want.first?.image)
    #expect(try (pixels([]) == want.first?.image) == (name == "rgb8.png"))
  }

  @Test func augmentRefuses() throws {
    let image = Self.example("cat.png")
    for arguments in [
      [], [image], [image, "--output", "x.jpg"], [image, "--text", "t", "--output", "x.png"], ["--text", "t"],
      [image, "--count", "0", "--output", "x.png"], ["--text", "t", "--pipeline", "[]", "--white"],
    ] {
      #expect(try clip(["augment"] + arguments).code == 2, "\(arguments)")
    }
    let folder = try TemporaryFolder()
    let unknown = try clip([
      "augment", image, "--pipeline", "[{\"op\": \"nope\"}]", "--output", folder.file("x.png").path,
    ])
    #expect(unknown.code == 1 && unknown.errors.contains("random_resized_crop"), "\(unknown)")
    let lines = try clip(["augment", "--text", "a cat", "--pipeline", "[]", "--count", "3"])
    #expect(lines.code == 0 && lines.text == "a cat\na cat\na cat\n", "\(lines)")
  }
}
