import ClipBase

/// Hugging Face's BertNormalizer, which runs before a text is split into words.
struct BertNormalizer {
  /// Removes control characters and U+FFFD, and replaces white space by spaces.
  var cleans = true
  /// Puts spaces around Chinese characters.
  var spacesChinese = true
  /// Removes accents.
  var stripsAccents = true
  var lowercases = true

  func normalize(_ text: ArraySlice<UInt32>) -> Scalars {
    var result = Scalars()
    result.reserveCapacity(text.count)
    for scalar in text {
      if cleans, scalar == 0 || scalar == 0xFFFD || BertCharacters.isControl(scalar) { continue }
      let isSpace = cleans && CharacterKind(scalar) == .space
      if spacesChinese, BertCharacters.isChinese(scalar) {
        result += [0x20, scalar, 0x20]
      } else {
        result.append(isSpace ? 0x20 : scalar)
      }
    }
    if stripsAccents { result = normalizedNFD(result).filter { !BertCharacters.isAccent($0) } }
    return lowercases ? lowercased(result, finalSigma: false) : result
  }
}
