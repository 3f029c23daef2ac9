import CClip

/// What a tokenizer is made of, brought together from its files and checked.
struct TokenizerParts {
  let pairs: BytePairs
  let byteSymbols: [Int32]
  let lastByteSymbols: [Int32]
  let startToken: Int32
  let endToken: Int32
  let padToken: Int32
  let specials: SpecialTokens
  /// Whether the split pattern itself names the start and end tokens.
  let splitsSpecials: Bool
}

extension Tokenizer {
  /// Reads the tokenizer of a model's folder: vocab.json and merges.txt, or tokenizer.json where
  /// those are not there; with them tokenizer_config.json and special_tokens_map.json if present.
  /// `isHuggingFace` pads with the pad token, open_clip's layout with 0. Token ids must be below
  /// `vocabularySize`, the rows of the model's token embedding.
  static func load(
    folder: String, isHuggingFace: Bool, contextLength: Int, vocabularySize: Int
  ) throws(ClipError) -> Tokenizer {
    guard contextLength >= 2 else {
      throw ClipError(CLIP_FORMAT, "\(folder): expected a context length of at least 2 tokens, found \(contextLength)")
    }
    guard vocabularySize > 0, vocabularySize <= Int(Int32.max) else {
      throw ClipError(
        CLIP_FORMAT, "\(folder): expected 1 to \(Int32.max) tokens in the vocabulary, found \(vocabularySize)")
    }
    let files = try TokenizerFiles(folder: folder, vocabularySize: vocabularySize)
    let names = try SpecialNames(folder: folder)
    return Tokenizer(try files.parts(names, isHuggingFace: isHuggingFace), contextLength: contextLength)
  }
}

extension TokenizerFiles {
  /// Resolves names to ids.
  func parts(_ names: SpecialNames, isHuggingFace: Bool) throws(ClipError) -> TokenizerParts {
    var ids = vocabulary
    // Each text is searched for each of them.
    let addedCount = addedTokens.count + names.addedTokens.count
    guard addedCount <= 1024 else {
      throw ClipError(CLIP_LIMIT, "\(place): expected at most 1024 added tokens, found \(addedCount)")
    }
    for token in addedTokens + names.addedTokens {
      if let id = ids.id(token.name) {
        guard token.id ?? Int(id) == Int(id) else {
          throw ClipError(
            CLIP_FORMAT,
            "\(place): token \"\(token.name.string)\" has id \(id) here and \(token.id ?? 0) in \(token.place)")
        }
      } else if let id = token.id {
        try ids.add(token.name, id, token.place)
      }
    }
    try ids.checkUnique(place)
    let unknownName = unknownToken ?? names.unknown
    let unknown = ids.id(unknownName)
    return TokenizerParts(
      pairs: try merges.table(ids),
      byteSymbols: try byteSymbols(ids, "", unknown, unknownName),
      lastByteSymbols: try byteSymbols(ids, "</w>", unknown, unknownName),
      startToken: try required(names.start, "start", ids),
      endToken: try required(names.end, "end", ids),
      padToken: isHuggingFace ? try required(names.pad, "pad", ids) : 0,
      specials: try SpecialTokens(specialTokens(names, ids)),
      splitsSpecials: splitsSpecials)
  }

  private func required(_ name: Name, _ role: StaticString, _ ids: Vocabulary) throws(ClipError) -> Int32 {
    guard let id = ids.id(name) else {
      throw ClipError(
        CLIP_FORMAT, "\(place): expected the \(role) token \"\(name.string)\" in the vocabulary, found none")
    }
    return id
  }

  /// The symbol of each of the 256 bytes; bytes without one are the unknown token.
  private func byteSymbols(
    _ ids: Vocabulary, _ suffix: Name, _ unknown: Int32?, _ unknownName: Name
  ) throws(ClipError) -> [Int32] {
    var symbols: [Int32] = []
    for byte in UInt8(0)...255 {
      var name: [UInt8] = []
      UTF8Text.append(Tokenizer.visible(byte), to: &name)
      guard let id = ids.id(Name(utf8: name + suffix.utf8)) ?? unknown else {
        throw ClipError(
          CLIP_FORMAT,
          "\(place): expected a token \"\(Name(utf8: name + suffix.utf8).string)\" for byte \(byte), "
            + "or the unknown token \"\(unknownName.string)\", found neither")
      }
      symbols.append(id)
    }
    return symbols
  }

  /// What Hugging Face's tokenizer looks for in texts: the added tokens, and the four special ones.
  private func specialTokens(_ names: SpecialNames, _ ids: Vocabulary) -> [SpecialTokens.Token] {
    var found: [SpecialTokens.Token] = []
    let listed = names.addedTokens + addedTokens
    let special = [names.start, names.end, names.unknown, names.pad]
      .map { AddedToken(name: $0, id: nil, isNormalized: names.isNormalized($0), place: place) }
    for token in listed + special {
      guard let id = ids.id(token.name), !found.contains(where: { $0.name == token.name }) else { continue }
      found.append(SpecialTokens.Token(name: token.name, id: id, isNormalized: token.isNormalized))
    }
    return found
  }
}

extension Tokenizer {
  /// The printable character that stands for a byte in token names, GPT-2's choice: Latin-1's
  /// visible characters for themselves, the rest from U+0100 on.
  static func visible(_ byte: UInt8) -> UInt32 {
    let value = UInt32(byte)
    switch value {
    case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return value
    case 0x00...0x20: return 0x100 + value
    case 0x7F...0xA0: return 0x121 + value - 0x7F
    default: return 0x143  // soft hyphen
    }
  }
}
