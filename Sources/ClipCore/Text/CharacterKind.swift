import CUtf8proc

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

func category(_ scalar: UInt32) -> utf8proc_category_t { utf8proc_category(Int32(truncatingIfNeeded: scalar)) }

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

/// General category M: combining marks of all kinds.
func isMark(_ scalar: UInt32) -> Bool {
  if scalar < 0x300 { return false }
  switch category(scalar) {
  case UTF8PROC_CATEGORY_MN, UTF8PROC_CATEGORY_MC, UTF8PROC_CATEGORY_ME: return true
  default: return false
  }
}
