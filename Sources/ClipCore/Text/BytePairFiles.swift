import CClip

/// The vocabulary and merges of one folder, read but not yet brought together.
struct BytePairFiles {
  /// The file that the vocabulary is from.
  let place: String
  let vocabulary: Vocabulary
  let merges: MergeList
  let addedTokens: [AddedToken]
  /// nil where the files do not name one.
  let unknownToken: Name?
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
