import CClip
@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

@Suite struct TokenizerTests {
  struct Case: Decodable {
    let text: String
    let hf: [Int32]
    let openai: [Int32]
  }

  static func cases() throws -> [Case] {
    let text = try String(contentsOf: Paths.fixtures.appending(path: "tokenizer/cases.jsonl"), encoding: .utf8)
    return try text.split(separator: "\n").map { try JSONDecoder().decode(Case.self, from: Data($0.utf8)) }
  }

  /// CLIP's whole vocabulary, in a model with room for the longest case: open_clip's layout, which cleans texts as
  /// OpenAI does, or clipcore's, which cleans them as Hugging Face does.
  static func model(isOpenClip: Bool = false) throws -> (Model, TemporaryFolder) {
    var small = SmallModel()
    small.vocabulary = 49408
    small.context = 128
    let folder = try small.write()
    if !isOpenClip {
      let config: [String: Any] = [
        "vocab_size": small.vocabulary, "context_length": small.context, "width": small.textWidth, "heads": small.heads,
        "layers": small.textLayers, "mlp_width": 4 * small.textWidth, "embed_dim": small.embedding,
        "activation": "quick_gelu", "epsilon": 1e-5, "end_token": -1,
      ]
      try ModelFolder.writeJSON(
        [
          "version": 1, "embed_dim": small.embedding, "weights": "open_clip_model.safetensors",
          "ignore": ["visual.", "logit_scale"],
          "text": ["encoder": "clipcore.encoder.clip-text", "config": config, "tokenizer": "clip"],
        ], to: folder.file("clipcore.json"))
    }
    return (try Model(folder.url, towers: .text), folder)
  }

  @Test func casesOfBothCleanings() throws {
    let (model, _) = try Self.model()
    let cases = try Self.cases()
    #expect(cases.count > 200)
    for item in cases {
      #expect(try model.tokenize([item.text]) == [item.hf], "hf: \(item.text.debugDescription)")
      #expect(
        try model.tokenize([item.text], options: .init(openAICleaning: true)) == [item.openai],
        "openai: \(item.text.debugDescription)")
    }
    let (openClip, _) = try Self.model(isOpenClip: true)
    #expect(try openClip.tokenize(cases.map(\.text)) == cases.map(\.openai))
    // All at once as well.
    #expect(try model.tokenize(cases.map(\.text)) == cases.map(\.hf))
  }

  /// tokenizer.json alone, with merges as strings and as pairs.
  @Test(arguments: [false, true]) func readsTokenizerJSON(pairs: Bool) throws {
    let (_, folder) = try Self.model()
    let files = FileManager.default
    let vocabulary = try jsonObject(at: folder.file("vocab.json"))
    let merges = try String(contentsOf: folder.file("merges.txt"), encoding: .utf8)
      .split(separator: "\n").dropFirst().map(String.init)
    for name in ["vocab.json", "merges.txt"] { try files.removeItem(at: folder.file(name)) }
    func special(_ id: Int, _ content: String) -> [String: Any] {
      [
        "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        "special": true,
      ]
    }
    try ModelFolder.writeJSON(
      [
        "version": "1.0", "truncation": NSNull(), "padding": NSNull(),
        "added_tokens": [special(49406, "<|startoftext|>"), special(49407, "<|endoftext|>")],
        "normalizer": [
          "type": "Sequence",
          "normalizers": [
            ["type": "NFC"], ["type": "Replace", "pattern": ["Regex": "\\s+"], "content": " "], ["type": "Lowercase"],
          ],
        ],
        "pre_tokenizer": [
          "type": "Sequence",
          "pretokenizers": [
            [
              "type": "Split", "behavior": "Removed", "invert": true,
              "pattern": ["Regex": "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"],
            ], ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true],
          ],
        ],
        "post_processor": [
          "type": "RobertaProcessing", "sep": ["<|endoftext|>", 49407], "cls": ["<|startoftext|>", 49406],
          "trim_offsets": false, "add_prefix_space": false,
        ],
        "decoder": ["type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true],
        "model": [
          "type": "BPE", "dropout": NSNull(), "unk_token": "<|endoftext|>", "continuing_subword_prefix": "",
          "end_of_word_suffix": "</w>", "fuse_unk": false, "vocab": vocabulary,
          "merges": pairs ? merges.map { $0.split(separator: " ").map(String.init) } as Any : merges as Any,
        ],
      ], to: folder.file("tokenizer.json"))
    let model = try Model(folder.url, towers: .text)
    for item in try Self.cases() { #expect(try model.tokenize([item.text]) == [item.hf], "\(item.text)") }
  }

  @Test func longTextIsAnErrorOrIsCut() throws {
    let model = try Model(ModelFolder.reference("vit-tiny"))
    let long = String(repeating: "cat ", count: 200)
    let failure = #expect(throws: CLIPError.self) { try model.tokenize([long]) }
    #expect(failure?.status == .limit)
    #expect(throws: CLIPError.self) { try model.encode(texts: ["short", long]) }
    let cut = try model.tokenize([long, "cat"], options: .init(truncate: true))
    #expect(cut[0].count == model.context)
    #expect(cut[0].first == 1022 && cut[0].last == 1023)
    #expect(cut[0].dropLast().dropFirst().allSatisfy { $0 < 1022 })
    #expect(cut[1].count < model.context && cut[1].last == 1023)
    // A text that just fits needs no cut.
    let words = Array(cut[0].dropFirst().dropLast())
    #expect(words.count == model.context - 2)
  }

  @Test func bytesThatAreNotUTF8() throws {
    let model = try Model(ModelFolder.reference("vit-tiny"))
    let bytes: [[CChar]] = [
      [-1, -2, 97, 0], [-61, 0], [-19, -96, -128, 0], [-8, -120, -128, -128, -128, 0], [97, -128, 98, 0],
    ]
    for text in bytes {
      for flags in [0, CLIP_ENCODE_OPENAI_CLEANING] {
        var options = clip_encode_options()
        (options.struct_size, options.flags) = (
          size(of: clip_encode_options.self), UInt32(flags | CLIP_ENCODE_TRUNCATE)
        )
        var tokens = [Int32](repeating: -1, count: model.context)
        let status = text.withUnsafeBufferPointer { pointer in
          [pointer.baseAddress].withUnsafeBufferPointer {
            clip_tokenize(model.handle, $0.baseAddress, 1, &options, &tokens, model.context, nil, 0)
          }
        }
        // Replaced or refused, and never left half done.
        #expect([CLIP_OK, CLIP_INVALID_ARGUMENT, CLIP_FORMAT].contains(status))
        if status == CLIP_OK { #expect(tokens.allSatisfy { (0..<1024).contains($0) }) }
      }
    }
  }

  /// Long runs of anything end soon: nothing is quadratic.
  @Test(.timeLimit(.minutes(1))) func longRunsEnd() throws {
    let model = try Model(ModelFolder.reference("vit-tiny"))
    for piece in ["a", "é", "你", "!", " ", "&amp;", "&", "e\u{301}", "\u{301}", "🚀", "1", "'s"] {
      let text = String(repeating: piece, count: 100_000)
      for cleaning in [false, true] {
        let ids = try model.tokenize([text], options: .init(truncate: true, openAICleaning: cleaning))[0]
        #expect(ids.count <= model.context && ids.last == 1023)
      }
    }
  }
}
