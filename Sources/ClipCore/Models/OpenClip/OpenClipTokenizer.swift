import CClip

/// Which tokenizer open_clip's text_cfg means: its own, or with hf_tokenizer_name the one of the files in the folder.
enum OpenClipTokenizer {
  static func read(_ text: ConfigReader, _ folder: String, into result: inout ModelConfig.Text) throws(ClipError) {
    guard try !text.string("hf_tokenizer_name", "").isEmpty else { return }
    let files: [(Name, TokenizerKind)] = [
      ("spiece.model", .siglip), ("vocab.txt", .wordPiece), ("merges.txt", .bytePairs),
    ]
    for (file, kind) in files where try FileKind(join(folder, file)) != .absent {
      result.tokenizer = kind
      return
    }
  }
}
