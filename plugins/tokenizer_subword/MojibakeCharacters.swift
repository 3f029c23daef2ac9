import ClipBase

/// The sets of characters by which mojibake, UTF-8 decoded in a wrong encoding, is recognised. The sets are
/// those of ftfy 6.3 (Robyn Speer, Apache-2.0, https://ftfy.readthedocs.io).
struct CharacterSets: OptionSet {
  let rawValue: UInt64

  private init(bit: UInt64) { rawValue = 1 << bit }
  init(rawValue: UInt64) { self.rawValue = rawValue }

  // Kinds of characters that occur in mojibake.
  static var common: Self { Self(bit: 0) }
  static var c1: Self { Self(bit: 1) }
  /// Rarely intended.
  static var bad: Self { Self(bit: 2) }
  static var law: Self { Self(bit: 3) }
  static var currency: Self { Self(bit: 4) }
  static var start: Self { Self(bit: 5) }
  static var end: Self { Self(bit: 6) }
  static var numeric: Self { Self(bit: 7) }
  static var kaomoji: Self { Self(bit: 8) }
  static var upperAccented: Self { Self(bit: 9) }
  static var lowerAccented: Self { Self(bit: 10) }
  static var upperCommon: Self { Self(bit: 11) }
  static var lowerCommon: Self { Self(bit: 12) }
  static var box: Self { Self(bit: 13) }

  // Misread lead and continuation bytes of UTF-8 sequences of two, three and four bytes.
  static var firstOf2: Self { Self(bit: 14) }
  static var firstOf3: Self { Self(bit: 15) }
  static var firstOf4: Self { Self(bit: 16) }
  static var continuation: Self { Self(bit: 17) }
  static var strictContinuation: Self { Self(bit: 18) }

  // Sets that one rule uses, named after the rule's first character or encoding.
  static var oe: Self { Self(bit: 19) }
  static var degree: Self { Self(bit: 20) }
  static var windowsLead: Self { Self(bit: 21) }
  static var windowsTail: Self { Self(bit: 22) }
  static var superscript: Self { Self(bit: 23) }
  static var arabicLead: Self { Self(bit: 24) }
  static var arabicTail: Self { Self(bit: 25) }
  static var southAsianTail: Self { Self(bit: 26) }
  static var rootTail: Self { Self(bit: 27) }
  static var approximatelyTail: Self { Self(bit: 28) }
  static var lowQuoteTail: Self { Self(bit: 29) }
  static var lowQuoteMiddle: Self { Self(bit: 30) }
  static var lowQuoteEnd: Self { Self(bit: 31) }
  static var cyrillicLead: Self { Self(bit: 32) }
  static var cyrillicTail: Self { Self(bit: 33) }
  static var greekLead: Self { Self(bit: 34) }
  static var betaEuroTail: Self { Self(bit: 35) }
  static var tildeTail: Self { Self(bit: 36) }
  static var tildeOrCircumflexA: Self { Self(bit: 37) }
  static var sentenceEnd: Self { Self(bit: 38) }

  // General classes, computed for each character.
  static var latinLetter: Self { Self(bit: 39) }
  static var latinLower: Self { Self(bit: 40) }
  static var notLatinLetter: Self { Self(bit: 41) }
  static var space: Self { Self(bit: 42) }
  static var blank: Self { Self(bit: 43) }
  static var word: Self { Self(bit: 44) }
  static var notNewline: Self { Self(bit: 45) }
  /// The position before the first character.
  static var textStart: Self { Self(bit: 46) }
}

/// A table of characters: their sets, and their bytes in each single-byte encoding.
struct MojibakeCharacters {
  private struct Entry {
    var sets: CharacterSets = []
    /// Indexed by SingleByteEncoding.rawValue; 0 if the encoding lacks the character.
    var bytes = SIMD16<UInt8>(repeating: 0)
  }

  /// A two-level table from code point to index in `entries`: `pages` has the page of each block of 256 code
  /// points, `indices` the pages. Page 0 and entry 0 are empty.
  private var pages = [UInt8](repeating: 0, count: 256)
  private var indices = [UInt16](repeating: 0, count: 256)
  private var entries = [Entry()]

  init() {
    for (sets, members) in MojibakeCharacters.members { add(sets, members) }
    for encoding in SingleByteEncoding.allCases {
      if encoding == .latin1 {
        for byte in UInt8(0x80)...0xFF { setByte(byte, of: UInt32(byte), in: encoding) }
      } else {
        var byte: UInt8 = 0x80
        for scalar in UTF8Text.scalars(encoding.upperHalf) {
          setByte(byte, of: scalar, in: encoding)
          byte &+= 1
        }
      }
      if encoding.isSloppy { setByte(0x1A, of: 0xFFFD, in: encoding) }
    }
  }

  /// The character's byte in `encoding`; nil if it has none.
  func byte(_ scalar: UInt32, in encoding: SingleByteEncoding) -> UInt8? {
    if scalar < 0x80 { return scalar == 0x1A && encoding.isSloppy ? nil : UInt8(scalar) }
    let byte = entries[index(scalar)].bytes[encoding.rawValue]
    return byte == 0 ? nil : byte
  }

  func sets(_ scalar: UInt32) -> CharacterSets {
    var sets = entries[index(scalar)].sets
    let lower = scalar | 0x20
    if scalar < 0x80, lower >= 0x61, lower <= 0x7A {
      sets.formUnion(scalar == lower ? [.latinLetter, .latinLower] : .latinLetter)
    } else {
      sets.insert(.notLatinLetter)
    }
    if isPythonSpace(scalar) { sets.insert(.space) }
    if isPythonWord(scalar) { sets.insert(.word) }
    if scalar == 0x20 { sets.insert(.blank) }
    if scalar != 0x0A { sets.insert(.notNewline) }
    return sets
  }

  private func index(_ scalar: UInt32) -> Int {
    scalar < 0x1_0000 ? Int(indices[Int(pages[Int(scalar >> 8)]) << 8 | Int(scalar & 0xFF)]) : 0
  }

  /// The index of the entry of `scalar`, which must be below 65,536; adds an entry if there is none.
  private mutating func makeIndex(_ scalar: UInt32) -> Int {
    let page = Int(scalar >> 8)
    if pages[page] == 0 {
      pages[page] = UInt8(indices.count >> 8)
      indices.append(contentsOf: [UInt16](repeating: 0, count: 256))
    }
    let at = Int(pages[page]) << 8 | Int(scalar & 0xFF)
    if indices[at] == 0 {
      indices[at] = UInt16(entries.count)
      entries.append(Entry())
    }
    return Int(indices[at])
  }

  private mutating func setByte(_ byte: UInt8, of scalar: UInt32, in encoding: SingleByteEncoding) {
    entries[makeIndex(scalar)].bytes[encoding.rawValue] = byte
  }

  /// Adds the members of `sets`: characters and ranges such as a-z.
  private mutating func add(_ sets: CharacterSets, _ members: StaticString) {
    let list = UTF8Text.scalars(members)
    var at = 0
    while at < list.count {
      let isRange = at + 2 < list.count && list[at + 1] == 0x2D
      for scalar in list[at]...(isRange ? list[at + 2] : list[at]) { entries[makeIndex(scalar)].sets.formUnion(sets) }
      at += isRange ? 3 : 1
    }
  }

  private static var members: [(CharacterSets, StaticString)] {
    [
      (.common, "\u{A0}\u{AD}´·–—\u{2015}’…"),
      (.c1, "\u{80}-\u{9F}"),
      (.bad, "¤¦¨ª¬¯¸ºƒˆˇ˘˛˜†‡‰⌐◊\u{FFFD}"),
      (.law, "§¶"),
      (.currency, "¢£¥₧€"),
      (.start, "¡©«¿΄΅‘‚“„•‹\u{F8FF}"),
      (.end, "®»˝”›™"),
      (.numeric, "±²³µ¹¼½¾×÷⁄№∂∆∏∑√∞∩∫≈≠≡≤≥"),
      (.kaomoji, "°Ò-ÖÙ-Üò-öø-üŌŐŪŲ"),
      (.upperAccented, "À-ÑØÜÝĀĂĄĆČĎĐĒĖĘĚĞĢĪİĶĹĻĽŁŃŅŇŒŘŚŞŠŢŤŮŰŸŹŻŽҐ"),
      (.lowerAccented, "ß-ñüāăąćčďđēėęěğģīįķĺļľłœŕśşšťźżžґﬁﬂ"),
      (.upperCommon, "ÞΆΈΉΊΌΎΏΑ-ΫЁ-Я"),
      (.lowerCommon, "ά-ωа-џ"),
      (.box, "│┌┐┘├┤┬┼═-╬▀▄█▌▐-▓"),
      (.firstOf2, "Â-ßĀĂĆČĎĐĒĖĘĚĞĢĪİĶĹĻŁŃŅŇŌŐŘŚŞŠŢŪŮŰŲŹŻŽΒ-ΡΣ-ίВ-Я"),
      (.firstOf3, "à-ïāăąćčďēėęěģīįķĺļŕźΰ-οа-п"),
      (.firstOf4, "ðóđğšπσру"),
      (.continuation, "\u{20}\u{80}-¿ÆØæøĄąĽľŁłŒœŖŗŚśŞ-šŤťŸ-žƒˆˇ˘˛˜˝΄΅ΆΈΉΊΌΎΏЁ-ЌЎЏё-ќўџҐґ–—\u{2015}‘’‚“”„†‡•…‰‹›€№™"),
      (.strictContinuation, "\u{80}-¿ÆØæøĄąĽľŁłŒœŖŗŚśŞ-šŤťŸ-žƒˆˇ˘˛˜˝΄΅ΆΈΉΊΌΎΏЁ-ЌЎЏё-ќўџҐґ†‡‰‹›€№™"),
      (.oe, "Œœ"),
      (.degree, "°"),
      (.windowsLead, "ÂÃÎÐ"),
      (.windowsTail, "\u{A0}¢£©\u{AD}®°´·»œŠšŸž–—€"),
      (.superscript, "²³"),
      (.arabicLead, "ØÙ"),
      (.arabicTail, "®°µ»ŠŸ"),
      (.southAsianTail, "²µ¹¼½¾"),
      (.rootTail, "¥®±´µø†™∂≠≤≥"),
      (.approximatelyTail, "¢°"),
      (.lowQuoteTail, "¢°ìîïòôùúûπ†"),
      (.lowQuoteMiddle, "âó"),
      (.lowQuoteEnd, "°àäê"),
      (.cyrillicLead, "ВГРС"),
      (.cyrillicTail, "°µ"),
      (.greekLead, "ΒΓΞΟ"),
      (.betaEuroTail, "\u{A0}\u{AD}®°Ά™"),
      (.tildeTail, "\u{A0}¡"),
      (.tildeOrCircumflexA, "ÂÃ"),
      (.sentenceEnd, ".,?!"),
    ]
  }
}
