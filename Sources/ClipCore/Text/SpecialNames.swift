import CClip

/// The names of the special tokens, from tokenizer_config.json, else special_tokens_map.json, else CLIP's own.
struct SpecialNames {
  private(set) var start: Name = "<|startoftext|>"
  private(set) var end: Name = "<|endoftext|>"
  private(set) var unknown: Name = "<|endoftext|>"
  private(set) var pad: Name = "<|endoftext|>"
  private(set) var addedTokens: [AddedToken] = []
  private var normalized: [Name] = []

  init(folder: String) throws(ClipError) {
    for file in ["/special_tokens_map.json", "/tokenizer_config.json"] {
      let path = folder + file
      guard TokenizerFiles.exists(path) else { continue }
      let json = try TokenizerFiles.json(path, 1 << 20)
      guard case .object = json else { throw ClipError(CLIP_FORMAT, "\(path): expected an object, found \(json.kind)") }
      start = try read(json, "bos_token", path) ?? start
      end = try read(json, "eos_token", path) ?? end
      unknown = try read(json, "unk_token", path) ?? unknown
      pad = try read(json, "pad_token", path) ?? pad
      try readAddedTokens(json, path)
    }
  }

  /// Whether the token's description says that it is looked for in normalised text.
  func isNormalized(_ name: Name) -> Bool { normalized.contains(name) }

  /// A token is its name, or an object with its name as "content".
  private mutating func read(_ json: JSON, _ key: Name, _ path: String) throws(ClipError) -> Name? {
    guard let value = json[key] else { return nil }
    guard let found = value.string ?? value["content"]?.string, !found.isEmpty else {
      throw ClipError(
        CLIP_FORMAT,
        "\(path): \"\(key.string)\": expected a token or an object with its \"content\", found \(value.kind)")
    }
    if value["normalized"]?.bool == true { normalized.append(found) }
    return found
  }

  /// `"added_tokens_decoder": {"49406": {"content": "<|startoftext|>", …}, …}`
  private mutating func readAddedTokens(_ json: JSON, _ path: String) throws(ClipError) {
    guard let value = json["added_tokens_decoder"] else { return }
    guard case .object(let members) = value else {
      throw ClipError(CLIP_FORMAT, "\(path): \"added_tokens_decoder\": expected an object, found \(value.kind)")
    }
    for member in members {
      guard let id = Int(decimal: member.key) else {
        throw ClipError(
          CLIP_FORMAT, "\(path): \"added_tokens_decoder\": expected ids as keys, found \(JSON.string(member.key).kind)")
      }
      addedTokens.append(try AddedToken(member.value, id: id, "\(path): \"added_tokens_decoder\": \(id)"))
    }
  }
}

extension AddedToken {
  /// From the object that both tokenizer.json and tokenizer_config.json describe a token with.
  init(_ json: JSON, id: Int?, _ place: String) throws(ClipError) {
    guard let name = json["content"]?.string, !name.isEmpty else {
      throw ClipError(CLIP_FORMAT, "\(place): expected an object with the token as \"content\", found \(json.kind)")
    }
    if json["single_word"]?.bool == true {
      throw ClipError(
        CLIP_UNSUPPORTED, "\(place): the token \"\(name.string)\" has \"single_word\", which is not supported")
    }
    self.init(name: name, id: id, isNormalized: json["normalized"]?.bool ?? false, place: place)
  }
}

extension Int {
  /// From digits alone, at most 10 of them.
  init?(decimal name: Name) {
    guard !name.isEmpty, name.utf8.count <= 10 else { return nil }
    var value = 0
    for byte in name.utf8 {
      guard byte >= 0x30, byte <= 0x39 else { return nil }
      value = value * 10 + Int(byte - 0x30)
    }
    self = value
  }
}
