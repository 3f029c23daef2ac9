import CClip

/// Which tokenizer a text tower's tokens come from. All but `none` read tokenizer.json where it is.
enum TokenizerKind {
  /// Whichever the folder's files describe.
  case folder
  /// CLIP's byte pairs, of vocab.json and merges.txt.
  case bytePairs
  /// BERT's, of vocab.txt.
  case wordPiece
  /// SentencePiece's, of spiece.model.
  case sentencePiece
  /// The same after SigLIP's cleaning of the text.
  case siglip
  /// The caller brings tokens.
  case none
}

/// What a model's config says about its tokenizer.
struct TokenizerOptions {
  /// How texts are cleaned first, where the caller does not say.
  var cleaning = TextCleaning.huggingFace
  /// Whether separators become 0.
  var stripsSeparator = false
  /// The language of texts, for tokenizers that mark it; nil: the tokenizer's own.
  var language: Name?
}

/// Opens the tokenizer of a model folder. tokenizer.json counts where it is, as in transformers.
struct TokenizerFolder {
  let folder: String
  let kind: TokenizerKind
  let options: TokenizerOptions
  let isHuggingFace: Bool
  let contextLength: Int
  let vocabularySize: Int
  let runtime: Runtime

  func open() throws(ClipError) -> Tokenizer? {
    if kind == .none { return nil }
    let tokenizer = try load()
    tokenizer.cleaning = options.cleaning
    tokenizer.idLimit = Int32(truncatingIfNeeded: vocabularySize)
    guard tokenizer.padToken < tokenizer.idLimit else {
      throw ClipError(
        CLIP_MISMATCH,
        "\(folder): tokenizer: expected a padding token below \(vocabularySize), the rows of the token embedding, found "
          + "\(tokenizer.padToken)")
    }
    return tokenizer
  }

  private func has(_ file: StaticString) throws(ClipError) -> Bool {
    try TokenizerFile.exists(folder + "/" + file.description)
  }

  private func load() throws(ClipError) -> Tokenizer {
    let path = folder + "/tokenizer.json"
    try Tokenizer.check(folder, contextLength: contextLength, least: 1, vocabularySize: vocabularySize)
    if try TokenizerFile.exists(path) {
      let json = try TokenizerFile.json(path, TokenizerFile.byteLimit(vocabularySize))
      if kind == .bytePairs || kind == .folder, ClipTokenizerFile.matches(json) {
        return try bytePairs(try BytePairFiles(json, path, vocabularySize))
      }
      if kind == .bytePairs, !isHuggingFace {
        throw ClipError(CLIP_UNSUPPORTED, "\(path): expected CLIP's tokenizer, found another")
      }
      return try pipeline(try PipelineFile(json, path).pipeline(vocabularySize: vocabularySize), [])
    }
    switch kind {
    case .bytePairs, .none: return try bytePairs(try BytePairFiles(folder: folder, vocabularySize: vocabularySize))
    case .wordPiece: return try pipeline(try WordPieceFiles.pipeline(folder, vocabularySize), WordPieceFiles.defaults)
    case .sentencePiece, .siglip:
      return try SentencePieceTokenizer.load(
        folder: folder, cleansForSiglip: kind == .siglip, contextLength: contextLength, vocabularySize: vocabularySize,
        plugins: runtime.plugins(bringing: CLIP_KIND_TOKENIZER, SentencePiece.plugin))
    case .folder:
      if try has("vocab.txt") {
        return try pipeline(try WordPieceFiles.pipeline(folder, vocabularySize), WordPieceFiles.defaults)
      }
      if try has("merges.txt") {
        return try bytePairs(try BytePairFiles(folder: folder, vocabularySize: vocabularySize))
      }
      if try has("spiece.model") {
        return try SentencePieceTokenizer.load(
          folder: folder, cleansForSiglip: TokenizerConfig(folder: folder).kind == "SiglipTokenizer",
          contextLength: contextLength, vocabularySize: vocabularySize,
          plugins: runtime.plugins(bringing: CLIP_KIND_TOKENIZER, SentencePiece.plugin))
      }
      throw ClipError(
        CLIP_NOT_FOUND, "\(folder): expected tokenizer.json, vocab.txt, merges.txt or spiece.model, found none of them")
    }
  }

  private func bytePairs(_ files: BytePairFiles) throws(ClipError) -> Tokenizer {
    try Tokenizer.check(folder, contextLength: contextLength, least: 2, vocabularySize: vocabularySize)
    let names = try SpecialNames(folder: folder, .clip)
    let isOpenAI = !isHuggingFace && kind == .bytePairs
    return BytePairTokenizer(
      try files.parts(names, isHuggingFace: !isOpenAI), isOpenAI: isOpenAI, contextLength: contextLength)
  }

  /// `defaults` are the special tokens of the family.
  private func pipeline(
    _ pipeline: Pipeline, _ defaults: [(role: Name, name: Name)]
  ) throws(ClipError) -> Tokenizer {
    var pipeline = pipeline
    let config = try TokenizerConfig(folder: folder)
    try pipeline.apply(config, defaults, language: options.language)
    var padToken = config.name("pad_token").flatMap { pipeline.vocabulary.id($0) } ?? pipeline.padToken
    for name: Name in ["<pad>", "[PAD]", "<|endoftext|>", config.name("eos_token") ?? "</s>"] where padToken == nil {
      padToken = pipeline.vocabulary.id(name)
    }
    let sentencePath = folder + "/sentence_bert_config.json"
    let lowersFirst =
      try TokenizerFile.exists(sentencePath) ? try ConfigReader(path: sentencePath).bool("do_lower_case", false) : false
    let least = pipeline.start.count + pipeline.end.count
    try Tokenizer.check(folder, contextLength: contextLength, least: least, vocabularySize: vocabularySize)
    let tokenizer = try PipelineTokenizer(
      pipeline, padToken: padToken ?? 0, lowersFirst: lowersFirst, contextLength: contextLength)
    if options.stripsSeparator {
      let name = config.name("sep_token") ?? "[SEP]"
      tokenizer.strippedToken = try pipeline.vocabulary.required(name, "separator", pipeline.place)
    }
    return tokenizer
  }
}
