import CUtf8proc
import ClipBase

/// Lower case with Unicode's full mappings, which differ from the simple ones for İ alone.
///
/// With `finalSigma`, Σ at the end of a word becomes ς, as in Python's str.lower. Hugging Face's normaliser
/// maps each letter by itself.
func lowercased(_ scalars: Scalars, finalSigma: Bool) -> Scalars {
  var result = Scalars()
  result.reserveCapacity(scalars.count)
  for (index, scalar) in scalars.enumerated() {
    if scalar == 0x130 {
      result.append(0x69)
      result.append(0x307)
    } else if scalar == 0x3A3, finalSigma, isFinal(scalars, index) {
      result.append(0x3C2)
    } else {
      result.append(lowercased(scalar))
    }
  }
  return result
}

/// The simple lower-case mapping of one scalar.
func lowercased(_ scalar: UInt32) -> UInt32 {
  if scalar < 0x80 { return scalar >= 0x41 && scalar <= 0x5A ? scalar | 0x20 : scalar }
  switch scalar {
  // Letters that Unicode 16 and 17 added.
  case 0x1C89, 0xA7CC, 0xA7CE, 0xA7D2, 0xA7D4, 0xA7DA: return scalar + 1
  case 0xA7CB: return 0x264
  case 0xA7DC: return 0x19B
  case 0x10D50...0x10D65: return scalar + 0x20
  case 0x16EA0...0x16EB8: return scalar + 0x1B
  default: return UInt32(bitPattern: utf8proc_tolower(Int32(truncatingIfNeeded: scalar)))
  }
}

/// Unicode's condition Final_Sigma (chapter 3.13): a cased letter comes before and none after, with any number
/// of case-ignorable characters between.
private func isFinal(_ scalars: Scalars, _ index: Int) -> Bool {
  var before = index - 1
  while before >= 0, isCaseIgnorable(scalars[before]) { before -= 1 }
  guard before >= 0, isCased(scalars[before]) else { return false }
  var after = index + 1
  while after < scalars.count, isCaseIgnorable(scalars[after]) { after += 1 }
  return after == scalars.count || !isCased(scalars[after])
}

/// Unicode's property Cased, for characters that are not case-ignorable.
private func isCased(_ scalar: UInt32) -> Bool {
  switch category(scalar) {
  case UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LL, UTF8PROC_CATEGORY_LT: return true
  default: break
  }
  switch scalar {
  case 0xAA, 0xBA: return true  // ordinal indicators
  case 0x2160...0x217F: return true  // Roman numerals
  case 0x24B6...0x24E9: return true  // circled letters
  case 0x1F130...0x1F149, 0x1F150...0x1F169, 0x1F170...0x1F189: return true  // squared letters
  default: return false
  }
}

/// Unicode's property Case_Ignorable.
private func isCaseIgnorable(_ scalar: UInt32) -> Bool {
  switch category(scalar) {
  case UTF8PROC_CATEGORY_MN, UTF8PROC_CATEGORY_ME, UTF8PROC_CATEGORY_CF, UTF8PROC_CATEGORY_LM, UTF8PROC_CATEGORY_SK:
    return true
  default: break
  }
  switch scalar {
  case 0x27, 0x2E, 0x3A, 0xB7, 0x387, 0x55F, 0x5F4, 0x2018, 0x2019, 0x2024, 0x2027: return true
  case 0xFE13, 0xFE52, 0xFE55, 0xFF07, 0xFF0E, 0xFF1A: return true
  default: return false
  }
}
