import CClip
import ClipBase

/// The checked data of a byte-pair tokenizer.
struct BytePairParts {
  let pairs: BytePairs
  /// The symbol of each byte within a word, and of each byte at a word's end.
  let byteSymbols: [Int32]
  let lastByteSymbols: [Int32]
  let startToken: Int32
  let endToken: Int32
  let padToken: Int32
  let specials: SpecialTokens
  /// Whether the split pattern itself contains the names of the start and end tokens.
  let splitsSpecials: Bool
}

extension BytePairFiles {
  /// Resolves the names of tokens to ids.
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

  /// The symbols of the 256 bytes, named by the byte's printable character and `suffix`. A byte without a
  /// symbol has the unknown token.
  private func byteSymbols(
    _ ids: Vocabulary, _ suffix: Name, _ unknown: Int32?, _ unknownName: Name
  ) throws(ClipError) -> [Int32] {
    var symbols: [Int32] = []
    for byte in UInt8(0)...255 {
      var name: [UInt8] = []
      UTF8Text.append(BytePairTokenizer.printable(byte), to: &name)
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
  /// The character that stands for a byte in the names of tokens, as GPT-2 defined it: printable Latin-1
  /// characters stand for themselves, the other bytes are U+0100 and up.
  static func printable(_ byte: UInt8) -> UInt32 {
    let value = UInt32(byte)
    switch value {
    case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return value
    case 0x00...0x20: return 0x100 + value
    case 0x7F...0xA0: return 0x121 + value - 0x7F
    default: return 0x143  // soft hyphen
    }
  }
}
