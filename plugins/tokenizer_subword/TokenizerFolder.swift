import CClip
import ClipBase

/// Opens the tokenizer of a model folder. As in transformers, tokenizer.json is used if it exists.
struct TokenizerFolder {
  private let files: ModelFiles
  /// The kind in the configuration: "folder" is what the files describe, "clip" CLIP's byte pairs, "open_clip" the same
  /// with open_clip's rules, "wordpiece" BERT's, "sentencepiece" a model file, "siglip" the same after SigLIP's
  /// cleaning.
  private let kind: Name
  private let cleaning: TextCleaning
  private let stripsSeparator: Bool
  private let padsRight: Bool
  /// The language of texts, for tokenizers that mark it; nil for the tokenizer's default.
  private let language: Name?
  private let padding: Int32
  private let contextLength: Int
  private let vocabularySize: Int

  init(_ model: UnsafePointer<clip_tokenizer_model>) throws(ClipError) {
    let facts = model.pointee
    files = ModelFiles(model)
    kind = facts.kind.map { Name(cString: $0) } ?? "folder"
    guard ["folder", "clip", "open_clip", "wordpiece", "sentencepiece", "siglip"].contains(kind),
      let cleaning = TextCleaning(rawValue: facts.cleaning.rawValue)
    else {
      throw ClipError(
        CLIP_UNSUPPORTED,
        "\(files.folder): expected a kind and a cleaning of this plugin, found \"\(kind.string)\" and "
          + "\(facts.cleaning.rawValue)")
    }
    self.cleaning = cleaning
    stripsSeparator = facts.flags & UInt32(CLIP_TOKENIZER_STRIP_SEPARATOR) != 0
    padsRight = facts.flags & UInt32(CLIP_TOKENIZER_PAD_RIGHT) != 0
    language = facts.language.map { Name(cString: $0) }
    padding = facts.padding
    contextLength = Int(facts.context_length)
    vocabularySize = Int(facts.vocabulary_size)
  }

  private var folder: String { files.folder }

  func open() throws(ClipError) -> Tokenizer {
    try Tokenizer.check(folder, contextLength: contextLength, least: 1, vocabularySize: vocabularySize)
    let tokenizer = try load()
    tokenizer.cleaning = cleaning
    tokenizer.idLimit = Int32(truncatingIfNeeded: vocabularySize)
    if padsRight { tokenizer.padsLeft = false }
    guard tokenizer.padToken < tokenizer.idLimit else {
      throw ClipError(
        CLIP_MISMATCH,
        "\(folder): tokenizer: expected a padding token below \(vocabularySize), the rows of the token embedding, found "
          + "\(tokenizer.padToken)")
    }
    guard padding < 0 || tokenizer.padToken == padding else {
      throw ClipError(
        CLIP_FORMAT,
        "\(folder): the tokenizer pads with token \(tokenizer.padToken), "
          + "but the encoder's config says that padding is \(padding)")
    }
    return tokenizer
  }

  private func load() throws(ClipError) -> Tokenizer {
    let isBytePairs = kind == "clip" || kind == "open_clip"
    if let json = try files.json("tokenizer.json", ModelFiles.byteLimit(vocabularySize)) {
      let path = files.path("tokenizer.json")
      if isBytePairs || kind == "folder", ClipTokenizerFile.matches(json) {
        return try bytePairs(try BytePairFiles(json, path, vocabularySize))
      }
      if kind == "open_clip" {
        throw ClipError(CLIP_UNSUPPORTED, "\(path): expected CLIP's tokenizer, found another")
      }
      return try pipeline(try PipelineFile(json, path).pipeline(vocabularySize: vocabularySize), [])
    }
    if isBytePairs { return try bytePairs(try BytePairFiles(files, vocabularySize: vocabularySize)) }
    if kind == "wordpiece" { return try wordPiece() }
    if kind == "folder", let family = try FamilyFiles(files, vocabularySize) {
      return try pipeline(try family.pipeline(), family.specials)
    }
    if kind != "folder" { return try sentencePiece(isSiglip: kind == "siglip") }
    if try files.has("vocab.txt") { return try wordPiece() }
    if try files.has("merges.txt") { return try bytePairs(try BytePairFiles(files, vocabularySize: vocabularySize)) }
    if try files.has("spiece.model") {
      return try sentencePiece(isSiglip: TokenizerConfig(files).kind == "SiglipTokenizer")
    }
    throw ClipError(
      CLIP_NOT_FOUND, "\(folder): expected tokenizer.json, vocab.txt, merges.txt or spiece.model, found none of them")
  }

  private func sentencePiece(isSiglip: Bool) throws(ClipError) -> Tokenizer {
    try SentencePieceTokenizer(files, isSiglip: isSiglip, contextLength: contextLength, vocabularySize)
  }

  private func wordPiece() throws(ClipError) -> Tokenizer {
    try pipeline(try WordPieceFiles.pipeline(files, vocabularySize), WordPieceFiles.defaults)
  }

  private func bytePairs(_ pairs: BytePairFiles) throws(ClipError) -> Tokenizer {
    try Tokenizer.check(folder, contextLength: contextLength, least: 2, vocabularySize: vocabularySize)
    let isOpenAI = kind == "open_clip"
    return BytePairTokenizer(
      try pairs.parts(try SpecialNames(files, .clip), isHuggingFace: !isOpenAI), isOpenAI: isOpenAI,
      contextLength: contextLength)
  }

  /// `defaults` are the special tokens of the family.
  private func pipeline(
    _ pipeline: Pipeline, _ defaults: [(role: Name, name: Name)]
  ) throws(ClipError) -> Tokenizer {
    var pipeline = pipeline
    let config = try TokenizerConfig(files)
    try pipeline.apply(config, defaults, language: language)
    var padToken = config.name("pad_token").flatMap { pipeline.vocabulary.id($0) } ?? pipeline.padToken
    for name: Name in ["<pad>", "[PAD]", "<|endoftext|>", config.name("eos_token") ?? "</s>"] where padToken == nil {
      padToken = pipeline.vocabulary.id(name)
    }
    let sentence = try files.json("sentence_bert_config.json", 8 << 20)
    let lowersFirst = try sentence.map { json throws(ClipError) in
      try ConfigReader(json, place: files.path("sentence_bert_config.json")).bool("do_lower_case", false)
    }
    let least = pipeline.start.count + pipeline.end.count
    try Tokenizer.check(folder, contextLength: contextLength, least: least, vocabularySize: vocabularySize)
    let tokenizer = try PipelineTokenizer(
      pipeline, padToken: padToken ?? 0, lowersFirst: lowersFirst ?? false, contextLength: contextLength)
    if stripsSeparator {
      let name = config.name("sep_token") ?? "[SEP]"
      tokenizer.strippedToken = try pipeline.vocabulary.required(name, "separator", pipeline.place)
    }
    return tokenizer
  }
}
