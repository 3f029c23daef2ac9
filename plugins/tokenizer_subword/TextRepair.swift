import CClip
import CUtf8proc
import ClipBase

/// open_clip's cleanings of captions: ftfy 6.3's fix_text with default settings, HTML entities decoded twice, white space
/// collapsed (clean="whitespace"), then lower case (clean="lower", OpenAI's), or without punctuation (clean="canonicalize").
struct TextRepair {
  private let entities = HTMLEntities()
  private let encodings = EncodingRepair()

  /// The most characters that are repaired as one line.
  private static var lineLimit: Int { 1_000_000 }

  func clean(_ text: Scalars, _ cleaning: TextCleaning) throws(ClipError) -> Scalars {
    if cleaning == .huggingFace { return text }
    var repaired = entities.unescape(entities.unescape(try repair(text)))
    if cleaning == .canonical {
      repaired = repaired.compactMap {
        $0 < 0x80 && $0 != 0x5F && BertCharacters.isPunctuation($0) ? nil : $0 == 0x5F ? 0x20 : $0
      }
      repaired = lowercased(repaired, finalSigma: true)
    }
    repaired = collapseSpace(repaired)
    return cleaning == .openAI ? lowercased(repaired, finalSigma: true) : repaired
  }

  /// ftfy's fix_text, line by line. From the first line with a `<` on, the text counts as HTML and its entities are kept.
  private func repair(_ text: Scalars) throws(ClipError) -> Scalars {
    var result = Scalars()
    result.reserveCapacity(text.count)
    var work = WorkLimit(length: text.count)
    var hasMarkup = false
    var start = 0
    while start < text.count {
      let limit = min(text.count - start, TextRepair.lineLimit)
      var end = start
      while end < start + limit, text[end] != 0x0A { end += 1 }
      if end < start + limit { end += 1 }
      let line = Array(text[start..<end])
      if line.contains(0x3C) { hasMarkup = true }
      result += try repair(line: line, unescaping: !hasMarkup, &work)
      start = end
    }
    return result
  }

  private func repair(line: Scalars, unescaping: Bool, _ work: inout WorkLimit) throws(ClipError) -> Scalars {
    var line = line
    while true {
      try work.spend(line.count)
      var next = unescaping ? try entities.unescapeStrictly(line) : line
      next = encodings.fixC1Controls(try encodings.repair(next, &work))
      next = try plainCharacters(next)
      next = try normalizedNFC(withoutControls(withoutTerminalEscapes(next)))
      if next == line { return line }
      line = next
    }
  }

  /// Splits ligatures, replaces full- and half-width forms by normal ones, straightens quotes, and makes every line
  /// break `\n`.
  private func plainCharacters(_ text: Scalars) throws(ClipError) -> Scalars {
    var result = Scalars()
    result.reserveCapacity(text.count)
    for (index, scalar) in text.enumerated() {
      if scalar == 0x0D {
        // CR LF becomes LF.
        if index + 1 == text.count || text[index + 1] != 0x0A { result.append(0x0A) }
      } else if scalar < 0x85 {
        result.append(scalar)
      } else if scalar == 0x85 || scalar == 0x2028 || scalar == 0x2029 {
        result.append(0x0A)
      } else if scalar == 0x2BC || (scalar >= 0x2018 && scalar <= 0x201B) {
        result.append(0x27)
      } else if scalar >= 0x201C && scalar <= 0x201F {
        result.append(0x22)
      } else if scalar == 0x3000 {
        result.append(0x20)
      } else if scalar >= 0xFF01 && scalar <= 0xFFEF {
        result += try normalizedNFKC(scalar)
      } else if let parts = ligature(scalar) {
        result += UTF8Text.scalars(parts)
      } else {
        result.append(scalar)
      }
    }
    return result
  }

  private func ligature(_ scalar: UInt32) -> StaticString? {
    switch scalar {
    case 0x132: "IJ"
    case 0x133: "ij"
    case 0x149: "'n"
    case 0x1C4: "DŽ"
    case 0x1C5: "Dž"
    case 0x1C6: "dž"
    case 0x1C7: "LJ"
    case 0x1C8: "Lj"
    case 0x1C9: "lj"
    case 0x1CA: "NJ"
    case 0x1CB: "Nj"
    case 0x1CC: "nj"
    case 0x1F1: "DZ"
    case 0x1F2: "Dz"
    case 0x1F3: "dz"
    case 0xFB00: "ff"
    case 0xFB01: "fi"
    case 0xFB02: "fl"
    case 0xFB03: "ffi"
    case 0xFB04: "ffl"
    case 0xFB05: "ſt"
    case 0xFB06: "st"
    default: nil
    }
  }

  /// Removes terminal escapes: `ESC [`, digits and semicolons, a letter.
  private func withoutTerminalEscapes(_ text: Scalars) -> Scalars {
    guard text.contains(0x1B) else { return text }
    var result = Scalars()
    var at = 0
    while at < text.count {
      if text[at] == 0x1B, at + 1 < text.count, text[at + 1] == 0x5B {
        var end = at + 2
        while end < text.count, text[end] == 0x3B || category(text[end]) == UTF8PROC_CATEGORY_ND { end += 1 }
        if end < text.count, text[end] < 0x80, CharacterKind(text[end]) == .letter {
          at = end + 1
          continue
        }
      }
      result.append(text[at])
      at += 1
    }
    return result
  }

  /// Removes invisible control characters. C1 controls stay: they are evidence of mojibake.
  private func withoutControls(_ text: Scalars) -> Scalars {
    text.filter { scalar in
      switch scalar {
      case 0x00...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x206A...0x206F, 0xFEFF, 0xFFF9...0xFFFC: false
      default: true
      }
    }
  }

  /// Replaces each run of white space by one space, and removes it at the ends.
  private func collapseSpace(_ text: Scalars) -> Scalars {
    var result = Scalars()
    result.reserveCapacity(text.count)
    var hasSpace = false
    for scalar in text {
      if isPythonSpace(scalar) {
        hasSpace = true
      } else {
        if hasSpace, !result.isEmpty { result.append(0x20) }
        hasSpace = false
        result.append(scalar)
      }
    }
    return result
  }
}
