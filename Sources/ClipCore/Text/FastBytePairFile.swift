import CClip

/// A tokenizer.json of Hugging Face (https://huggingface.co/docs/tokenizers) that describes CLIP's
/// tokenizer. CLIP_UNSUPPORTED, with the name of the field, for a file that describes another.
struct FastBytePairFile {
  let vocabulary: Vocabulary
  let merges: MergeList
  let addedTokens: [AddedToken]
  let unknownToken: Name?
  let splitsSpecials: Bool

  private static var words: Name { #"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"# }
  private static var specials: Name { #"<\|startoftext\|>|<\|endoftext\|>|"# }

  init(_ json: JSON, _ path: String, _ vocabularySize: Int) throws(ClipError) {
    guard case .object = json else { throw ClipError(CLIP_FORMAT, "\(path): expected an object, found \(json.kind)") }
    guard let model = json["model"], case .object = model else {
      throw ClipError(CLIP_FORMAT, "\(path): \"model\": expected an object, found \(json["model"]?.kind ?? "nothing")")
    }
    try FastBytePairFile.checkModel(model, path)
    try FastBytePairFile.checkNormalizer(json["normalizer"], path)
    splitsSpecials = try FastBytePairFile.checkSplit(json["pre_tokenizer"], path)

    guard let tokens = model["vocab"] else {
      throw ClipError(CLIP_FORMAT, "\(path): \"model.vocab\": expected an object, found nothing")
    }
    vocabulary = try Vocabulary(tokens, size: vocabularySize, place: path + ": \"model.vocab\"")
    guard let list = model["merges"]?.array else {
      throw ClipError(
        CLIP_FORMAT, "\(path): \"model.merges\": expected an array, found \(model["merges"]?.kind ?? "nothing")")
    }
    merges = try MergeList(json: list, path: path)

    addedTokens = try AddedToken.list(json, path)
    unknownToken = model["unk_token"]?.string
  }

  private static func unsupported(_ path: String, _ key: String, _ expected: String, _ found: JSON?) -> ClipError {
    let type = found?["type"].map { " of type " + $0.kind } ?? ""
    return ClipError(
      CLIP_UNSUPPORTED, "\(path): \"\(key)\": expected CLIP's, \(expected), found \(found?.kind ?? "nothing")\(type)")
  }

  private static func checkModel(_ model: JSON, _ path: String) throws(ClipError) {
    if let type = model["type"], type.string != "BPE" { throw unsupported(path, "model.type", "\"BPE\"", type) }
    guard model["end_of_word_suffix"]?.string == "</w>" else {
      throw unsupported(path, "model.end_of_word_suffix", "\"</w>\"", model["end_of_word_suffix"])
    }
    if let prefix = model["continuing_subword_prefix"], prefix.string != "" {
      throw unsupported(path, "model.continuing_subword_prefix", "\"\"", prefix)
    }
    if let dropout = model["dropout"], dropout.number != 0 { throw unsupported(path, "model.dropout", "null", dropout) }
    for key: StaticString in ["byte_fallback", "ignore_merges"] {
      if let value = model[Name(stringLiteral: key)], value.bool != false {
        throw unsupported(path, "model.\(key)", "false", value)
      }
    }
  }

  /// Requires NFC, one space for each run of white space, and lower case.
  private static func checkNormalizer(_ json: JSON?, _ path: String) throws(ClipError) {
    let expected = "a Sequence of NFC, Replace \\s+ and Lowercase"
    guard let json, json["type"]?.string == "Sequence", let steps = json["normalizers"]?.array, steps.count == 3 else {
      throw unsupported(path, "normalizer", expected, json)
    }
    guard steps[0]["type"]?.string == "NFC" else {
      throw unsupported(path, "normalizer.normalizers.0", "NFC", steps[0])
    }
    guard steps[1]["type"]?.string == "Replace", steps[1]["pattern"]?["Regex"]?.string == #"\s+"#,
      steps[1]["content"]?.string == " "
    else { throw unsupported(path, "normalizer.normalizers.1", "Replace \\s+ with a space", steps[1]) }
    guard steps[2]["type"]?.string == "Lowercase" else {
      throw unsupported(path, "normalizer.normalizers.2", "Lowercase", steps[2])
    }
  }

  /// Requires CLIP's split pattern, then a byte-level step. Returns whether the pattern contains the special tokens.
  private static func checkSplit(_ json: JSON?, _ path: String) throws(ClipError) -> Bool {
    guard let json, json["type"]?.string == "Sequence", let steps = json["pretokenizers"]?.array, steps.count == 2
    else {
      throw unsupported(path, "pre_tokenizer", "a Sequence of Split and ByteLevel", json)
    }
    guard steps[0]["type"]?.string == "Split", steps[0]["behavior"]?.string == "Removed",
      steps[0]["invert"]?.bool == true
    else {
      throw unsupported(path, "pre_tokenizer.pretokenizers.0", "Split with Removed, inverted", steps[0])
    }
    guard let pattern = steps[0]["pattern"]?["Regex"]?.string, pattern == words || pattern == specials + words else {
      throw unsupported(path, "pre_tokenizer.pretokenizers.0.pattern", words.string, steps[0]["pattern"]?["Regex"])
    }
    guard steps[1]["type"]?.string == "ByteLevel", steps[1]["add_prefix_space"]?.bool == false else {
      throw unsupported(path, "pre_tokenizer.pretokenizers.1", "ByteLevel without a prefix space", steps[1])
    }
    return pattern != words
  }
}
