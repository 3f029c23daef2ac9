import CClip
import CSystem

/// A token that was added to the vocabulary, or is special in it.
struct AddedToken {
  let name: Name
  /// nil where the file does not say it.
  let id: Int?
  let isNormalized: Bool
  let place: String
}

/// The vocabulary and merges of one folder, read but not yet brought together.
struct TokenizerFiles {
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
    let hasVocabulary = TokenizerFiles.exists(vocabularyPath)
    let hasMerges = TokenizerFiles.exists(mergesPath)
    if hasVocabulary && hasMerges {
      let limit = TokenizerFiles.byteLimit(vocabularySize)
      place = vocabularyPath
      vocabulary = try Vocabulary(
        try TokenizerFiles.json(vocabularyPath, limit), size: vocabularySize, place: vocabularyPath)
      let file = try TokenizerFiles.contents(mergesPath, limit)
      defer { withExtendedLifetime(file) {} }
      merges = try MergeList(text: file.bytes, path: mergesPath)
      addedTokens = []
      unknownToken = nil
      splitsSpecials = true
    } else if TokenizerFiles.exists(fastPath) {
      let limit = TokenizerFiles.byteLimit(vocabularySize)
      let fast = try FastTokenizerFile(try TokenizerFiles.json(fastPath, limit), fastPath, vocabularySize)
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

  static func exists(_ path: String) -> Bool { path.withCString { access($0, F_OK) } == 0 }

  /// What a file of so many tokens may take: parsing needs a multiple of it in memory.
  static func byteLimit(_ vocabularySize: Int) -> Int { max(1 << 20, min(vocabularySize, 1 << 20) * 256) }

  static func json(_ path: String, _ byteLimit: Int) throws(ClipError) -> JSON {
    let file = try contents(path, byteLimit)
    defer { withExtendedLifetime(file) {} }
    return try JSON.parse(file.bytes, place: path)
  }

  private static func contents(_ path: String, _ byteLimit: Int) throws(ClipError) -> MappedFile {
    let file = try MappedFile(path: path)
    guard file.bytes.count <= byteLimit else {
      throw ClipError(CLIP_LIMIT, "\(path): expected at most \(byteLimit) bytes, found \(file.bytes.count)")
    }
    return file
  }
}
