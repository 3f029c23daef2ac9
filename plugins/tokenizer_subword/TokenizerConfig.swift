import CClip
import ClipBase

/// What tokenizer_config.json, special_tokens_map.json and added_tokens.json define, as read by transformers 5.
struct TokenizerConfig {
  /// "tokenizer_class" without "Fast"; empty if it is not named.
  private(set) var kind: Name = ""
  /// The special tokens by role: "bos_token", "pad_token", …
  private var roles: [(role: Name, token: AddedToken)] = []
  /// The tokens that the files add, and the special ones.
  private(set) var added: [AddedToken] = []
  /// The object in tokenizer_config.json, or an empty one.
  private(set) var config: ConfigReader
  let folder: String

  private static var roleNames: [Name] {
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]
  }

  init(_ files: ModelFiles) throws(ClipError) {
    folder = files.folder
    let path = files.path("tokenizer_config.json")
    config = try ConfigReader(try files.json("tokenizer_config.json", 8 << 20) ?? .object([]), place: path)
    kind = try config.string("tokenizer_class", "")
    if kind.hasSuffix("Fast") { kind = Name(utf8: Array(kind.utf8.dropLast(4))) }
    if let json = try files.json("added_tokens.json", 8 << 20) {
      try readAdded(json, files.path("added_tokens.json"))
    }
    if config.has("added_tokens_decoder") {
      added += try SpecialNames.decoder(config.json, path)
    }
    var map = config
    if let json = try files.json("special_tokens_map.json", 8 << 20) {
      map = try ConfigReader(json, place: files.path("special_tokens_map.json"))
    }
    for role in TokenizerConfig.roleNames {
      if let token = try token(config.json[role] != nil ? config : map, role) { roles.append((role, token)) }
    }
    for key: Name in ["additional_special_tokens", "extra_special_tokens"] {
      for (index, item) in (config.json[key]?.array ?? map.json[key]?.array ?? []).enumerated() {
        added.append(try special(item, "\(path): \"\(key.string)\": \(index)"))
      }
    }
  }

  /// The name of the token of a role.
  func name(_ role: Name) -> Name? {
    for (known, token) in roles where known == role { return token.name }
    return nil
  }

  /// The special tokens; those in `defaults` for roles that the files do not name.
  func specials(_ defaults: [(role: Name, name: Name)]) -> [AddedToken] {
    var tokens = roles.map { $0.token }
    for (role, name) in defaults where self.name(role) == nil {
      tokens.append(AddedToken(name: name, id: nil, isNormalized: false, place: folder))
    }
    return tokens
  }

  /// A token, or an object with it as "content".
  private func token(_ config: ConfigReader, _ role: Name) throws(ClipError) -> AddedToken? {
    guard let value = config.json[role] else { return nil }
    return try special(value, "\(config.place): \"\(role.string)\"")
  }

  private func special(_ value: JSON, _ place: String) throws(ClipError) -> AddedToken {
    guard let name = value.string else { return try AddedToken(value, id: nil, place) }
    guard !name.isEmpty else { throw ClipError(CLIP_FORMAT, "\(place): expected a token, found \(value.kind)") }
    // The flags of an added token are used.
    for token in added where token.name == name { return token }
    return AddedToken(name: name, id: nil, isNormalized: false, place: place)
  }

  /// Reads {"<extra>": 32000, …}.
  private mutating func readAdded(_ json: JSON, _ path: String) throws(ClipError) {
    guard let members = json.object else {
      throw ClipError(CLIP_FORMAT, "\(path): expected an object of tokens and ids, found \(json.kind)")
    }
    for (name, value) in members {
      guard let id = value.int, !name.isEmpty else {
        throw ClipError(CLIP_FORMAT, "\(path): token \"\(name.string)\": expected an integer id, found \(value.kind)")
      }
      added.append(AddedToken(name: name, id: id, isNormalized: true, place: path))
    }
  }
}

extension Pipeline {
  /// Adds the tokens of the files beside tokenizer.json. Those in no vocabulary get the ids after it.
  mutating func apply(
    _ config: TokenizerConfig, _ defaults: [(role: Name, name: Name)], language: Name?
  ) throws(ClipError) {
    // Tokens without an id get theirs in this order.
    var tokens =
      config.added.filter { $0.id != nil } + config.specials(defaults) + config.added.filter { $0.id == nil }
    for index in tokens.indices where vocabulary.id(tokens[index].name) == nil {
      let id = tokens[index].id ?? max(vocabulary.largestID + 1, vocabulary.count)
      try vocabulary.add(tokens[index].name, id, tokens[index].place)
      tokens[index] = tokens[index].with(id: id)
    }
    try vocabulary.add(tokens, place)
    for token in tokens where !added.contains(where: { $0.name == token.name }) { added.append(token) }
    if config.config.has("padding_side") { padsLeft = try PipelineFile.isLeft(config.config, "padding_side") }
    if config.config.has("truncation_side") {
      truncatesLeft = try PipelineFile.isLeft(config.config, "truncation_side")
    }

    let settings = config.config
    if config.kind.hasSuffix("NllbTokenizer") {
      let own = try settings.string("src_lang", "eng_Latn")
      let code = try vocabulary.required(language ?? own, "language", place)
      let last = try vocabulary.required(config.name("eos_token") ?? "</s>", "end", place)
      let isLegacy = try settings.bool("legacy_behaviour", false)
      (start, end) = isLegacy ? ([], [last, code]) : ([code], [last])
    } else if let language {
      throw ClipError(CLIP_UNSUPPORTED, "\(place): expected a tokenizer with languages for \"\(language.string)\"")
    } else if settings.has("add_bos_token") || settings.has("add_eos_token"), !Pipeline.hasOwnEnds(config.kind) {
      start = try settings.bool("add_bos_token", false) ? [id(config.name("bos_token"))].compactMap { $0 } : []
      end = try settings.bool("add_eos_token", false) ? [id(config.name("eos_token"))].compactMap { $0 } : []
    }
  }

  private func id(_ name: Name?) -> Int32? { name.flatMap { vocabulary.id($0) } }

  /// Whether a tokenizer of this class always puts the same tokens around a text and ignores add_bos_token.
  private static func hasOwnEnds(_ kind: Name) -> Bool {
    let kinds: [Name] = [
      "CLIPTokenizer", "BertTokenizer", "RobertaTokenizer", "XLMRobertaTokenizer", "T5Tokenizer", "MPNetTokenizer",
      "AlbertTokenizer", "DebertaV2Tokenizer", "DistilBertTokenizer", "ElectraTokenizer", "BartTokenizer",
      "CamembertTokenizer",
    ]
    return kinds.contains(kind)
  }
}

extension AddedToken {
  func with(id: Int) -> AddedToken {
    AddedToken(
      name: name, id: id, isNormalized: isNormalized, stripsLeft: stripsLeft, stripsRight: stripsRight, isWord: isWord,
      place: place)
  }
}
