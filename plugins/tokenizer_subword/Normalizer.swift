import CClip
import ClipBase

/// One step of the "normalizer" of tokenizer.json, with the semantics of Hugging Face's `tokenizers`.
enum Normalizer {
  case form(NormalizationForm)
  case lowercase
  case strip(left: Bool, right: Bool)
  /// Removes all marks.
  case stripAccents
  case replace(RegularExpression, Scalars)
  case prepend(Scalars)
  case bert(BertNormalizer)
  case charsmap(CharacterMap)
  /// SentencePiece's nmt rules for control characters and white space.
  case nmt
  /// Replaces each byte of the UTF-8 text by a printable character.
  case bytes

  func normalize(_ text: Scalars) throws(ClipError) -> Scalars {
    switch self {
    case .form(let form): return try normalized(text, form)
    case .lowercase: return lowercased(text, finalSigma: false)
    case .strip(let left, let right):
      var rest = text[...]
      if left { rest = rest.drop { CharacterKind($0) == .space } }
      if right { while let last = rest.last, CharacterKind(last) == .space { rest.removeLast() } }
      return Array(rest)
    case .stripAccents: return text.filter { !isMark($0) }
    case .replace(let pattern, let content):
      var result = Scalars()
      var start = 0
      for match in try pattern.matches(in: text[...]) {
        result += text[start..<match.lowerBound]
        result += content
        start = match.upperBound
      }
      return start == 0 ? text : result + text[start...]
    case .prepend(let prefix): return text.isEmpty ? text : prefix + text
    case .bert(let normalizer): return normalizer.normalize(text[...])
    case .charsmap(let map): return map.apply(to: text)
    case .nmt: return Normalizer.nmt(text)
    case .bytes: return byteCharacters(text[...])
    }
  }

  /// Whether in `tokenizers` the result no longer begins where `text` does: its first character is removed or replaced.
  func dropsStart(of text: Scalars) throws(ClipError) -> Bool {
    guard let first = text.first else { return false }
    switch self {
    case .strip(let left, _): return left && CharacterKind(first) == .space
    case .stripAccents: return isMark(first)
    case .replace(let pattern, let content):
      guard let match = try pattern.matches(in: text[...]).first, match.lowerBound == 0 else { return false }
      return content.isEmpty || match.count > 1
    case .bert, .nmt: return try normalize([first]).isEmpty
    case .form, .lowercase, .prepend, .charsmap, .bytes: return false
    }
  }

  private static func nmt(_ text: Scalars) -> Scalars {
    var result = Scalars()
    result.reserveCapacity(text.count)
    for scalar in text {
      switch scalar {
      case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x8F, 0x9F: break
      case 0x09, 0x0A, 0x0C, 0x0D, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD: result.append(0x20)
      default: result.append(scalar)
      }
    }
    return result
  }
}

/// The printable characters that stand for the bytes of a text.
func byteCharacters(_ text: ArraySlice<UInt32>) -> Scalars {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(text.count)
  for scalar in text { UTF8Text.append(scalar, to: &bytes) }
  return bytes.map { BytePairTokenizer.printable($0) }
}
