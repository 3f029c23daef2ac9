import CClip
import ClipBase

/// The tokenizers that transformers 5 makes by class for folders without tokenizer.json.
struct FamilyFiles {
  private enum Kind { case roberta, t5, xlmRoberta, albert, deberta, nllb }

  private struct Family {
    let kind: Kind
    let classes: [Name]
    /// The values of "model_type" in config.json that imply the class.
    let types: [Name]
    let file: StaticString
    let specials: [(role: Name, name: Name)]
  }

  private static var families: [Family] {
    let xlm: [(role: Name, name: Name)] = [
      ("bos_token", "<s>"), ("eos_token", "</s>"), ("sep_token", "</s>"), ("cls_token", "<s>"), ("unk_token", "<unk>"),
      ("pad_token", "<pad>"), ("mask_token", "<mask>"),
    ]
    return [
      Family(
        kind: .roberta, classes: ["RobertaTokenizer", "BartTokenizer", "LongformerTokenizer"],
        types: ["roberta", "bart", "longformer", "data2vec-text", "bridgetower", "clap", "roberta-prelayernorm"],
        file: "vocab.json", specials: xlm),
      Family(
        kind: .t5, classes: ["T5Tokenizer"], types: ["t5", "mt5", "switch_transformers"], file: "spiece.model",
        specials: [("eos_token", "</s>"), ("unk_token", "<unk>"), ("pad_token", "<pad>")]),
      Family(
        kind: .xlmRoberta, classes: ["XLMRobertaTokenizer"], types: ["xlm-roberta", "xmod", "metaclip_2"],
        file: "sentencepiece.bpe.model", specials: xlm),
      Family(
        kind: .albert, classes: ["AlbertTokenizer"], types: ["albert", "yoso"], file: "spiece.model",
        specials: [
          ("bos_token", "[CLS]"), ("eos_token", "[SEP]"), ("unk_token", "<unk>"), ("sep_token", "[SEP]"),
          ("pad_token", "<pad>"), ("cls_token", "[CLS]"), ("mask_token", "[MASK]"),
        ]),
      Family(
        kind: .deberta, classes: ["DebertaV2Tokenizer"], types: ["deberta-v2"], file: "spm.model",
        specials: [
          ("bos_token", "[CLS]"), ("eos_token", "[SEP]"), ("unk_token", "[UNK]"), ("sep_token", "[SEP]"),
          ("pad_token", "[PAD]"), ("cls_token", "[CLS]"), ("mask_token", "[MASK]"),
        ]),
      Family(
        kind: .nllb, classes: ["NllbTokenizer"], types: ["nllb", "nllb-moe"], file: "sentencepiece.bpe.model",
        specials: xlm),
    ]
  }

  private let files: ModelFiles
  private let config: TokenizerConfig
  private let family: Family
  private let vocabularySize: Int

  /// The special tokens of the class.
  var specials: [(role: Name, name: Name)] { family.specials }

  /// nil if the folder names no known class.
  init?(_ files: ModelFiles, _ vocabularySize: Int) throws(ClipError) {
    let config = try TokenizerConfig(files)
    var type: Name = ""
    if config.kind.isEmpty, let json = try files.json("config.json", 8 << 20) {
      type = json["model_type"]?.string ?? ""
    }
    let known = FamilyFiles.families.first {
      config.kind.isEmpty ? $0.types.contains(type) : $0.classes.contains(config.kind)
    }
    guard let known else { return nil }
    self.files = files
    self.config = config
    self.vocabularySize = vocabularySize
    family = known
  }

  func pipeline() throws(ClipError) -> Pipeline {
    var result = try family.kind == .roberta ? byteLevel() : sentencePiece()
    func id(_ role: Name) throws(ClipError) -> Int32 {
      try result.vocabulary.required(name(role), "special", result.place)
    }
    switch family.kind {
    case .t5: result.end = [try result.vocabulary.required("</s>", "end", result.place)]
    case .roberta, .albert, .deberta: (result.start, result.end) = ([try id("cls_token")], [try id("sep_token")])
    case .xlmRoberta: (result.start, result.end) = ([try id("bos_token")], [try id("eos_token")])
    case .nllb: break
    }
    result.padToken = result.vocabulary.id(name("pad_token"))
    return result
  }

  private func name(_ role: Name) -> Name {
    if let name = config.name(role) { return name }
    for (known, name) in family.specials where known == role { return name }
    return ""
  }

  private var settings: ConfigReader { config.config }

  // MARK: vocab.json and merges.txt

  private func byteLevel() throws(ClipError) -> Pipeline {
    let read = try BytePairFiles(files, vocabularySize: vocabularySize)
    var result = Pipeline(
      model: .bytePairs(
        BytePairModel(
          vocabulary: read.vocabulary, pairs: try read.merges.table(read.vocabulary), prefix: "", suffix: "",
          unknownToken: nil, fusesUnknown: false, byteTokens: [], ignoresMerges: false)),
      vocabulary: read.vocabulary, place: read.place)
    result.vocabulary.size = Int(Int32.max)
    result.preTokenizers = try PipelineFile.byteLevel(
      addsSpace: settings.bool("add_prefix_space", false), splits: true, read.place)
    return result
  }

  // MARK: SentencePiece's model

  private func sentencePiece() throws(ClipError) -> Pipeline {
    let path = files.path(family.file)
    guard let bytes = try files.bytes(family.file, ModelFiles.byteLimit(vocabularySize)) else {
      throw ClipError(CLIP_NOT_FOUND, "\(path): expected tokenizer.json or SentencePiece's model, found neither")
    }
    let file = try SentencePieceFile(bytes, path)
    let model: TokenModel = try family.kind == .nllb ? .bytePairs(bytePairs(file)) : .unigram(unigram(file))
    var result = Pipeline(model: model, vocabulary: model.vocabulary, place: path)
    for piece in file.pieces where piece.kind == .control || piece.kind == .userDefined {
      result.added.append(AddedToken(name: piece.name, id: nil, isNormalized: false, place: path))
    }
    if family.kind == .nllb, settings.json["mask_token"]?.object == nil {
      result.added.append(
        AddedToken(name: name("mask_token"), id: nil, isNormalized: true, stripsLeft: true, place: path))
    }
    for name in try extraNames() {
      result.added.append(AddedToken(name: name, id: nil, isNormalized: false, place: path))
    }
    result.normalizers = try normalizers(file)
    let isWhole = family.kind == .nllb || family.kind == .deberta
    if !isWhole { result.preTokenizers.append(.split(.character(isSpace), .removed, inverts: false)) }
    if family.kind == .deberta, try settings.bool("split_by_punct", false) {
      result.preTokenizers.append(.split(.character(BertCharacters.isPunctuation), .isolated, inverts: false))
    }
    let addsPrefix =
      try family.kind == .t5 || family.kind == .nllb ? true : settings.bool("add_prefix_space", true)
    let otherwise = family.kind == .deberta ? PreTokenizer.Prefix.first : .never
    result.preTokenizers.append(.metaspace(mark: 0x2581, prefix: addsPrefix ? .always : otherwise, splits: true))
    return result
  }

  /// T5's sentinel tokens, the last one first.
  private func extraNames() throws(ClipError) -> [Name] {
    guard family.kind == .t5 else { return [] }
    return (0..<(try settings.int("extra_ids", 100, 0...10000))).reversed().map { Name("<extra_id_\($0)>") }
  }

  private func normalizers(_ file: SentencePieceFile) throws(ClipError) -> [Normalizer] {
    let place = file.place
    let charsmap = file.charsmap.map { [Normalizer.charsmap($0)] } ?? []
    switch family.kind {
    case .albert:
      var steps: [Normalizer] = []
      for quotes: StaticString in ["``", "''"] {
        steps.append(.replace(RegularExpression(literal: UTF8Text.scalars(quotes)), [0x22]))
      }
      if try !settings.bool("keep_accents", false) { steps += [.form(.nfkd), .stripAccents] }
      if try settings.bool("do_lower_case", true) { steps.append(.lowercase) }
      return steps + charsmap
    case .deberta:
      return try (settings.bool("do_lower_case", false) ? [.lowercase] : []) + [
        .replace(try RegularExpression(#"\s{2,}|[\n\r\t]"#, place), [0x20]), .form(.nfc),
        .strip(left: false, right: true),
      ]
    case .nllb:
      return try charsmap.isEmpty ? [] : charsmap + [.replace(try RegularExpression(" {2,}", place), [0x20])]
    case .t5, .xlmRoberta, .roberta: return charsmap
    }
  }

  private func unigram(_ file: SentencePieceFile) throws(ClipError) -> UnigramModel {
    var vocabulary = try Vocabulary(size: Int(Int32.max), capacity: file.pieces.count + 8)
    var scores: [Double] = []
    func add(_ name: Name, _ score: Double) throws(ClipError) {
      try vocabulary.put(name, scores.count, file.place)
      try scores.add(score, for: "scores")
    }
    let isXLM = family.kind == .xlmRoberta
    if isXLM { for role: Name in ["bos_token", "pad_token", "eos_token", "unk_token"] { try add(name(role), 0) } }
    for piece in file.pieces.dropFirst(isXLM ? 3 : 0) { try add(piece.name, Double(piece.score)) }
    for name in try extraNames() { try add(name, 0) }
    if isXLM { try add(name("mask_token"), 0) }
    var unknown = isXLM ? 3 : family.kind == .t5 ? 2 : 1
    if family.kind == .deberta {
      for (id, piece) in file.pieces.enumerated() where piece.name == name("unk_token") && piece.score == 0 {
        unknown = id
        break
      }
    }
    guard unknown < scores.count else { throw file.error(CLIP_FORMAT, "expected more than \(scores.count) pieces") }
    try vocabulary.indexPrefixes()
    return UnigramModel(
      vocabulary: vocabulary, scores: scores, unknownToken: Int32(truncatingIfNeeded: unknown), byteTokens: [])
  }

  /// Each pair of pieces that joins to a piece is a merge, in the order of the joined pieces, then of the first part's
  /// length.
  private func bytePairs(_ file: SentencePieceFile) throws(ClipError) -> BytePairModel {
    var vocabulary = try Vocabulary(size: Int(Int32.max), capacity: file.pieces.count + 8)
    for role: Name in ["bos_token", "pad_token", "eos_token", "unk_token"] where vocabulary.id(name(role)) == nil {
      try vocabulary.add(name(role), vocabulary.count, file.place)
    }
    var pieces = try Vocabulary(size: Int(Int32.max), capacity: file.pieces.count)
    for (id, piece) in file.pieces.enumerated() {
      try pieces.put(piece.name, id, file.place)
      if vocabulary.id(piece.name) == nil { try vocabulary.add(piece.name, vocabulary.count, file.place) }
    }
    var merges: [BytePairs.Merge] = []
    for piece in file.pieces {
      let name = piece.name.utf8
      guard let product = vocabulary.id(piece.name) else { continue }
      for middle in name.indices.dropFirst() where name[middle] & 0xC0 != 0x80 {
        let (left, right) = (Name(utf8: Array(name[..<middle])), Name(utf8: Array(name[middle...])))
        guard pieces.id(left) != nil, pieces.id(right) != nil, let first = vocabulary.id(left),
          let second = vocabulary.id(right)
        else { continue }
        try merges.add(BytePairs.Merge(left: first, right: second, product: product), for: "merges")
      }
    }
    var duplicate: Int?
    let pairs = try BytePairs(merges, firstDuplicate: &duplicate)
    if duplicate != nil { throw file.error(CLIP_FORMAT, "expected each piece once") }
    return BytePairModel(
      vocabulary: vocabulary, pairs: pairs, prefix: "", suffix: "",
      unknownToken: try vocabulary.required(name("unk_token"), "unknown", file.place), fusesUnknown: true,
      byteTokens: [], ignoresMerges: false)
  }
}
