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

  init(folder: String, vocabularySize: Int) throws(ClipError) {
    let vocabularyPath = folder + "/vocab.json"
    let mergesPath = folder + "/merges.txt"
    let fastPath = folder + "/tokenizer.json"
    let hasVocabulary = try TokenizerFile.exists(vocabularyPath)
    let hasMerges = try TokenizerFile.exists(mergesPath)
    if hasVocabulary && hasMerges {
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
    } else if try TokenizerFile.exists(fastPath) {
      let limit = TokenizerFile.byteLimit(vocabularySize)
      let fast = try FastBytePairFile(try TokenizerFile.json(fastPath, limit), fastPath, vocabularySize)
      place = fastPath
      vocabulary = fast.vocabulary
      merges = fast.merges
      addedTokens = fast.addedTokens
      unknownToken = fast.unknownToken
      splitsSpecials = fast.splitsSpecials
    } else {
      let found = hasVocabulary ? "vocab.json alone" : hasMerges ? "merges.txt alone" : "none of them"
      throw ClipError(
        CLIP_NOT_FOUND, "\(folder): expected vocab.json and merges.txt, or tokenizer.json, found \(found)")
    }
  }
}
