import CClip

/// The tokenizer of open_clip's text_cfg: its SimpleTokenizer or, with hf_tokenizer_name, the one in the folder's
/// files, as HFTokenizer uses it.
enum OpenClipTokenizer {
  static func read(_ text: ConfigReader, _ folder: String, into result: inout ModelConfig.Text) throws(ClipError) {
    let isSimple = try text.string("hf_tokenizer_name", "").isEmpty
    result.tokenizer = isSimple ? .bytePairs : .folder
    result.tokenizerOptions.cleaning = isSimple ? .openAI : .whitespace
    guard let options = try text.object("tokenizer_kwargs") else { return }
    for (key, _) in options.json.object ?? [] {
      switch key {
      case "clean": result.tokenizerOptions.cleaning = try cleaning(options)
      case "strip_sep_token" where !isSimple:
        result.tokenizerOptions.stripsSeparator = try options.bool("strip_sep_token", false)
      case "language" where !isSimple:
        if options.has("language") { result.tokenizerOptions.language = try options.string("language", "") }
      default:
        if options.json[key] != nil { throw options.error(CLIP_UNSUPPORTED, key, "it to be absent") }
      }
    }
  }

  private static func cleaning(_ options: ConfigReader) throws(ClipError) -> TextCleaning {
    switch try options.string("clean", "") {
    case "lower": return .openAI
    case "whitespace": return .whitespace
    case "canonicalize": return .canonical
    default: throw options.error(CLIP_UNSUPPORTED, "clean", "\"lower\", \"whitespace\" or \"canonicalize\"")
    }
  }
}
