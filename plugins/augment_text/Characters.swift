import CUtf8proc

/// A range of bytes in a buffer.
struct Span {
  var from: Int
  var to: Int
  var count: Int { to - from }
}

/// The kind of a grapheme cluster, which its first code point determines.
enum CharacterKind {
  /// A letter, digit or combining mark of a script with spaces between words.
  case letter
  /// A word by itself: a character of a script without spaces, or a symbol such as an emoji.
  case alone
  case punctuation
  case space
}

/// Decodes the UTF-8 code point at `at`. A byte that does not begin one is U+FFFD with length 1.
func codePoint(_ bytes: UnsafeBufferPointer<UInt8>, _ at: Int) -> (value: Int32, length: Int) {
  guard let base = bytes.baseAddress, at < bytes.count else { return (0xFFFD, 1) }
  var value: utf8proc_int32_t = 0
  let length = utf8proc_iterate(base + at, bytes.count - at, &value)
  return length > 0 ? (value, length) : (0xFFFD, 1)
}

/// The end of the grapheme cluster (UAX 29) that begins at `from`.
func clusterEnd(_ bytes: UnsafeBufferPointer<UInt8>, _ from: Int) -> Int {
  var state: utf8proc_int32_t = 0
  let (first, length) = codePoint(bytes, from)
  var last = first
  var at = from + length
  while at < bytes.count {
    let (next, size) = codePoint(bytes, at)
    if utf8proc_grapheme_break_stateful(last, next, &state) { break }
    last = next
    at += size
  }
  return min(at, bytes.count)
}

func kind(_ code: Int32) -> CharacterKind {
  if isWithoutSpaces(code) { return .alone }
  switch utf8proc_category(code) {
  case UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LL, UTF8PROC_CATEGORY_LT, UTF8PROC_CATEGORY_LM, UTF8PROC_CATEGORY_LO,
    UTF8PROC_CATEGORY_MN, UTF8PROC_CATEGORY_MC, UTF8PROC_CATEGORY_ME, UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NL,
    UTF8PROC_CATEGORY_NO:
    return .letter
  case UTF8PROC_CATEGORY_SO, UTF8PROC_CATEGORY_CN, UTF8PROC_CATEGORY_CO: return .alone
  case UTF8PROC_CATEGORY_ZS, UTF8PROC_CATEGORY_ZL, UTF8PROC_CATEGORY_ZP, UTF8PROC_CATEGORY_CC, UTF8PROC_CATEGORY_CF,
    UTF8PROC_CATEGORY_CS:
    return .space
  default: return .punctuation
  }
}

/// Whether a code point belongs to a script without spaces between words: Thai, Lao, Tibetan, Myanmar, Khmer, kana,
/// Bopomofo, Yi and Han, with the signs that these scripts use as letters.
private func isWithoutSpaces(_ code: Int32) -> Bool {
  switch code {
  case 0x0E01...0x0E3A, 0x0E40...0x0EFF, 0x0F00...0x109F, 0x1780...0x17D3, 0x2E80...0x2FDF, 0x3005...0x3007,
    0x3021...0x3029, 0x3031...0x3035, 0x3041...0x309F, 0x30A1...0x30FA, 0x30FC...0x312F, 0x31A0...0x31FF,
    0x3400...0x4DBF, 0x4E00...0xA4CF, 0xF900...0xFAFF, 0xFF66...0xFF9F, 0x1B000...0x1B16F, 0x20000...0x323AF:
    return true
  default: return false
  }
}
