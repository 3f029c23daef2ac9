import CClip

/// A tokenizer.json of Hugging Face (https://huggingface.co/docs/tokenizers) that describes BERT's
/// tokenizer. CLIP_UNSUPPORTED, with the name of the field, for a file that describes another.
struct FastWordPieceFile {
  let vocabulary: Vocabulary
  let normalizer: BertNormalizer
  let addedTokens: [AddedToken]
  let continuation: Name
  let longestWord: Int
  let unknown: Name
  let start: Name
  let end: Name

  init(_ json: JSON, _ path: String, _ vocabularySize: Int) throws(ClipError) {
    let file = try ConfigReader(json, place: path)
    let model = try FastWordPieceFile.part(file, "model", ["WordPiece"])
    continuation = try model.string("continuing_subword_prefix", "##")
    longestWord = try model.int("max_input_chars_per_word", 100, 1...1000)
    unknown = try model.string("unk_token", "[UNK]")
    guard let tokens = model.json["vocab"] else { throw model.error(CLIP_FORMAT, "vocab", "an object") }
    vocabulary = try Vocabulary(tokens, size: vocabularySize, place: path + ": \"model.vocab\"")
    addedTokens = try AddedToken.list(json, path)

    let steps = try FastWordPieceFile.part(file, "normalizer", ["BertNormalizer"])
    var normalizer = BertNormalizer()
    normalizer.cleans = try steps.bool("clean_text", true)
    normalizer.spacesChinese = try steps.bool("handle_chinese_chars", true)
    normalizer.lowercases = try steps.bool("lowercase", true)
    normalizer.stripsAccents = try steps.bool("strip_accents", normalizer.lowercases)
    self.normalizer = normalizer
    _ = try FastWordPieceFile.part(file, "pre_tokenizer", ["BertPreTokenizer"])
    (start, end) = try FastWordPieceFile.ends(file, vocabulary)
  }

  /// The object at `key`, whose "type" must be one of `types`.
  private static func part(_ file: ConfigReader, _ key: Name, _ types: [Name]) throws(ClipError) -> ConfigReader {
    guard let part = try file.object(key) else { throw file.error(CLIP_UNSUPPORTED, key, "an object") }
    guard types.contains(try part.string("type", "")) else {
      var known = ""
      for type in types { known += (known.isEmpty ? "\"" : " or \"") + type.string + "\"" }
      throw part.error(CLIP_UNSUPPORTED, "type", known)
    }
    return part
  }

  /// The tokens before and after a text: "cls" and "sep" of BertProcessing, or those of a template.
  private static func ends(_ file: ConfigReader, _ vocabulary: Vocabulary) throws(ClipError) -> (start: Name, end: Name)
  {
    let steps = try part(file, "post_processor", ["TemplateProcessing", "BertProcessing"])
    let start: (name: Name, id: Int)?
    let end: (name: Name, id: Int)?
    if let template = steps.json["single"]?.array {
      guard template.count == 3, template[1]["Sequence"] != nil else {
        throw steps.error(CLIP_UNSUPPORTED, "single", "a start token, the text and an end token")
      }
      start = token(template[0], steps)
      end = token(template[2], steps)
    } else {
      start = pair(steps.json["cls"])
      end = pair(steps.json["sep"])
    }
    guard let start, let end else {
      throw steps.error(CLIP_UNSUPPORTED, "single", "a start token, the text and an end token, each with one id")
    }
    for token in [start, end] {
      guard vocabulary.id(token.name).map({ Int($0) == token.id }) ?? true else {
        throw ClipError(
          CLIP_FORMAT,
          "\(steps.place): \(steps.prefix)\(token.name.string): expected its id in the vocabulary, found \(token.id)")
      }
    }
    return (start.name, end.name)
  }

  /// Reads {"SpecialToken": {"id": name}} of a template; the id is in "special_tokens".
  private static func token(_ step: JSON, _ steps: ConfigReader) -> (name: Name, id: Int)? {
    guard let name = step["SpecialToken"]?["id"]?.string,
      let ids = steps.json["special_tokens"]?[name]?["ids"]?.array, ids.count == 1, let id = ids[0].int
    else { return nil }
    return (name, id)
  }

  /// Reads [name, id].
  private static func pair(_ value: JSON?) -> (name: Name, id: Int)? {
    guard let pair = value?.array, pair.count == 2, let name = pair[0].string, let id = pair[1].int else { return nil }
    return (name, id)
  }
}
