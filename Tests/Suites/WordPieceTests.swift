@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// BERT's tokenizer, from both kinds of files, in a small BERT.
@Suite struct WordPieceTests {
  struct Case: Decodable {
    let text: String
    let ids: [Int32]
  }

  static func cases() throws -> [Case] {
    let text = try String(
      contentsOf: Paths.fixtures.appending(path: "tokenizer/wordpiece/cases.jsonl"), encoding: .utf8)
    return try text.split(separator: "\n").map { try JSONDecoder().decode(Case.self, from: Data($0.utf8)) }
  }

  /// tokenizer.json as `tokenizers` writes it for vocab.txt.
  static func fast(_ vocabulary: [String]) -> [String: Any] {
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    func id(_ token: String) -> Int { vocabulary.firstIndex(of: token) ?? -1 }
    func named(_ token: String) -> [String: Any] { ["SpecialToken": ["id": token, "type_id": 0]] }
    return [
      "version": "1.0", "truncation": ["max_length": 128], "padding": NSNull(),
      "added_tokens": special.map {
        [
          "id": id($0), "content": $0, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
          "special": true,
        ]
      },
      "normalizer": [
        "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": NSNull(),
        "lowercase": true,
      ],
      "pre_tokenizer": ["type": "BertPreTokenizer"],
      "post_processor": [
        "type": "TemplateProcessing",
        "single": [named("[CLS]"), ["Sequence": ["id": "A", "type_id": 0]], named("[SEP]")],
        "special_tokens": [
          "[CLS]": ["id": "[CLS]", "ids": [id("[CLS]")], "tokens": ["[CLS]"]],
          "[SEP]": ["id": "[SEP]", "ids": [id("[SEP]")], "tokens": ["[SEP]"]],
        ],
      ],
      "decoder": ["type": "WordPiece", "prefix": "##", "cleanup": true],
      "model": [
        "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
        "vocab": Dictionary(uniqueKeysWithValues: vocabulary.enumerated().map { ($0.element, $0.offset) }),
      ],
    ]
  }

  static func vocabulary() throws -> [String] {
    try String(contentsOf: Paths.fixtures.appending(path: "tokenizer/wordpiece/vocab.txt"), encoding: .utf8)
      .split(separator: "\n").map(String.init)
  }

  @Test func casesFromTheList() throws {
    let folder = try TextModel(.bert).write()
    let model = try Model(folder.url)
    let cases = try Self.cases()
    #expect(cases.count > 200)
    for item in cases { #expect(try model.tokenize([item.text]) == [item.ids], "\(item.text.debugDescription)") }
    #expect(try model.tokenize(cases.map(\.text)) == cases.map(\.ids))
    // Its one way of cleaning does not depend on a flag that is about another tokenizer.
    #expect(try model.tokenize(cases.map(\.text), options: .init(openAICleaning: true)) == cases.map(\.ids))
  }

  @Test(arguments: [false, true]) func casesFromTokenizerJSON(bertProcessing: Bool) throws {
    let folder = try TextModel(.bert).write()
    var json = Self.fast(try Self.vocabulary())
    if bertProcessing {
      json["post_processor"] =
        ["type": "BertProcessing", "sep": ["[SEP]", 102], "cls": ["[CLS]", 101]] as [String: Any]
    }
    try FileManager.default.removeItem(at: folder.file("vocab.txt"))
    try ModelFolder.writeJSON(json, to: folder.file("tokenizer.json"))
    let model = try Model(folder.url)
    for item in try Self.cases() {
      #expect(try model.tokenize([item.text]) == [item.ids], "\(item.text.debugDescription)")
    }
  }

  /// What `tokenizers` gives for texts and settings beyond the cases.
  @Test func settings() throws {
    let texts = [
      "Café ÀB 猫x", "[CLS]a[mask] [MASK]", "a\u{300}\u{1DC0}b", "x\u{61D}y", "a\u{85}b\u{2028}c\u{B}d", "\u{1734}",
      "İSTANBUL ΟΔΟΣ",
    ]
    let table: [([String: Any], [[Int32]])] = [
      (
        [:],
        [
          [101, 7668, 11113, 100, 1060, 102], [101, 101, 1037, 1031, 7308, 1033, 103, 102], [101, 11113, 102],
          [101, 100, 102], [101, 11113, 3729, 102], [101, 102], [101, 9960, 1169, 29722, 29730, 29733, 102],
        ]
      ),
      (
        ["do_lower_case": false, "tokenize_chinese_chars": false],
        [
          [101, 100, 100, 100, 102], [101, 101, 1037, 1031, 7308, 1033, 103, 102], [101, 100, 102], [101, 100, 102],
          [101, 11113, 3729, 102], [101, 100, 102], [101, 100, 100, 102],
        ]
      ),
    ]
    for (settings, ids) in table {
      let folder = try TextModel(.bert).write()
      try ModelFolder.writeJSON(settings, to: folder.file("tokenizer_config.json"))
      #expect(try Model(folder.url).tokenize(texts) == ids, "\(settings)")
    }
  }

  @Test func rowsEndAndArePadded() throws {
    var small = TextModel(.bert)
    small.context = 8
    let folder = try small.write()
    let model = try Model(folder.url)
    let long = "one two three four five six seven eight"
    let failure = #expect(throws: CLIPError.self) { try model.tokenize([long]) }
    #expect(failure?.status == .limit)
    #expect(
      try model.tokenize([long], options: .init(truncate: true)) == [[101, 2028, 2048, 2093, 2176, 2274, 2416, 102]])
    let rows = try model.tokenRows(["cat", ""])
    #expect(rows == [101, 4937, 102, 0, 0, 0, 0, 0, 101, 102, 0, 0, 0, 0, 0, 0])
    #expect(identical(try model.encode(texts: ["cat", ""]), try model.encode(tokens: rows)))
  }

  /// The folder of a sentence encoder: its length, its pooling, its own lower case.
  @Test func sentenceEncoder() throws {
    let folder = try TextModel(.bert).write()
    try ModelFolder.writeJSON(
      ["max_seq_length": 16, "do_lower_case": true], to: folder.file("sentence_bert_config.json"))
    try ModelFolder.writeJSON(["do_lower_case": false], to: folder.file("tokenizer_config.json"))
    try FileManager.default.createDirectory(at: folder.file("1_Pooling"), withIntermediateDirectories: true)
    try ModelFolder.writeJSON(
      ["word_embedding_dimension": 8, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true],
      to: folder.file("1_Pooling/config.json"))
    let model = try Model(folder.url)
    #expect(model.context == 16 && model.encoder(.text) == "clipcore.encoder.bert")
    #expect(try model.tokenize(["A CAT"]) == [[101, 1037, 4937, 102]])
    let unit = try model.encode(texts: ["A CAT"])
    #expect(abs(unit.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5)
    let raw = try model.encode(texts: ["A CAT"], options: .init(raw: true))
    #expect(abs(raw.reduce(0) { $0 + $1 * $1 } - 1) > 1e-3)
    // Without 1_Pooling it is BERT's pooler.
    try FileManager.default.removeItem(at: folder.file("1_Pooling"))
    #expect(!identical(try Model(folder.url).encode(texts: ["A CAT"]), unit))
  }

  @Test func composed() throws {
    let small = TextModel(.bert)
    let folder = try small.write()
    let want = try Model(folder.url).encode(texts: ["two cats", "naïve 猫"])
    try ModelFolder.writeJSON(small.clipcore(tokenizer: "wordpiece"), to: folder.file("clipcore.json"))
    let model = try Model(folder.url)
    #expect(model.info.layout == "clipcore")
    #expect(identical(try model.encode(texts: ["two cats", "naïve 猫"]), want))
  }

  @Test(.timeLimit(.minutes(1))) func longRunsEnd() throws {
    let folder = try TextModel(.bert).write()
    let model = try Model(folder.url)
    for piece in ["a", "é", "你", "!", " ", "e\u{301}", "\u{301}", "🚀", "1", "##a", "[CLS]"] {
      let ids = try model.tokenize([String(repeating: piece, count: 100_000)], options: .init(truncate: true))[0]
      #expect(ids.count <= model.context && ids.last == 102)
    }
  }

  @Test func malformedLists() throws {
    let good = try Self.vocabulary()
    func list(_ lines: [String]) -> Data { Data((lines.joined(separator: "\n") + "\n").utf8) }
    let folder = try TextModel(.bert).write()
    let url = folder.file("vocab.txt")
    for (bad, status) in [
      (Data(), CLIPStatus.format), (Data([0xFF, 0xFE, 0x0A]), CLIPStatus.format),
      (Data("a\nb\n[UNK".utf8), CLIPStatus.format),
      (list(good.filter { $0 != "[CLS]" }), CLIPStatus.format),
      (list(good.filter { $0 != "[SEP]" }), CLIPStatus.format),
      (list(good.filter { $0 != "[UNK]" }), CLIPStatus.format), (list(good + ["more"]), CLIPStatus.mismatch),
      // The encoder takes 0 for padding.
      (list(["first"] + good.dropLast()), CLIPStatus.format), (Data(count: 1 << 24), CLIPStatus.limit),
    ] {
      try bad.write(to: url)
      let failure = #expect(throws: CLIPError.self) { try Model(folder.url) }
      #expect(failure?.status == status, "\(String(describing: failure))")
    }
    // Line ends of Windows, none at the end, and a line that is there twice: its last place counts.
    var lines = good
    lines[1] = "cat"
    try Data(lines.joined(separator: "\r\n").utf8).write(to: url)
    #expect(try Model(folder.url).tokenize(["cat"]) == [[101, 4937, 102]])
    try FileManager.default.removeItem(at: url)
    let missing = #expect(throws: CLIPError.self) { try Model(folder.url) }
    #expect(missing?.status == .notFound && missing?.message.contains("vocab.txt") == true)
  }

  @Test func unfitTokenizerJSON() throws {
    var words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b"]
    var small = TextModel(.bert)
    small.vocabulary = words.count
    let folder = try small.write()
    try FileManager.default.removeItem(at: folder.file("vocab.txt"))
    let url = folder.file("tokenizer.json")
    func open(_ change: (inout [String: Any]) -> Void) throws -> Model {
      var json = Self.fast(words)
      change(&json)
      try ModelFolder.writeJSON(json, to: url)
      return try Model(folder.url)
    }
    #expect(try open { _ in }.tokenize(["AB b"]) == [[2, 5, 6, 1, 3]])
    func set(_ part: String, _ key: String, _ value: Any?) throws -> CLIPStatus? {
      do {
        _ = try open { json in
          var object = json[part] as? [String: Any] ?? [:]
          object[key] = value
          json[part] = object
        }
        return nil
      } catch { return (error as? CLIPError)?.status }
    }
    for (part, key, value, status) in [
      ("model", "type", "BPE", CLIPStatus.format), ("model", "type", "Other", CLIPStatus.unsupported),
      ("model", "type", 3, CLIPStatus.format),
      ("model", "vocab", nil, CLIPStatus.format),
      ("model", "vocab", ["a"], CLIPStatus.format), ("model", "vocab", ["a": -1], CLIPStatus.format),
      ("model", "vocab", ["a": 7], CLIPStatus.mismatch), ("model", "vocab", ["a": "0"], CLIPStatus.format),
      ("model", "unk_token", "[none]", CLIPStatus.format), ("model", "max_input_chars_per_word", 0, CLIPStatus.format),
      ("model", "max_input_chars_per_word", 1e30, CLIPStatus.format),
      ("model", "continuing_subword_prefix", 2, CLIPStatus.format),
      ("normalizer", "type", "Other", CLIPStatus.unsupported),
      ("normalizer", "lowercase", "yes", CLIPStatus.format),
      ("pre_tokenizer", "type", "UnicodeScripts", CLIPStatus.unsupported),
      ("post_processor", "type", "RobertaProcessing", CLIPStatus.format),
      ("post_processor", "type", "Other", CLIPStatus.unsupported),
      ("post_processor", "single", [1], CLIPStatus.format), ("post_processor", "single", [], CLIPStatus.unsupported),
      ("post_processor", "special_tokens", nil, CLIPStatus.format),
      ("post_processor", "special_tokens", ["[CLS]": ["ids": [1]], "[SEP]": ["ids": [3]]], CLIPStatus.format),
      ("post_processor", "special_tokens", ["[CLS]": ["ids": ["2"]], "[SEP]": ["ids": [3]]], CLIPStatus.format),
    ] as [(String, String, Any?, CLIPStatus)] {
      #expect(try set(part, key, value) == status, "\(part).\(key) = \(String(describing: value))")
    }
    words = words.map { "é" + $0 }
    #expect(throws: CLIPError.self) { try open { _ in } }
    for text in MalformedConfigTests.badTexts {
      try Data(text.utf8).write(to: url)
      #expect(throws: CLIPError.self, "\(text.prefix(40))") { try Model(folder.url) }
    }
  }

  @Test func otherTokenizersAreRefused() throws {
    let folder = try TextModel(.bert).write()
    try ModelFolder.writeJSON(["tokenizer_class": "BertJapaneseTokenizer"], to: folder.file("tokenizer_config.json"))
    let failure = #expect(throws: CLIPError.self) { try Model(folder.url) }
    #expect(failure?.status == .unsupported && failure?.message.contains("tokenizer_class") == true)
  }
}
