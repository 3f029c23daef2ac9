import CClip

/// What sentence-transformers keeps beside a model: modules.json lists what follows the transformer, each in a folder of
/// its own.
struct SentenceTransformers {
  private let folder: String
  /// As the encoders' "pooling"; nil where the folder does not say.
  private(set) var pooling: Name?
  /// How many rows a text's embedding is made of, side by side.
  private(set) var parts = 1

  init(_ folder: String, width: Int) throws(ClipError) {
    self.folder = folder
    var pool: Name? = "1_Pooling"
    let path = join(folder, "modules.json")
    if try FileKind(path) != .absent {
      pool = nil
      guard let modules = try JSON.load(path).array else {
        throw ClipError(CLIP_FORMAT, "\(path): expected an array of modules")
      }
      for (index, module) in modules.enumerated() {
        let type = module["type"]?.string ?? ""
        if type.hasSuffix(".Pooling") {
          guard let place = module["path"]?.string, !place.utf8.contains(UInt8(ascii: "/")), place != ".." else {
            throw ClipError(CLIP_FORMAT, "\(path): [\(index)].path: expected a folder's name")
          }
          pool = place
          continue
        }
        let known: [Name] = [".Transformer", ".Normalize"]
        guard known.contains(where: { type.hasSuffix($0) }) else {
          throw ClipError(
            CLIP_UNSUPPORTED,
            "\(path): [\(index)].type: expected Transformer, Pooling or Normalize, found \(module["type"]?.kind ?? "nothing")"
          )
        }
      }
    }
    try checkPrompt()
    guard let pool, try FileKind(join(folder, pool + "/config.json")) != .absent else { return }
    try readPooling(try ConfigReader(path: join(folder, pool + "/config.json")), width)
  }

  /// A default prompt would stand before every text.
  private func checkPrompt() throws(ClipError) {
    let path = join(folder, "config_sentence_transformers.json")
    guard try FileKind(path) != .absent else { return }
    let config = try ConfigReader(path: path)
    let name = try config.string("default_prompt_name", "")
    guard !name.isEmpty, let prompt = try config.object("prompts")?.json[name]?.string, !prompt.isEmpty else { return }
    throw config.error(CLIP_UNSUPPORTED, "default_prompt_name", "null, or the name of an empty prompt")
  }

  private mutating func readPooling(_ config: ConfigReader, _ width: Int) throws(ClipError) {
    for key: StaticString in ["word_embedding_dimension", "embedding_dimension"] {
      guard try config.int(key, width, ConfigReader.widths) == width else {
        throw config.error(CLIP_FORMAT, key, "config.json's width, \(width)")
      }
    }
    var found: [Name] = []
    if let modes = config.json["pooling_mode"] {
      for mode in modes.array ?? [modes] { found.append(mode.string ?? "") }
    } else {
      for (key, word) in SentenceTransformers.keys {
        if try config.bool(key, false) { found.append(word) }
      }
    }
    var names: [Name] = []
    for word in found {
      guard let kind = SentenceTransformers.kinds.firstIndex(where: { $0.word == word }) else { break }
      names.append(SentenceTransformers.kinds[kind].ours)
    }
    // Several stand side by side in the order that sentence-transformers has for the older keys.
    let order: [Name] = ["first", "max", "mean"]
    let places = names.compactMap { name in order.firstIndex(of: name) }
    let isOrdered = places.count == names.count && zip(places, places.dropFirst()).allSatisfy { $0 < $1 }
    guard !names.isEmpty, names.count == found.count, names.count == 1 || isOrdered else {
      throw config.error(
        CLIP_UNSUPPORTED, "pooling_mode", "cls, max, mean or lasttoken, or several of the first three in this order")
    }
    var joined = names[0]
    for name in names.dropFirst() { joined = joined + "+" + name }
    pooling = joined
    parts = names.count
  }

  private static var kinds: [(word: Name, ours: Name)] {
    [("cls", "first"), ("max", "max"), ("mean", "mean"), ("lasttoken", "last")]
  }
  private static var keys: [(key: StaticString, word: Name)] {
    [
      ("pooling_mode_cls_token", "cls"), ("pooling_mode_max_tokens", "max"), ("pooling_mode_mean_tokens", "mean"),
      ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len"),
      ("pooling_mode_weightedmean_tokens", "weightedmean"), ("pooling_mode_lasttoken", "lasttoken"),
    ]
  }

  /// The most tokens of a text by sentence_bert_config.json, or else by the tokenizer; nil for no limit.
  func length() throws(ClipError) -> Int? {
    for (file, key) in [
      ("sentence_bert_config.json", "max_seq_length"), ("tokenizer_config.json", "model_max_length"),
    ] as [(Name, StaticString)] {
      let path = join(folder, file)
      guard try FileKind(path) != .absent else { continue }
      let config = try ConfigReader(path: path)
      // "No limit" is a number of 30 digits.
      guard config.has(key), try config.number(key, 1, 1...1e300) <= 65536 else { continue }
      return try config.int(key, nil, 1...65536)
    }
    return nil
  }
}
