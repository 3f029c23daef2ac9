import CClip
import ClipBase

/// BERT's tokenizer of a folder without tokenizer.json: vocab.txt, with tokenizer_config.json.
enum WordPieceFiles {
  static var defaults: [(role: Name, name: Name)] {
    [
      ("cls_token", "[CLS]"), ("sep_token", "[SEP]"), ("unk_token", "[UNK]"), ("pad_token", "[PAD]"),
      ("mask_token", "[MASK]"),
    ]
  }

  static func pipeline(_ files: ModelFiles, _ vocabularySize: Int) throws(ClipError) -> Pipeline {
    let path = files.path("vocab.txt")
    guard let text = try files.bytes("vocab.txt", ModelFiles.byteLimit(vocabularySize)) else {
      throw ClipError(CLIP_NOT_FOUND, "\(files.folder): expected vocab.txt or tokenizer.json, found neither")
    }
    var vocabulary = try Vocabulary(lines: text, size: vocabularySize, place: path)
    try vocabulary.indexPrefixes()
    let config = try TokenizerConfig(files)
    vocabulary.size = Int(Int32.max)
    try vocabulary.add(config.added, path)
    func id(_ role: Name, _ name: StaticString) throws(ClipError) -> Int32 {
      for (known, fallback) in defaults where known == role {
        return try vocabulary.required(config.name(role) ?? fallback, name, path)
      }
      return 0
    }
    _ = try id("pad_token", "pad")
    var result = Pipeline(
      model: .wordPiece(WordPieceModel(vocabulary: vocabulary, unknownToken: try id("unk_token", "unknown"))),
      vocabulary: vocabulary, place: path)
    result.normalizers = [.bert(try normalizer(config))]
    result.preTokenizers = [
      .split(.character { CharacterKind($0) == .space }, .removed, inverts: false),
      .split(.character(BertCharacters.isPunctuation), .isolated, inverts: false),
    ]
    result.start = [try id("cls_token", "start")]
    result.end = [try id("sep_token", "end")]
    return result
  }

  /// The normalizer of tokenizer_config.json; without the file, that of uncased models.
  private static func normalizer(_ config: TokenizerConfig) throws(ClipError) -> BertNormalizer {
    let known: [Name] = [
      "BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "PreTrainedTokenizer", "TokenizersBackend",
    ]
    guard config.kind.isEmpty || known.contains(where: { config.kind.hasSuffix($0) }) else {
      throw config.config.error(CLIP_UNSUPPORTED, "tokenizer_class", "\"BertTokenizer\" or \"BertTokenizerFast\"")
    }
    var result = BertNormalizer()
    result.lowercases = try config.config.bool("do_lower_case", true)
    result.spacesChinese = try config.config.bool("tokenize_chinese_chars", true)
    result.stripsAccents = try config.config.bool("strip_accents", result.lowercases)
    return result
  }
}

extension Vocabulary {
  /// Reads vocab.txt: one token in a line, whose id is the line's number from 0. Of equal lines the last counts.
  init(lines text: UnsafeRawBufferPointer, size: Int, place: String) throws(ClipError) {
    var lines: [Range<Int>] = []
    var start = 0
    for (at, byte) in text.enumerated() where byte == 0x0A {
      lines.append(start..<(at > start && text[at - 1] == 0x0D ? at - 1 : at))
      start = at + 1
    }
    if start < text.count { lines.append(start..<text.count) }
    try self.init(size: size, capacity: lines.count)
    let bytes = text.bindMemory(to: UInt8.self)
    for (id, line) in lines.enumerated().reversed() {
      let token = UnsafeBufferPointer(rebasing: bytes[line])
      var at = 0
      while at < token.count {
        guard let (_, length) = UTF8Text.scalar(token, at: at) else {
          throw ClipError(CLIP_FORMAT, "\(place): line \(id + 1): expected UTF-8, found byte \(token[at])")
        }
        at += length
      }
      let name = Name(utf8: Array(token))
      if self.id(name) == nil { try add(name, id, place) }
    }
  }
}
