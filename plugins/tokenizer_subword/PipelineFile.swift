import CClip
import ClipBase

/// Reads the parts of a tokenizer.json. A part or an option that is not known is CLIP_UNSUPPORTED, with its key.
struct PipelineFile {
  private let file: ConfigReader
  private let place: String

  init(_ json: JSON, _ path: String) throws(ClipError) {
    file = try ConfigReader(json, place: path)
    place = path
  }

  func pipeline(vocabularySize: Int) throws(ClipError) -> Pipeline {
    let added = try AddedToken.list(file.json, place)
    guard let section = try file.object("model") else { throw file.error(CLIP_FORMAT, "model", "an object") }
    let model = try TokenModelFile(section, size: vocabularySize).read()
    var result = Pipeline(model: model, vocabulary: model.vocabulary, place: place)
    result.vocabulary.size = Int(Int32.max)
    try result.vocabulary.add(added, place)
    result.added = added
    if let section = try file.object("normalizer") { try append(section, &result.normalizers, 0) }
    if let section = try file.object("pre_tokenizer") { try append(section, &result.preTokenizers, 0) }
    if let section = try file.object("post_processor") { try apply(section, &result, 0) }
    if let padding = try file.object("padding") {
      result.padToken = Int32(truncatingIfNeeded: try padding.int("pad_id", 0, 0...Int(Int32.max)))
      result.padsLeft = try PipelineFile.isLeft(padding, "direction")
    }
    if let truncation = try file.object("truncation") {
      result.truncatesLeft = try PipelineFile.isLeft(truncation, "direction")
    }
    return result
  }

  /// Whether a side is "left" and not "right", in either case.
  static func isLeft(_ config: ConfigReader, _ key: StaticString) throws(ClipError) -> Bool {
    switch try config.string(key, "right") {
    case "left", "Left": return true
    case "right", "Right": return false
    default: throw config.error(CLIP_FORMAT, key, "\"left\" or \"right\"")
    }
  }

  /// The members of a Sequence; nil for any other type.
  private func sequence(_ part: ConfigReader, _ key: StaticString, _ depth: Int) throws(ClipError) -> [ConfigReader]? {
    guard try part.string("type", "") == "Sequence" else { return nil }
    guard let steps = part.json[key]?.array, depth < 8 else { throw part.error(CLIP_FORMAT, key, "an array") }
    var readers: [ConfigReader] = []
    for (index, step) in steps.enumerated() {
      readers.append(try ConfigReader(step, place: place, prefix: part.prefix + "\(key).\(index)."))
    }
    return readers
  }

  private func append(_ part: ConfigReader, _ steps: inout [Normalizer], _ depth: Int) throws(ClipError) {
    if let parts = try sequence(part, "normalizers", depth) {
      for part in parts { try append(part, &steps, depth + 1) }
      return
    }
    switch try part.string("type", "") {
    case "NFC": steps.append(.form(.nfc))
    case "NFD": steps.append(.form(.nfd))
    case "NFKC": steps.append(.form(.nfkc))
    case "NFKD": steps.append(.form(.nfkd))
    case "Lowercase": steps.append(.lowercase)
    case "StripAccents": steps.append(.stripAccents)
    case "Nmt": steps.append(.nmt)
    case "ByteLevel": steps.append(.bytes)
    case "Strip":
      steps.append(.strip(left: try part.bool("strip_left", true), right: try part.bool("strip_right", true)))
    case "Prepend": steps.append(.prepend(try scalars(part, "prepend")))
    case "Replace":
      let content = part.json["content"]?.string ?? ""
      guard part.json["content"]?.string != nil else { throw part.error(CLIP_FORMAT, "content", "a string") }
      steps.append(.replace(try expression(part), PipelineFile.scalars(content)))
    case "BertNormalizer":
      var normalizer = BertNormalizer()
      normalizer.cleans = try part.bool("clean_text", true)
      normalizer.spacesChinese = try part.bool("handle_chinese_chars", true)
      normalizer.lowercases = try part.bool("lowercase", true)
      normalizer.stripsAccents = try part.bool("strip_accents", normalizer.lowercases)
      steps.append(.bert(normalizer))
    case "Precompiled":
      // Files without a map have an empty string.
      guard let text = part.json["precompiled_charsmap"]?.string else {
        if part.has("precompiled_charsmap") { throw part.error(CLIP_FORMAT, "precompiled_charsmap", "a string") }
        return
      }
      if text.isEmpty { return }
      guard let bytes = Base64.decode(text.utf8), let map = bytes.withUnsafeBytes({ CharacterMap($0) }) else {
        throw part.error(CLIP_FORMAT, "precompiled_charsmap", "a map of characters as Base64")
      }
      steps.append(.charsmap(map))
    default: throw part.error(CLIP_UNSUPPORTED, "type", "a normalizer of tokenizers 0.23")
    }
  }

  private func append(_ part: ConfigReader, _ steps: inout [PreTokenizer], _ depth: Int) throws(ClipError) {
    if let parts = try sequence(part, "pretokenizers", depth) {
      for part in parts { try append(part, &steps, depth + 1) }
      return
    }
    switch try part.string("type", "") {
    case "ByteLevel":
      steps += try PipelineFile.byteLevel(
        addsSpace: part.bool("add_prefix_space", true), splits: part.bool("use_regex", true), place)
    case "Split":
      steps.append(
        .split(.expression(try expression(part)), try behavior(part), inverts: try part.bool("invert", false)))
    case "Whitespace":
      // \w+|[^\w\s]+ of Rust's regular expressions.
      let pattern = try RegularExpression(
        #"[\w\u200C\u200D]+|[^\w\s\u200C\u200D]+"#, place)
      steps.append(.split(.expression(pattern), .removed, inverts: true))
    case "WhitespaceSplit": steps.append(.split(.character(isSpace), .removed, inverts: false))
    case "BertPreTokenizer":
      steps.append(.split(.character(isSpace), .removed, inverts: false))
      steps.append(.split(.character(BertCharacters.isPunctuation), .isolated, inverts: false))
    case "Punctuation":
      steps.append(
        .split(
          .character(BertCharacters.isPunctuation), part.has("behavior") ? try behavior(part) : .isolated,
          inverts: false))
    case "Digits":
      let isEach = try part.bool("individual_digits", false)
      steps.append(
        .split(.character(isNumeric), isEach ? .isolated : .contiguous, inverts: false))
    case "CharDelimiterSplit":
      let delimiter = try character(part, "delimiter", nil)
      steps.append(.split(.character { $0 == delimiter }, .removed, inverts: false))
    case "Metaspace": steps.append(try metaspace(part))
    default: throw part.error(CLIP_UNSUPPORTED, "type", "a pre-tokenizer of tokenizers 0.23 but for UnicodeScripts")
    }
  }

  /// GPT-2's pattern.
  private static var words: Name {
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
  }

  static func byteLevel(addsSpace: Bool, splits: Bool, _ place: String) throws(ClipError) -> [PreTokenizer] {
    var steps: [PreTokenizer] = addsSpace ? [.prependSpace] : []
    if splits {
      steps.append(.split(.expression(try RegularExpression(words, place)), .isolated, inverts: false))
    }
    return steps + [.bytes]
  }

  private func metaspace(_ part: ConfigReader) throws(ClipError) -> PreTokenizer {
    let mark = try character(part, "replacement", 0x2581)
    var prefix = PreTokenizer.Prefix.always
    if part.has("prepend_scheme") {
      switch try part.string("prepend_scheme", "") {
      case "always": prefix = .always
      case "first": prefix = .first
      case "never": prefix = .never
      default: throw part.error(CLIP_FORMAT, "prepend_scheme", "\"always\", \"first\" or \"never\"")
      }
    } else if try !part.bool("add_prefix_space", true) {
      prefix = .never
    }
    return .metaspace(mark: mark, prefix: prefix, splits: try part.bool("split", true))
  }

  private func behavior(_ part: ConfigReader) throws(ClipError) -> PreTokenizer.Behavior {
    switch try part.string("behavior", "") {
    case "Removed": return .removed
    case "Isolated": return .isolated
    case "Contiguous": return .contiguous
    case "MergedWithPrevious": return .mergedWithPrevious
    case "MergedWithNext": return .mergedWithNext
    default:
      throw part.error(
        CLIP_FORMAT, "behavior",
        "\"Removed\", \"Isolated\", \"Contiguous\", \"MergedWithPrevious\" or \"MergedWithNext\"")
    }
  }

  /// {"String": text} or {"Regex": pattern}.
  private func expression(_ part: ConfigReader) throws(ClipError) -> RegularExpression {
    if let text = part.json["pattern"]?["String"]?.string, !text.isEmpty, text.utf8.count <= 1024 {
      return RegularExpression(literal: PipelineFile.scalars(text))
    }
    guard let pattern = part.json["pattern"]?["Regex"]?.string else {
      throw part.error(CLIP_FORMAT, "pattern", "an object with \"String\" or \"Regex\"")
    }
    return try RegularExpression(pattern, place + ": " + part.prefix + "pattern")
  }

  private static func scalars(_ text: Name) -> Scalars {
    text.utf8.withUnsafeBufferPointer { UTF8Text.scalars($0) }
  }

  private func scalars(_ part: ConfigReader, _ key: StaticString) throws(ClipError) -> Scalars {
    guard let text = part.json[key]?.string else { throw part.error(CLIP_FORMAT, key, "a string") }
    return PipelineFile.scalars(text)
  }

  private func character(_ part: ConfigReader, _ key: StaticString, _ fallback: UInt32?) throws(ClipError) -> UInt32 {
    if !part.has(key), let fallback { return fallback }
    let text = try scalars(part, key)
    guard text.count == 1, let scalar = text.first else { throw part.error(CLIP_FORMAT, key, "one character") }
    return scalar
  }

  /// Puts the tokens of a post-processor around those that `result` has.
  private func apply(_ part: ConfigReader, _ result: inout Pipeline, _ depth: Int) throws(ClipError) {
    if let parts = try sequence(part, "processors", depth) {
      for part in parts { try apply(part, &result, depth + 1) }
      return
    }
    switch try part.string("type", "") {
    case "ByteLevel": break
    case "BertProcessing", "RobertaProcessing":
      result.start.insert(try pair(part, "cls", result.vocabulary), at: 0)
      result.end.append(try pair(part, "sep", result.vocabulary))
    case "TemplateProcessing":
      let (start, end) = try template(part, result.vocabulary)
      result.start = start + result.start
      result.end += end
    default: throw part.error(CLIP_UNSUPPORTED, "type", "a post-processor of tokenizers 0.23")
    }
    guard result.start.count + result.end.count <= 1024 else {
      throw part.error(CLIP_LIMIT, "type", "at most 1024 tokens around a text")
    }
  }

  /// Reads ["</s>", 2].
  private func pair(_ part: ConfigReader, _ key: StaticString, _ vocabulary: Vocabulary) throws(ClipError) -> Int32 {
    guard let pair = part.json[key]?.array, pair.count == 2, let name = pair[0].string, let id = pair[1].int else {
      throw part.error(CLIP_FORMAT, key, "an array of a token and its id")
    }
    return try check(name, id, part, vocabulary)
  }

  /// Checks that a token put around a text has the same id in the vocabulary.
  private func check(_ name: Name, _ id: Int, _ part: ConfigReader, _ vocabulary: Vocabulary) throws(ClipError) -> Int32
  {
    let known = vocabulary.id(name)
    guard let id = Int32(exactly: id), id >= 0, known == nil || known == id else {
      throw ClipError(
        CLIP_FORMAT, "\(place): \(part.prefix)\(name.string): expected its id in the vocabulary, found \(id)")
    }
    return id
  }

  /// The tokens before and after the text in "single".
  private func template(
    _ part: ConfigReader, _ vocabulary: Vocabulary
  ) throws(ClipError) -> (start: [Int32], end: [Int32]) {
    guard let steps = part.json["single"]?.array, steps.count <= 1024 else {
      throw part.error(CLIP_FORMAT, "single", "an array")
    }
    var tokens: [[Int32]] = [[]]
    for step in steps {
      if step["Sequence"] != nil {
        tokens.append([])
      } else if let name = step["SpecialToken"]?["id"]?.string,
        let special = part.json["special_tokens"]?[name], let ids = special["ids"]?.array
      {
        for id in ids {
          guard let id = id.int else {
            throw part.error(CLIP_FORMAT, "special_tokens", "an object of tokens with \"ids\"")
          }
          let isAlone = ids.count == 1
          tokens[tokens.count - 1].append(
            isAlone ? try check(name, id, part, vocabulary) : Int32(truncatingIfNeeded: max(0, min(id, Int(Int32.max))))
          )
        }
      } else {
        throw part.error(
          CLIP_FORMAT, "single", "an array of \"Sequence\" and \"SpecialToken\", each in \"special_tokens\"")
      }
    }
    guard tokens.count == 2 else { throw part.error(CLIP_UNSUPPORTED, "single", "the text once") }
    return (tokens[0], tokens[1])
  }
}

func isSpace(_ scalar: UInt32) -> Bool { CharacterKind(scalar) == .space }

/// A number in Unicode 17, that of Rust's standard library.
private func isNumeric(_ scalar: UInt32) -> Bool {
  switch scalar {
  case 0x11DE0...0x11DE9, 0x16FF4...0x16FF6: true
  default: CharacterKind(scalar) == .number
  }
}
