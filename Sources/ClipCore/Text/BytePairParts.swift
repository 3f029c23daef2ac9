import CClip

/// What a tokenizer is made of, brought together from its files and checked.
struct BytePairParts {
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

extension BytePairTokenizer {
  /// Reads the tokenizer of a model's folder: vocab.json and merges.txt, or tokenizer.json where
  /// those are not there; with them tokenizer_config.json and special_tokens_map.json if present.
  /// `isHuggingFace` pads with the pad token, open_clip's layout with 0. Token ids must be below
  /// `vocabularySize`, the rows of the model's token embedding.
  static func load(
    folder: String, isHuggingFace: Bool, contextLength: Int, vocabularySize: Int
  ) throws(ClipError) -> BytePairTokenizer {
    try check(folder, contextLength: contextLength, least: 2, vocabularySize: vocabularySize)
    let files = try BytePairFiles(folder: folder, vocabularySize: vocabularySize)
    let names = try SpecialNames(folder: folder, .clip)
    return BytePairTokenizer(try files.parts(names, isHuggingFace: isHuggingFace), contextLength: contextLength)
  }
}

extension BytePairFiles {
  /// Resolves names to ids.
  func parts(_ names: SpecialNames, isHuggingFace: Bool) throws(ClipError) -> BytePairParts {
    var ids = vocabulary
    try ids.add(addedTokens + names.addedTokens, place)
    let unknownName = unknownToken ?? names.unknown
    let unknown = ids.id(unknownName)
    return BytePairParts(
      pairs: try merges.table(ids),
      byteSymbols: try byteSymbols(ids, "", unknown, unknownName),
      lastByteSymbols: try byteSymbols(ids, "</w>", unknown, unknownName),
      startToken: try ids.required(names.start, "start", place),
      endToken: try ids.required(names.end, "end", place),
      padToken: isHuggingFace ? try ids.required(names.pad, "pad", place) : 0,
      specials: try SpecialTokens(names.tokens(and: addedTokens, in: ids, place)) { text throws(ClipError) in
        lowercased(try normalizedNFC(text), finalSigma: false)
      },
      splitsSpecials: splitsSpecials)
  }

  /// The symbol of each of the 256 bytes; bytes without one are the unknown token.
  private func byteSymbols(
    _ ids: Vocabulary, _ suffix: Name, _ unknown: Int32?, _ unknownName: Name
  ) throws(ClipError) -> [Int32] {
    var symbols: [Int32] = []
    for byte in UInt8(0)...255 {
      var name: [UInt8] = []
      UTF8Text.append(BytePairTokenizer.visible(byte), to: &name)
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
}

extension BytePairTokenizer {
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
