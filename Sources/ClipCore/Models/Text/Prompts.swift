import CClip

/// Prompts before texts, by name: sentence-transformers' config_sentence_transformers.json.
struct Prompts {
  private var texts: [(name: Name, text: Name)] = []
  /// The default prompt; empty for none.
  private var standard: Name = ""
  /// Whether the pooling leaves prompts out, which is not done here.
  private var areExcluded = false

  init() {}

  init(_ folder: String) throws(ClipError) {
    let path = join(folder, "config_sentence_transformers.json")
    guard try FileKind(path) != .absent else { return }
    let config = try ConfigReader(path: path)
    if let prompts = try config.object("prompts") {
      for (name, text) in prompts.json.object ?? [] {
        guard prompts.json[name] == nil || text.string != nil else {
          throw prompts.error(CLIP_FORMAT, name, "a string")
        }
        texts.append((name, text.string ?? ""))
      }
    }
    standard = try config.string("default_prompt_name", "")
    guard standard.isEmpty || texts.contains(where: { $0.name == standard }) else {
      throw config.error(CLIP_FORMAT, "default_prompt_name", "the name of one of prompts, or null")
    }
  }

  mutating func exclude(_ pooling: ConfigReader) throws(ClipError) {
    if try !text(nil).isEmpty {
      throw pooling.error(CLIP_UNSUPPORTED, "include_prompt", "true where there is a default prompt")
    }
    areExcluded = true
  }

  /// The prompt of this name: of nil the default one, of an empty name none.
  func text(_ name: Name?) throws(ClipError) -> Name {
    let name = name ?? standard
    if name.isEmpty { return "" }
    guard let found = texts.first(where: { $0.name == name }) else {
      throw ClipError(
        CLIP_NOT_FOUND,
        "options.prompt: expected the name of a prompt of the model's, one of \(describe(names: texts.map { $0.name })), "
          + "found \(describe(names: [name]))")
    }
    guard !areExcluded || found.text.isEmpty else {
      throw ClipError(
        CLIP_UNSUPPORTED,
        "options.prompt: the model's pooling leaves prompts out (include_prompt), which is not done here")
    }
    return found.text
  }
}
