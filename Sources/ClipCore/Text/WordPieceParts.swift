import CClip

/// The checked data of a WordPiece tokenizer.
struct WordPieceParts {
  let vocabulary: Vocabulary
  let normalizer: BertNormalizer
  /// The prefix of the names of all pieces of a word except its first.
  var continuation: Name = "##"
  /// In characters. A longer word is the unknown token.
  var longestWord = 100
  /// Whether a text is made lower case before all else, as sentence-transformers does.
  let lowersFirst: Bool
  let startToken: Int32
  let endToken: Int32
  let padToken: Int32
  let unknownToken: Int32
  let specials: SpecialTokens
}

extension WordPieceTokenizer {
  /// Reads the tokenizer of a model folder: vocab.txt with tokenizer_config.json or, if it is absent,
  /// tokenizer.json; and special_tokens_map.json and sentence_bert_config.json if present. Token ids must be
  /// below `vocabularySize`, the rows of the model's token embedding.
  static func load(folder: String, contextLength: Int, vocabularySize: Int) throws(ClipError) -> WordPieceTokenizer {
    try check(folder, contextLength: contextLength, least: 2, vocabularySize: vocabularySize)
    return WordPieceTokenizer(try WordPieceParts(folder, vocabularySize), contextLength: contextLength)
  }
}

extension WordPieceParts {
  init(_ folder: String, _ vocabularySize: Int) throws(ClipError) {
    let listPath = folder + "/vocab.txt"
    let fastPath = folder + "/tokenizer.json"
    var names = try SpecialNames(folder: folder, .bert)
    let limit = TokenizerFile.byteLimit(vocabularySize)
    var fast: FastWordPieceFile?
    var ids: Vocabulary
    let place: String
    if try TokenizerFile.exists(listPath) {
      place = listPath
      let file = try TokenizerFile.contents(listPath, limit)
      defer { withExtendedLifetime(file) {} }
      ids = try Vocabulary(lines: file.bytes, size: vocabularySize, place: listPath)
      normalizer = try WordPieceParts.normalizer(folder)
    } else if try TokenizerFile.exists(fastPath) {
      place = fastPath
      let file = try FastWordPieceFile(try TokenizerFile.json(fastPath, limit), fastPath, vocabularySize)
      ids = file.vocabulary
      normalizer = file.normalizer
      continuation = file.continuation
      longestWord = file.longestWord
      names.start = file.start
      names.end = file.end
      names.unknown = file.unknown
      fast = file
    } else {
      throw ClipError(CLIP_NOT_FOUND, "\(folder): expected vocab.txt or tokenizer.json, found neither")
    }
    let added = fast?.addedTokens ?? []
    try ids.add(added + names.addedTokens, place)
    startToken = try ids.required(names.start, "start", place)
    endToken = try ids.required(names.end, "end", place)
    padToken = try ids.required(names.pad, "pad", place)
    unknownToken = try ids.required(names.unknown, "unknown", place)
    let normalizer = normalizer
    specials = try SpecialTokens(names.tokens(and: added, in: ids, place)) { normalizer.normalize($0[...]) }
    vocabulary = ids
    let sentencePath = folder + "/sentence_bert_config.json"
    lowersFirst =
      try TokenizerFile.exists(sentencePath) ? try ConfigReader(path: sentencePath).bool("do_lower_case", false) : false
  }

  /// The normalizer of tokenizer_config.json; without the file, that of uncased models.
  private static func normalizer(_ folder: String) throws(ClipError) -> BertNormalizer {
    let path = folder + "/tokenizer_config.json"
    var result = BertNormalizer()
    guard try TokenizerFile.exists(path) else { return result }
    let config = try ConfigReader(try TokenizerFile.json(path, 1 << 20), place: path)
    let kind = try config.string("tokenizer_class", "BertTokenizer")
    let known: [Name] = ["BertTokenizer", "BertTokenizerFast", "PreTrainedTokenizerFast", "TokenizersBackend"]
    guard known.contains(where: { kind.hasSuffix($0) }) else {
      throw config.error(CLIP_UNSUPPORTED, "tokenizer_class", "\"BertTokenizer\" or \"BertTokenizerFast\"")
    }
    result.lowercases = try config.bool("do_lower_case", true)
    result.spacesChinese = try config.bool("tokenize_chinese_chars", true)
    result.stripsAccents = try config.bool("strip_accents", result.lowercases)
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
    self.init(size: size, capacity: lines.count)
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
