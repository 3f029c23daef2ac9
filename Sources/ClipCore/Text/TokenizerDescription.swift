import CClip

/// The tokenizer of a text tower. All kinds except `plugin` and `none` are those of clipcore.tokenizer.subword, and use
/// tokenizer.json if it exists.
enum TokenizerKind: Equatable {
  /// Whichever the folder's files describe.
  case folder
  /// CLIP's byte pairs, of vocab.json and merges.txt.
  case bytePairs
  /// BERT's, of vocab.txt.
  case wordPiece
  /// SentencePiece's, of spiece.model.
  case sentencePiece
  /// `sentencePiece` after SigLIP's cleaning of the text.
  case siglip
  /// The plugin of that id.
  case plugin(Name)
  /// The caller brings tokens.
  case none

  /// The kind with a name of clipcore.json; nil if the name is neither a kind nor a plugin's id.
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

  /// The plugin's name of the kind.
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

/// A model configuration's options of the tokenizer.
struct TokenizerOptions {
  /// The cleaning of texts, if the caller does not choose one.
  var cleaning = TextCleaning.huggingFace
  /// Whether separators become 0.
  var stripsSeparator = false
  /// The language of texts, for tokenizers that mark it; nil: the tokenizer's own.
  var language: Name?
}
