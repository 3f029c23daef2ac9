@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// SentencePiece's plugin, and what SigLIP does around it, in a small SigLIP.
@Suite struct SentencePieceTests {
  struct Case: Decodable {
    let text: String
    let sentencepiece: [Int32]
    let siglip: [Int32]
  }

  static func cases() throws -> [Case] {
    let text = try String(contentsOf: Paths.fixtures.appending(path: "tokenizer/unigram/cases.jsonl"), encoding: .utf8)
    return try text.split(separator: "\n").map { try JSONDecoder().decode(Case.self, from: Data($0.utf8)) }
  }

  /// The text tower alone, with room for the longest case.
  static func model(tokenizer: String? = nil) throws -> (Model, TemporaryFolder) {
    var small = TextModel(.siglip)
    small.context = 512
    let folder = try small.write()
    if let tokenizer {
      try ModelFolder.writeJSON(small.clipcore(tokenizer: tokenizer), to: folder.file("clipcore.json"))
    }
    return (try Model(folder.url, towers: .text), folder)
  }

  @Test func casesAsSiglipCleans() throws {
    let cases = try Self.cases()
    #expect(cases.count > 200)
    for tokenizer in [nil, "siglip"] {
      let (model, _) = try Self.model(tokenizer: tokenizer)
      for item in cases { #expect(try model.tokenize([item.text]) == [item.siglip], "\(item.text.debugDescription)") }
      #expect(try model.tokenize(cases.map(\.text), options: .init(openAICleaning: true)) == cases.map(\.siglip))
    }
  }

  @Test func casesPlain() throws {
    let (model, _) = try Self.model(tokenizer: "sentencepiece")
    for item in try Self.cases() {
      #expect(try model.tokenize([item.text]) == [item.sentencepiece + [0]], "\(item.text.debugDescription)")
    }
  }

  /// What transformers' SiglipTokenizer gives for special tokens in texts and for upper case.
  @Test func specialTokensAndSettings() throws {
    let (model, folder) = try Self.model()
    #expect(
      try model.tokenize(["a cat", "a cat</s>", "</s> a", "<unk>"]) == [
        [3, 37, 85, 112, 0], [3, 37, 85, 112, 0], [0, 37, 0], [2, 0],
      ])
    try ModelFolder.writeJSON(["do_lower_case": false, "pad_token": "<pad>"], to: folder.file("tokenizer_config.json"))
    let other = try Model(folder.url, towers: .text)
    #expect(try other.tokenize(["A cat"]) != model.tokenize(["A cat"]))
    #expect(try model.tokenRows(["a cat"]).prefix(8) == [3, 37, 85, 112, 0, 0, 0, 0])
    #expect(try other.tokenRows(["a cat"]).prefix(8) == [3, 37, 85, 112, 0, 1, 1, 1])
  }

  /// Texts through the reference's own sizes: padding counts, since the last position is read.
  @Test func referenceModelTakesTexts() throws {
    let manifest = try Manifest("hf-siglip-tiny")
    let folder = try TemporaryFolder()
    try ReferenceWeights.write(manifest, to: folder.file("model.safetensors"))
    try ModelFolder.writeJSON(manifest.config, to: folder.file("config.json"))
    try FileManager.default.copyItem(
      at: Paths.fixtures.appending(path: "tokenizer/unigram/spiece.model"), to: folder.file("spiece.model"))
    let model = try Model(folder.url)
    #expect(model.info.layout == "huggingface" && model.context == 16)
    let texts = ["a photo of a cat", "", "A cat, on a keyboard: seen from above; it does not type at all!"]
    let truncate = EncodeOptions(truncate: true)
    #expect(throws: CLIPError.self) { try model.tokenize(texts) }
    let rows = try model.tokenRows(texts, options: truncate)
    #expect(rows.count == 48 && rows[47] == 0 && rows[46] != 0)
    #expect(Array(rows[..<16]) == [3, 37, 82, 66, 32, 35, 32, 160, 3, 37, 85, 112, 0, 0, 0, 0])
    #expect(identical(try model.encode(texts: texts, options: truncate), try model.encode(tokens: rows)))
    let probabilities = try model.classify(
      images: model.encode(texts: texts, options: truncate), texts: model.encode(texts: texts, options: truncate))
    #expect(probabilities.allSatisfy { $0 > 0 && $0 < 1 })
  }

  @Test func manyThreadsOnOneTokenizer() async throws {
    let (model, _) = try Self.model()
    let cases = try Self.cases()
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<4 { group.addTask { try model.tokenize(cases.map(\.text)) == cases.map(\.siglip) } }
      for try await isSame in group { #expect(isSame) }
    }
  }

  /// Runs of characters that the model does not know are one token, in no quadratic time, however long.
  @Test(.timeLimit(.minutes(1))) func longRunsEnd() throws {
    let (model, _) = try Self.model()
    for piece in ["a", "é", "你", "!", " ", "\u{301}", "🚀", "1", "a ", "</s>"] {
      let ids = try model.tokenize([String(repeating: piece, count: 100_000)], options: .init(truncate: true))[0]
      #expect(ids.count <= model.context && ids.last == 0)
    }
    #expect(try model.tokenize([String(repeating: "🚀", count: 30_000) + " a cat"]) == [[3, 2, 3, 37, 85, 112, 0]])
  }

  @Test func malformedModels() throws {
    let (_, folder) = try Self.model()
    let url = folder.file("spiece.model")
    let good = [UInt8](try Data(contentsOf: url))
    func open(_ bytes: [UInt8]) throws -> Model {
      try Data(bytes).write(to: url)
      return try Model(folder.url, towers: .text)
    }
    func piece(_ name: [UInt8], type: UInt8) -> [UInt8] {
      let body: [UInt8] = [0x0A, UInt8(name.count)] + name + [0x18, type]
      return [0x0A, UInt8(body.count)] + body
    }
    var many = good
    for index in 0..<10 { many += piece(Array("more\(index)".utf8), type: 1) }
    for (bad, status) in [
      ([], CLIPStatus.format), ([0], CLIPStatus.format), (Array("a text, not a model".utf8), CLIPStatus.format),
      (Array(good.dropLast(5)), CLIPStatus.format), (Array(good.prefix(1000)), CLIPStatus.format),
      (good + piece([], type: 1), CLIPStatus.format), (good + piece([0x61, 0, 0x62], type: 1), CLIPStatus.format),
      (good + piece([UInt8](repeating: 0x61, count: 80), type: 4), CLIPStatus.format),
      (good + piece(Array("<unk>".utf8), type: 2), CLIPStatus.format), (many, CLIPStatus.mismatch),
      ([UInt8](repeating: 0, count: 2 << 20), CLIPStatus.limit),
    ] {
      let failure = #expect(throws: CLIPError.self) { try open(bad) }
      #expect(
        failure?.status == status && failure?.message.contains("spiece.model") == true, "\(String(describing: failure))"
      )
    }
    try FileManager.default.removeItem(at: url)
    let missing = #expect(throws: CLIPError.self) { try Model(folder.url, towers: .text) }
    #expect(missing?.status == .notFound)

    // The rules for characters are a trie that libsentencepiece follows without a look; here it is led astray.
    let charsmap = try #require(Self.charsmap(good))
    var numbers = Numbers(11)
    var refused = 0
    for round in 0..<150 {
      var bad = good
      for _ in 0..<(1 + round % 8) {
        let at = charsmap.lowerBound + 4 + Int(numbers.next() % UInt64(charsmap.count - 4))
        bad[at] = UInt8(truncatingIfNeeded: numbers.next())
      }
      do {
        _ = try open(bad).tokenize(["a photo ﷺ ½ ﬁ Å 数字 한국어 カﾞ ①", "\u{FB01}\u{2460}x²"])
      } catch let failure as CLIPError { refused += failure.status == .format ? 1 : 0 }
    }
    #expect(refused > 20)
    for size: [UInt8] in [[0, 0, 0, 0], [1, 0, 0, 0], [255, 255, 255, 255], [4, 0, 0, 0]] {
      var bad = good
      bad.replaceSubrange(charsmap.lowerBound..<charsmap.lowerBound + 4, with: size)
      #expect(throws: CLIPError.self) { try open(bad) }
    }
    // And the whole of the file, anywhere.
    for _ in 0..<150 {
      var bad = good
      for _ in 0..<4 { bad[Int(numbers.next() % UInt64(good.count))] = UInt8(truncatingIfNeeded: numbers.next()) }
      if let model = try? open(bad) { _ = try? model.tokenize(["a photo of a cat", "数字人 ½"]) }
    }
  }

  /// Where precompiled_charsmap, field 2 of field 3, lies in a model file.
  static func charsmap(_ file: [UInt8]) -> Range<Int>? {
    func varint(_ at: inout Int) -> Int {
      var value = 0, shift = 0
      while at < file.count {
        let byte = Int(file[at])
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80 { break }
      }
      return value
    }
    func find(_ number: Int, _ range: Range<Int>) -> Range<Int>? {
      var at = range.lowerBound
      while at < range.upperBound {
        let key = varint(&at)
        switch key & 7 {
        case 0: _ = varint(&at)
        case 1: at += 8
        case 5: at += 4
        default:
          let size = varint(&at)
          if key >> 3 == number { return at..<(at + size) }
          at += size
        }
      }
      return nil
    }
    return find(3, 0..<file.count).flatMap { find(2, $0) }
  }
}
