@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// Configurations and tokenizer files that are not what they should be.
@Suite struct MalformedConfigTests {
  /// A file's whole new text, or the JSON of one key at a path with dots; nil removes the key.
  enum Spoil: Sendable {
    case text(String)
    case key(String, String?)
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let model: String
    let file: String
    let spoil: Spoil
    var testDescription: String {
      switch spoil {
      case .text(let text): "\(model) \(file): \(text.prefix(40))"
      case .key(let key, let value): "\(model) \(file): \(key) = \(value ?? "absent")"
      }
    }
  }

  static let badTexts = [
    "", "{", "[]", "null", "3", "\"text\"", "{}", "{\"a\": 1,}", "{'a': 1}", "\u{feff}", "{\"a\":1}{\"a\":1}",
    String(repeating: "[", count: 100_000), "{\"a\":" + String(repeating: "{\"a\":", count: 100_000),
    "{\"a\": \"\u{0}\"}", "{\"a\": 1e999999}",
  ]

  static func keys(_ model: String, _ file: String, _ table: [(String, [String?])]) -> [Case] {
    table.flatMap { key, values in values.map { Case(model: model, file: file, spoil: .key(key, $0)) } }
  }

  /// What no size may be.
  static let badSizes: [String?] = ["0", "-1", "1.5", "\"64\"", "true", "[]", "2147483648", "1099511627776", "1e30"]

  static let openClip: [Case] =
    keys(
      "vit-tiny", "open_clip_config.json",
      [
        ("model_cfg", [nil, "3", "[]"]), ("model_cfg.embed_dim", badSizes + [nil, "33"]),
        ("model_cfg.vision_cfg", [nil, "\"ViT\"", "5"]), ("model_cfg.text_cfg", [nil, "[]"]),
        ("model_cfg.vision_cfg.image_size", badSizes + ["60", "[64, 64, 64]"]),
        ("model_cfg.vision_cfg.layers", badSizes + ["2", "4", "[1, 2]"]),
        ("model_cfg.vision_cfg.width", badSizes + ["65", "48"]),
        ("model_cfg.vision_cfg.head_width", ["0", "-16", "15", "128", "\"16\""]),
        ("model_cfg.vision_cfg.patch_size", badSizes + ["7", "32", "1000000"]),
        ("model_cfg.text_cfg.context_length", badSizes + ["64"]),
        ("model_cfg.text_cfg.vocab_size", badSizes + ["1023", "1025"]),
        ("model_cfg.text_cfg.width", badSizes + ["47"]), ("model_cfg.text_cfg.heads", badSizes + ["5", "96"]),
        ("model_cfg.text_cfg.layers", badSizes + ["3"]), ("model_cfg.quick_gelu", ["\"yes\"", "7"]),
        ("preprocess_cfg.mean", ["[0.5, 0.5]", "\"0.5\"", "[0.5, \"0.5\", 0.5]", "[0.1, 0.1, 0.1, 0.1]"]),
        ("preprocess_cfg.std", ["[0.5, 0.0, 0.5]", "[0.5, 0.5]", "[0.5, 0.5, \"x\"]"]),
        ("preprocess_cfg.interpolation", ["\"no such filter\"", "3"]),
        ("preprocess_cfg.resize_mode", ["\"no such mode\"", "1"]), ("preprocess_cfg.size", ["\"64\"", "-64"]),
      ]) + badTexts.map { Case(model: "vit-tiny", file: "open_clip_config.json", spoil: .text($0)) }

  static let resnet: [Case] = keys(
    "rn-tiny", "open_clip_config.json",
    [
      (
        "model_cfg.vision_cfg.layers",
        ["[1,1,1]", "[1,1,1,0]", "[1,1,1,-1]", "[1,1,1,1,1]", "[1,1,1,\"1\"]", "[1,1,1,2]", "[1,1,1,4294967297]"]
      ),
      ("model_cfg.vision_cfg.width", badSizes + ["17", "32"]),
      ("model_cfg.vision_cfg.image_size", badSizes + ["63", "32"]),
    ])

  static let huggingFace: [Case] =
    keys(
      "hf-vit-tiny", "config.json",
      [
        ("text_config", ["3"]), ("vision_config", ["[\"x\"]"]), ("projection_dim", badSizes + ["31"]),
        ("model_type", ["\"bert\"", "3"]), ("vision_config.hidden_size", badSizes + ["63", "32"]),
        ("vision_config.num_attention_heads", badSizes + ["5"]),
        ("vision_config.num_hidden_layers", badSizes + ["2", "4"]), ("vision_config.patch_size", badSizes + ["7"]),
        ("vision_config.image_size", badSizes + ["65"]), ("vision_config.num_channels", ["4", "1", "0"]),
        ("vision_config.hidden_act", ["\"no such function\"", "3"]),
        ("text_config.hidden_act", ["\"no such function\"", "3"]),
        ("vision_config.intermediate_size", badSizes + ["255"]), ("text_config.vocab_size", badSizes + ["1023"]),
        ("text_config.max_position_embeddings", badSizes + ["33"]),
        ("text_config.num_attention_heads", badSizes + ["5"]), ("text_config.intermediate_size", ["191"]),
        ("text_config.layer_norm_eps", ["\"small\"", "-1"]),
      ])
    + keys(
      "hf-vit-tiny", "preprocessor_config.json",
      [
        ("image_mean", ["[0.5, 0.5]", "\"0.5\"", "[0.5, \"x\", 0.5]"]), ("image_std", ["[0.0, 0.5, 0.5]", "[0.5]"]),
        ("resample", ["99", "-1", "\"bicubic!\""]),
        ("size", ["\"64\"", "-1", "{\"shortest_edge\": -1}", "{\"shortest_edge\": \"x\"}"]),
        ("crop_size", ["-64", "\"64\"", "32"]),
      ])
    + badTexts.map { Case(model: "hf-vit-tiny", file: "config.json", spoil: .text($0)) }
    + badTexts.filter { $0 != "{}" }.map {
      Case(model: "hf-vit-tiny", file: "preprocessor_config.json", spoil: .text($0))
    }

  static let tokenizer: [Case] =
    // An empty vocabulary is a sound file: the merges say what they miss.
    badTexts.filter { $0 != "{}" }.map { Case(model: "vit-tiny", file: "vocab.json", spoil: .text($0)) }
    + keys(
      "vit-tiny", "vocab.json",
      [
        ("<|startoftext|>", [nil, "-1", "1.5", "\"1022\"", "5000"]),
        ("<|endoftext|>", [nil, "-1", "1.5", "\"1023\"", "1099511627776"]),
        ("a", ["-1", "1.5", "\"64\"", "1099511627776"]), ("one more", ["1024"]),
      ])
    + ["#version: 0.2\nonlyone\n", "#version: 0.2\na b c d\n"]
    .map { Case(model: "vit-tiny", file: "merges.txt", spoil: .text($0)) }

  func spoil(_ item: Case) throws -> TemporaryFolder {
    let folder = try ModelFolder.copy(of: ModelFolder.reference(item.model))
    let url = folder.file(item.file)
    switch item.spoil {
    case .text(let text): try Data(text.utf8).write(to: url)
    case .key(let path, let value):
      // A vocabulary's words may hold dots; a path of a configuration is cut at them.
      let parts = item.file == "vocab.json" ? [path] : path.split(separator: ".").map(String.init)
      let json = try value.map { try JSONSerialization.jsonObject(with: Data($0.utf8), options: .fragmentsAllowed) }
      try editJSON(url) { root in set(json, at: parts[...], in: &root) }
    }
    return folder
  }

  private func set(_ value: Any?, at path: ArraySlice<String>, in object: inout [String: Any]) {
    guard let key = path.first else { return }
    if path.count == 1 {
      object[key] = value
    } else {
      var inner = object[key] as? [String: Any] ?? [:]
      set(value, at: path.dropFirst(), in: &inner)
      object[key] = inner
    }
  }

  @Test(arguments: openClip + resnet + huggingFace + tokenizer) func isRefused(_ item: Case) throws {
    let folder = try spoil(item)
    let failure = try #require(throws: CLIPError.self) { try Model(folder.url) }
    let statuses = [
      CLIPStatus.format, CLIPStatus.mismatch, CLIPStatus.unsupported, CLIPStatus.limit, CLIPStatus.notFound,
      CLIPStatus.plugin,
    ]
    #expect(statuses.contains(failure.status), "\(failure)")
    #expect(!failure.message.isEmpty)
    // An empty vocabulary shows in the merges that need its words.
    let files = item.file == "vocab.json" ? ["vocab.json", "merges.txt"] : [item.file]
    if failure.status == .format { #expect(files.contains { failure.message.contains($0) }, "\(failure)") }
  }

  /// Files of bytes that are not UTF-8, and keys given twice.
  @Test func bytesAndDuplicates() throws {
    for file in ["open_clip_config.json", "vocab.json"] {
      let folder = try ModelFolder.copy(of: ModelFolder.reference("vit-tiny"))
      let url = folder.file(file)
      let good = try Data(contentsOf: url)
      for bad in [Data([0xff, 0xfe]) + good, good.dropLast() + Data([0xc3, 0x7d]), Data(good.prefix(good.count / 2))] {
        try Data(bad).write(to: url)
        let failure = #expect(throws: CLIPError.self) { try Model(folder.url) }
        #expect(
          failure?.status == .format && failure?.message.contains(file) == true, "\(String(describing: failure))")
      }
      let text = String(decoding: good, as: UTF8.self)
      let key = file == "vocab.json" ? "\"a\":64" : "\"embed_dim\":32"
      #expect(text.contains(key))
      try Data(text.replacing(key, with: "\(key),\(key)", maxReplacements: 1).utf8).write(to: url)
      let twice = #expect(throws: CLIPError.self) { try Model(folder.url) }
      #expect(twice?.status == .format, "\(String(describing: twice))")
    }
  }

  /// Everything a file can say, said at random: opens or does not, and never crashes.
  @Test func randomBytesInSmallFiles() throws {
    var numbers = Numbers(5)
    for file in ["open_clip_config.json", "vocab.json", "merges.txt", "tokenizer_config.json"] {
      let folder = try ModelFolder.copy(of: ModelFolder.reference("vit-tiny"))
      let url = folder.file(file)
      let good = try Data(contentsOf: url)
      for _ in 0..<60 {
        var bad = good
        for _ in 0..<(1 + numbers.next() % 3) {
          bad[Int(numbers.next() % UInt64(good.count))] = UInt8(truncatingIfNeeded: numbers.next())
        }
        try bad.write(to: url)
        do {
          let model = try Model(folder.url)
          _ = try? model.encode(texts: ["a photo of a cat"])
        } catch let failure as CLIPError { #expect(!failure.message.isEmpty) }
      }
    }
  }

  @Test func tokenIdsOutOfRange() throws {
    let model = try Model(ModelFolder.reference("vit-tiny"))
    for id in [Int32(-1), 1024, 1025, .max, .min] {
      for position in [0, 1, model.context - 1] {
        var tokens = [1022, 5, 1023] + [Int32](repeating: 0, count: model.context - 3)
        tokens[position] = id
        let failure = #expect(throws: CLIPError.self, "\(id) at \(position)") { try model.encode(tokens: tokens) }
        #expect(
          failure?.status == .invalidArgument && failure?.message.contains("\(id)") == true,
          "\(String(describing: failure))")
      }
    }
  }
}
