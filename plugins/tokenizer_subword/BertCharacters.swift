import CUtf8proc
import ClipBase

/// The classes of characters of BERT's tokenizer, as Hugging Face's `tokenizers` defines them: general
/// categories of Unicode 8.0, the version it is built on. utf8proc's later categories are corrected here.
enum BertCharacters {
  /// Categories Cc, Cf and Co, except tab, line feed and carriage return, which are white space.
  static func isControl(_ scalar: UInt32) -> Bool {
    if scalar < 0x7F { return scalar < 0x20 && scalar != 0x09 && scalar != 0x0A && scalar != 0x0D }
    switch category(scalar) {
    case UTF8PROC_CATEGORY_CC, UTF8PROC_CATEGORY_CO: return true
    case UTF8PROC_CATEGORY_CF: return !isNew(scalar)
    default: return false
    }
  }

  /// Category P, and all of ASCII that is neither letter, digit, space nor control.
  static func isPunctuation(_ scalar: UInt32) -> Bool {
    if scalar < 0x80 { return CharacterKind(scalar) == .other && scalar > 0x20 && scalar != 0x7F }
    switch category(scalar) {
    case UTF8PROC_CATEGORY_PC, UTF8PROC_CATEGORY_PD, UTF8PROC_CATEGORY_PS, UTF8PROC_CATEGORY_PE,
      UTF8PROC_CATEGORY_PI, UTF8PROC_CATEGORY_PF, UTF8PROC_CATEGORY_PO:
      return !isNew(scalar)
    default:
      // Punctuation in Unicode 8.0 only.
      return scalar == 0x166D || scalar == 0x111C9
    }
  }

  /// Category Mn, such as combining accents.
  static func isAccent(_ scalar: UInt32) -> Bool {
    if scalar < 0x300 { return false }
    // U+1734 was Mn in Unicode 8.0.
    if category(scalar) != UTF8PROC_CATEGORY_MN { return scalar == 0x1734 }
    return !isNew(scalar)
  }

  /// CJK ideographs: the blocks in BERT's original code, one of which begins 0x100 later in `tokenizers`.
  static func isChinese(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF: return true
    case 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F, 0x2B920...0x2CEAF, 0x2F800...0x2FA1F: return true
    default: return false
    }
  }

  /// Whether a punctuation mark, accent or format control got its category after Unicode 8.0. For other
  /// characters the result has no meaning.
  private static func isNew(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x61D, 0x7FD, 0x890...0x8E2, 0x9FD...0x9FE, 0xA76, 0xAFA...0xAFF, 0xB55, 0xC04, 0xC3C, 0xC77, 0xC84: true
    case 0xD00, 0xD3B...0xD3C, 0xD81, 0xEBA, 0xECE, 0x180F...0x1886, 0x1ABF...0x1ACE, 0x1B4E...0x1B4F, 0x1B7D...0x1B7F:
      true
    case 0x1DF6...0x1DFB, 0x2E43...0x2E5D, 0xA82C, 0xA8C5, 0xA8FF, 0xA9BD: true
    case 0x113B8...0x113E2, 0x11BE1, 0x1611E...0x1612F, 0x1E5EE...0x1E5FF: true
    case 0x10D24...0x10F89, 0x11070...0x11074, 0x110C2...0x110CD, 0x111C9, 0x111CF, 0x1123E...0x11241, 0x1133B: true
    case 0x11438...0x1145E, 0x11660...0x1166C, 0x116B9, 0x1182F...0x11FFF, 0x12FF1...0x13455: true
    case 0x16D6D...0x16D6F, 0x16E97...0x16F4F, 0x16FE2...0x16FE4, 0x1CF00...0x1CF46, 0x1E000...0x1E4EF,
      0x1E944...0x1E95F:
      true
    default: false
    }
  }
}
