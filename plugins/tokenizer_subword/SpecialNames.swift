import CClip
import ClipBase

/// The names of the special tokens: of tokenizer_config.json, else of special_tokens_map.json, else the family's
/// defaults.
struct SpecialNames {
  enum Family { case clip, siglip }

  /// Empty if the family has none.
  var start: Name
  var end: Name
  var unknown: Name
  private(set) var pad: Name
  private(set) var addedTokens: [AddedToken] = []
  /// The names of tokens that are searched for in normalised text.
  private var normalized: [Name] = []

  init(_ files: ModelFiles, _ family: Family) throws(ClipError) {
    switch family {
    case .clip:
      (start, end, unknown, pad) = ("<|startoftext|>", "<|endoftext|>", "<|endoftext|>", "<|endoftext|>")
    case .siglip: (start, end, unknown, pad) = ("", "</s>", "<unk>", "</s>")
    }
    for file: StaticString in ["special_tokens_map.json", "tokenizer_config.json"] {
      guard let json = try files.json(file, 1 << 20) else { continue }
      let path = files.path(file)
      guard case .object = json else { throw ClipError(CLIP_FORMAT, "\(path): expected an object, found \(json.kind)") }
      switch family {
      case .clip:
        start = try read(json, "bos_token", path) ?? start
        end = try read(json, "eos_token", path) ?? end
      case .siglip:
        end = try read(json, "eos_token", path) ?? end
      }
      unknown = try read(json, "unk_token", path) ?? unknown
      pad = try read(json, "pad_token", path) ?? pad
      addedTokens += try SpecialNames.decoder(json, path)
    }
  }

  /// The tokens that Hugging Face's tokenizer finds in the text itself: the added ones, those of `listed`, and the
  /// special ones.
  func tokens(and listed: [AddedToken], in ids: Vocabulary, _ place: String) -> [SpecialTokens.Token] {
    var found: [SpecialTokens.Token] = []
    let special = [start, end, unknown, pad]
      .map { AddedToken(name: $0, id: nil, isNormalized: normalized.contains($0), place: place) }
    for token in addedTokens + listed + special {
      guard let id = ids.id(token.name), !found.contains(where: { $0.name == token.name }) else { continue }
      found.append(SpecialTokens.Token(token, id: id))
    }
    return found
  }

  /// Reads a token: its name, or an object with the name as "content".
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

  /// Reads `"added_tokens_decoder": {"49406": {"content": "<|startoftext|>", …}, …}`.
  static func decoder(_ json: JSON, _ path: String) throws(ClipError) -> [AddedToken] {
    guard let value = json["added_tokens_decoder"] else { return [] }
    guard case .object(let members) = value else {
      throw ClipError(CLIP_FORMAT, "\(path): \"added_tokens_decoder\": expected an object, found \(value.kind)")
    }
    var tokens: [AddedToken] = []
    for member in members {
      guard let id = Int(decimal: member.key) else {
        throw ClipError(
          CLIP_FORMAT, "\(path): \"added_tokens_decoder\": expected ids as keys, found \(JSON.string(member.key).kind)")
      }
      tokens.append(try AddedToken(member.value, id: id, "\(path): \"added_tokens_decoder\": \(id)"))
    }
    return tokens
  }
}

extension Int {
  /// Parses 1 to 10 decimal digits.
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
