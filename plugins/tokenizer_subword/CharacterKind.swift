import CUtf8proc
import ClipBase

/// The character classes of CLIP's split pattern: `\p{L}`, `\p{N}`, `\s` and all others.
enum CharacterKind {
  case letter, number, space, other

  init(_ scalar: UInt32) {
    if scalar < 0x80 {
      let lower = scalar | 0x20
      if lower >= 0x61, lower <= 0x7A {
        self = .letter
      } else if scalar >= 0x30, scalar <= 0x39 {
        self = .number
      } else {
        self = scalar == 0x20 || (scalar >= 0x09 && scalar <= 0x0D) ? .space : .other
      }
      return
    }
    switch category(scalar) {
    case UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LL, UTF8PROC_CATEGORY_LT, UTF8PROC_CATEGORY_LM, UTF8PROC_CATEGORY_LO:
      self = .letter
    case UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NL, UTF8PROC_CATEGORY_NO:
      self = .number
    case UTF8PROC_CATEGORY_ZS, UTF8PROC_CATEGORY_ZL, UTF8PROC_CATEGORY_ZP:
      self = .space
    default:
      self = scalar == 0x85 ? .space : .other
    }
  }
}

/// The general category in Unicode 16, which `tokenizers` is built on.
func category(_ scalar: UInt32) -> utf8proc_category_t {
  let known = utf8proc_category(Int32(truncatingIfNeeded: scalar))
  return known == UTF8PROC_CATEGORY_CN ? categorySince16(scalar) : known
}

/// The category of a character that Unicode 15.1 or 16.0 added.
private func categorySince16(_ scalar: UInt32) -> utf8proc_category_t {
  switch scalar {
  case 0x1C89, 0xA7CB...0xA7CC, 0xA7DA, 0xA7DC, 0x10D50...0x10D65: UTF8PROC_CATEGORY_LU
  case 0x1C8A, 0xA7CD, 0xA7DB, 0x10D70...0x10D85: UTF8PROC_CATEGORY_LL
  case 0x10D4E, 0x10D6F, 0x16D40...0x16D42, 0x16D6B...0x16D6C: UTF8PROC_CATEGORY_LM
  case 0x105C0...0x105F3, 0x10D4A...0x10D4D, 0x10D4F, 0x10EC2...0x10EC4, 0x11380...0x11389, 0x1138B, 0x1138E,
    0x11390...0x113B5, 0x113B7, 0x113D1, 0x113D3, 0x11BC0...0x11BE0, 0x13460...0x143FA, 0x16100...0x1611D,
    0x16D43...0x16D6A, 0x18CFF, 0x1E5D0...0x1E5ED, 0x1E5F0, 0x2EBF0...0x2EE5D:
    UTF8PROC_CATEGORY_LO
  case 0x10D40...0x10D49, 0x116D0...0x116E3, 0x11BF0...0x11BF9, 0x16130...0x16139, 0x16D70...0x16D79,
    0x1CCF0...0x1CCF9, 0x1E5F1...0x1E5FA:
    UTF8PROC_CATEGORY_ND
  case 0x897, 0x10D69...0x10D6D, 0x10EFC, 0x113B8...0x113C0, 0x113C2, 0x113C5, 0x113C7...0x113CA, 0x113CC...0x113D0,
    0x113D2, 0x113E1...0x113E2, 0x11F5A, 0x1611E...0x1612F, 0x1E5EE...0x1E5EF:
    UTF8PROC_CATEGORY_MN
  case 0x1B4E...0x1B4F, 0x1B7F, 0x10D6E, 0x113D4...0x113D5, 0x113D7...0x113D8, 0x11BE1, 0x16D6D...0x16D6F, 0x1E5FF:
    UTF8PROC_CATEGORY_PO
  case 0x2427...0x2429, 0x2FFC...0x2FFF, 0x31E4...0x31E5, 0x31EF, 0x10D8E...0x10D8F, 0x1CC00...0x1CCEF,
    0x1CD00...0x1CEB3, 0x1F8B2...0x1F8BB, 0x1F8C0...0x1F8C1, 0x1FA89, 0x1FA8F, 0x1FABE, 0x1FAC6, 0x1FADC, 0x1FADF,
    0x1FAE9, 0x1FBCB...0x1FBEF:
    UTF8PROC_CATEGORY_SO
  default: UTF8PROC_CATEGORY_CN
  }
}

/// White space of Python's str.isspace, str.split and str.strip: Unicode's White_Space and the four
/// information separators.
func isPythonSpace(_ scalar: UInt32) -> Bool {
  (scalar >= 0x1C && scalar <= 0x1F) || CharacterKind(scalar) == .space
}

/// `\w` of Python's re module: letters, numbers and the underscore.
func isPythonWord(_ scalar: UInt32) -> Bool {
  let kind = CharacterKind(scalar)
  return kind == .letter || kind == .number || scalar == 0x5F
}

/// General category M of Unicode 9, which StripAccents of `tokenizers` is built on.
func isMark(_ scalar: UInt32) -> Bool {
  if scalar < 0x300 { return false }
  switch scalar {
  case 0x1CF2, 0x1CF3: return true
  case 0x7FD, 0x897...0x8D3, 0x9FE, 0xAFA...0xAFF, 0xB55, 0xC04...0xC3C, 0xCF3...0xD00, 0xD3B...0xD3C, 0xD81, 0xEBA,
    0xECE, 0x1715, 0x180F, 0x1ABF...0x1ACE, 0x1CF7, 0x1DF6...0x1DFA, 0xA82C, 0xA8FF, 0x10D24...0x10F85,
    0x11070...0x11074, 0x110C2, 0x11145...0x11146, 0x111C9, 0x111CE...0x111CF, 0x11241, 0x1133B, 0x113B8...0x113E2,
    0x1145E, 0x1182C...0x11A99, 0x11D31...0x1612F, 0x16F4F, 0x16F7F...0x16F87, 0x16FE4...0x16FF1, 0x1CF00...0x1CF46,
    0x1E08F...0x1E5EF:
    return false
  default: break
  }
  switch category(scalar) {
  case UTF8PROC_CATEGORY_MN, UTF8PROC_CATEGORY_MC, UTF8PROC_CATEGORY_ME: return true
  default: return false
  }
}
