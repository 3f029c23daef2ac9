import CClip

/// The vocabulary and merges of a model folder, before names are resolved to ids.
struct BytePairFiles {
  /// The path of the file with the vocabulary, for messages.
  let place: String
  let vocabulary: Vocabulary
  let merges: MergeList
  let addedTokens: [AddedToken]
  /// nil if the files do not name one.
  let unknownToken: Name?
  /// Whether the split pattern itself contains the names of the start and end tokens.
  let splitsSpecials: Bool

  /// Reads a tokenizer.json that ClipTokenizerFile recognises.
  init(_ json: JSON, _ path: String, _ vocabularySize: Int) throws(ClipError) {
    let model = json["model"] ?? .null
    place = path
    vocabulary = try Vocabulary(model["vocab"] ?? .null, size: vocabularySize, place: path + ": \"model.vocab\"")
    merges = try MergeList(json: model["merges"]?.array ?? [], path: path)
    addedTokens = try AddedToken.list(json, path)
    unknownToken = model["unk_token"]?.string
    splitsSpecials = ClipTokenizerFile.splitsSpecials(json)
  }

  init(folder: String, vocabularySize: Int) throws(ClipError) {
    let vocabularyPath = folder + "/vocab.json"
    let mergesPath = folder + "/merges.txt"
    let hasVocabulary = try TokenizerFile.exists(vocabularyPath)
    let hasMerges = try TokenizerFile.exists(mergesPath)
    guard hasVocabulary && hasMerges else {
      let found = hasVocabulary ? "vocab.json alone" : hasMerges ? "merges.txt alone" : "none of them"
      throw ClipError(
        CLIP_NOT_FOUND, "\(folder): expected vocab.json and merges.txt, or tokenizer.json, found \(found)")
    }
    let limit = TokenizerFile.byteLimit(vocabularySize)
    place = vocabularyPath
    vocabulary = try Vocabulary(
      try TokenizerFile.json(vocabularyPath, limit), size: vocabularySize, place: vocabularyPath)
    let file = try TokenizerFile.contents(mergesPath, limit)
    defer { withExtendedLifetime(file) {} }
    merges = try MergeList(text: file.bytes, path: mergesPath)
    addedTokens = []
    unknownToken = nil
    splitsSpecials = true
  }
}
