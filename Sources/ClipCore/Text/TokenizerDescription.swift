import CClip

/// Which tokenizer a text tower's tokens come from. All but `plugin` and `none` are kinds of clipcore.tokenizer.subword,
/// and read tokenizer.json where it is.
enum TokenizerKind: Equatable {
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
  /// The plugin of that id.
  case plugin(Name)
  /// The caller brings tokens.
  case none

  /// Of the word in clipcore.json; nil for one that is neither a kind nor the id of a plugin.
  init?(_ word: Name) {
    switch word {
    case "folder": self = .folder
    case "clip": self = .bytePairs
    case "wordpiece": self = .wordPiece
    case "sentencepiece": self = .sentencePiece
    case "siglip": self = .siglip
    case "none": self = .none
    default:
      guard PluginNames.isID(word), word.utf8.contains(UInt8(ascii: ".")) else { return nil }
      self = .plugin(word)
    }
  }

  /// The plugin's word for it.
  func word(isOpenClip: Bool) -> StaticString {
    switch self {
    case .bytePairs: isOpenClip ? "open_clip" : "clip"
    case .wordPiece: "wordpiece"
    case .sentencePiece: "sentencepiece"
    case .siglip: "siglip"
    case .folder, .plugin, .none: "folder"
    }
  }

  /// The id of the plugin.
  var plugin: Name {
    if case .plugin(let id) = self { id } else { "clipcore.tokenizer.subword" }
  }
}

/// How a text is cleaned before it is tokenized: clip_text_cleaning.
enum TextCleaning: UInt32 {
  case huggingFace, openAI, whitespace, canonical
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
