import CClip
import ClipBase

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

  init(_ files: ModelFiles, vocabularySize: Int) throws(ClipError) {
    let limit = ModelFiles.byteLimit(vocabularySize)
    let json = try files.json("vocab.json", limit)
    let text = try files.bytes("merges.txt", limit)
    guard let json, let text else {
      let found = json != nil ? "vocab.json alone" : text != nil ? "merges.txt alone" : "none of them"
      throw ClipError(
        CLIP_NOT_FOUND, "\(files.folder): expected vocab.json and merges.txt, or tokenizer.json, found \(found)")
    }
    place = files.path("vocab.json")
    vocabulary = try Vocabulary(json, size: vocabularySize, place: place)
    merges = try MergeList(text: text, path: files.path("merges.txt"))
    addedTokens = []
    unknownToken = nil
    splitsSpecials = true
  }
}
