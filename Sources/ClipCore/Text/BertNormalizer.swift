/// What Hugging Face's BertNormalizer does with a text before it is split into words.
struct BertNormalizer {
  /// Drops control characters and U+FFFD, makes every white space a space.
  var cleans = true
  /// Puts spaces around Chinese characters.
  var spacesChinese = true
  /// Drops the accents of letters.
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
