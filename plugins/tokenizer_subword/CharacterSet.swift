import CUtf8proc
import ClipBase

/// A set of characters of a regular expression: `[^\s\p{L}a-z]`, `\d`, `.`, or one character.
struct CharacterSet {
  enum Item {
    case range(UInt32, UInt32)
    /// General categories: bit i is category i of utf8proc.
    case categories(UInt32)
    case space
    case word
    indirect case not(Item)
    indirect case set(CharacterSet)

    func contains(_ scalar: UInt32) -> Bool {
      switch self {
      case .range(let first, let last): scalar >= first && scalar <= last
      case .categories(let mask): mask >> UInt32(category(scalar).rawValue) & 1 != 0
      case .space: CharacterKind(scalar) == .space
      case .word: isWord(scalar)
      case .not(let item): !item.contains(scalar)
      case .set(let set): set.contains(scalar)
      }
    }
  }

  private let items: [Item]
  private let isNegated: Bool
  private let ignoresCase: Bool
  /// Membership of the 128 characters of ASCII.
  private var ascii: (UInt64, UInt64) = (0, 0)

  init(_ items: [Item], isNegated: Bool = false, ignoresCase: Bool = false) {
    self.items = items
    self.isNegated = isNegated
    self.ignoresCase = ignoresCase
    for scalar in UInt32(0)..<64 where find(scalar) { ascii.0 |= 1 << UInt64(scalar) }
    for scalar in UInt32(0)..<64 where find(scalar + 64) { ascii.1 |= 1 << UInt64(scalar) }
  }

  func contains(_ scalar: UInt32) -> Bool {
    if scalar < 64 { return ascii.0 >> UInt64(scalar) & 1 != 0 }
    if scalar < 128 { return ascii.1 >> UInt64(scalar - 64) & 1 != 0 }
    return find(scalar)
  }

  private func find(_ scalar: UInt32) -> Bool {
    for item in items {
      if item.contains(scalar) { return !isNegated }
      guard ignoresCase else { continue }
      // Two letters beyond ASCII have lower-case forms in ASCII: the long s and the Kelvin sign.
      let lower = lowercased(scalar)
      for other in [
        scalar == 0x17F ? 0x73 : lower, uppercased(scalar), scalar == 0x73 || scalar == 0x53 ? 0x17F : lower,
      ]
      where item.contains(other) { return !isNegated }
    }
    return isNegated
  }

  /// The general categories of a name such as "L" or "Lu"; nil for an unknown name.
  static func categories(_ name: Name) -> UInt32? {
    // In the order of utf8proc_category_t.
    let names: StaticString = "CnLuLlLtLmLoMnMcMeNdNlNoPcPdPsPePiPfPoSmScSkSoZsZlZpCcCfCsCo"
    guard name.utf8.count == 1 || name.utf8.count == 2 else { return nil }
    var mask: UInt32 = 0
    for index in 0..<(names.utf8CodeUnitCount / 2) {
      let isMatch =
        names.utf8Start[2 * index] == name.utf8[0]
        && (name.utf8.count == 1 || names.utf8Start[2 * index + 1] == name.utf8[1])
      if isMatch { mask |= 1 << UInt32(index) }
    }
    return mask == 0 ? nil : mask
  }
}

/// Unicode's property Alphabetic, marks, decimal digits and connecting punctuation: `\w`.
func isWord(_ scalar: UInt32) -> Bool {
  switch category(scalar) {
  case UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LL, UTF8PROC_CATEGORY_LT, UTF8PROC_CATEGORY_LM, UTF8PROC_CATEGORY_LO,
    UTF8PROC_CATEGORY_MN, UTF8PROC_CATEGORY_MC, UTF8PROC_CATEGORY_ME, UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NL,
    UTF8PROC_CATEGORY_PC:
    return true
  default: break
  }
  switch scalar {
  case 0x24B6...0x24E9, 0x1F130...0x1F149, 0x1F150...0x1F169, 0x1F170...0x1F189: return true  // letters in circles
  default: return false
  }
}

func uppercased(_ scalar: UInt32) -> UInt32 {
  UInt32(bitPattern: utf8proc_toupper(Int32(truncatingIfNeeded: scalar)))
}

/// `\w` of Rust's regular expressions, which has the two joiners as well.
func isWordCharacter(_ scalar: UInt32) -> Bool { isWord(scalar) || scalar == 0x200C || scalar == 0x200D }
