import CUtf8proc

/// The inflections of English words.
enum Inflection {
  case none
  /// Of a noun.
  case plural
  /// Of a verb: -s, -ed and -ing. `past` is the past tense and the past participle.
  case thirdPerson, past, gerund
  /// Of an adjective: -er and -est.
  case comparative, superlative
}

/// A possible analysis of a word: its base form and its inflection.
struct Reading {
  let base: [UInt8]
  let inflection: Inflection
}

func lowered(_ code: Int32) -> Int32 { utf8proc_tolower(code) }

/// The possible analyses of `word`: the word as a base form, and the base forms of the exception list or, if it has
/// none, of morphy(7WN)'s rules of detachment.
func readings(_ word: [UInt8], _ dictionary: PartDictionary) -> [Reading] {
  var result = [Reading(base: word, inflection: .none)]
  let bases = dictionary.bases(word)
  for base in bases { result.append(Reading(base: base, inflection: inflectionByEnding(word, base, dictionary.part))) }
  if !bases.isEmpty { return result }
  for (ending, replacement, inflection) in rules(dictionary.part) where word.count > ending.utf8CodeUnitCount {
    let end = bytes(ending)
    if hasSuffix(word, end) {
      result.append(Reading(base: word.dropLast(end.count) + bytes(replacement), inflection: inflection))
    }
  }
  return result
}

/// Rules of detachment: an ending, its replacement in the base form, and the inflection.
private func rules(_ part: PartOfSpeech) -> [(StaticString, StaticString, Inflection)] {
  switch part {
  case .noun:
    [
      ("s", "", .plural), ("ses", "s", .plural), ("xes", "x", .plural), ("zes", "z", .plural), ("ches", "ch", .plural),
      ("shes", "sh", .plural), ("men", "man", .plural), ("ies", "y", .plural),
    ]
  case .verb:
    [
      ("s", "", .thirdPerson), ("ies", "y", .thirdPerson), ("es", "e", .thirdPerson), ("es", "", .thirdPerson),
      ("ed", "e", .past), ("ed", "", .past), ("ing", "e", .gerund), ("ing", "", .gerund),
    ]
  case .adjective:
    [("er", "", .comparative), ("est", "", .superlative), ("er", "e", .comparative), ("est", "e", .superlative)]
  case .adverb: []
  }
}

/// The inflection of a form in the exception list, guessed from its ending.
private func inflectionByEnding(_ form: [UInt8], _ base: [UInt8], _ part: PartOfSpeech) -> Inflection {
  if form == base { return .none }
  switch part {
  case .noun: return .plural
  case .verb: return hasSuffix(form, bytes("ing")) ? .gerund : hasSuffix(form, bytes("s")) ? .thirdPerson : .past
  case .adjective, .adverb: return hasSuffix(form, bytes("est")) ? .superlative : .comparative
  }
}

/// Inflects a base form of WordNet, which may consist of several words: of a noun the last word, of a verb the first.
/// nil if WordNet does not determine the form: verbs with a past tense that differs from the past participle,
/// comparatives that it does not list, plurals of names and of nouns with a preposition.
func inflected(_ base: [UInt8], _ inflection: Inflection, _ dictionary: PartDictionary) -> [UInt8]? {
  if inflection == .none { return base }
  var listed: [[UInt8]] = []
  for form in dictionary.forms(mapCase(base, lowered))
  where inflectionByEnding(form, base, dictionary.part) == inflection {
    listed.append(form)
  }
  if let form = listed.first {
    let differ = inflection == .past && listed.contains { $0 != form }
    return differ ? nil : form
  }
  // The rules do not apply to the plurals of names, such as those of species.
  if base.contains(where: { $0 >= 0x41 && $0 <= 0x5A }) { return nil }
  let parts = base.split(separator: 0x5F, omittingEmptySubsequences: false)
  guard let first = parts.first, let last = parts.last, !last.isEmpty, !first.isEmpty else { return nil }
  if parts.count > 1 {
    switch dictionary.part {
    case .noun:
      for part in parts.dropFirst().dropLast() where isPreposition(part) { return nil }
      guard let form = inflected(Array(last), inflection, dictionary) else { return nil }
      return base.prefix(base.count - last.count) + form
    case .verb:
      guard let form = inflected(Array(first), inflection, dictionary) else { return nil }
      return form + base.dropFirst(first.count)
    case .adjective, .adverb: return nil
    }
  }
  guard let letter = last.last, letter | 0x20 >= 0x61, letter | 0x20 <= 0x7A else { return nil }
  switch inflection {
  case .plural: return hasSuffix(base, bytes("man")) ? nil : addingS(base)
  case .thirdPerson: return addingS(base)
  case .past:
    if letter == 0x65 { return base + bytes("d") }
    return endsInConsonantY(base) ? base.dropLast() + bytes("ied") : base + bytes("ed")
  case .gerund:
    if hasSuffix(base, bytes("ie")) { return base.dropLast(2) + bytes("ying") }
    let keeps =
      base.count < 3 || hasSuffix(base, bytes("ee")) || hasSuffix(base, bytes("oe")) || hasSuffix(base, bytes("ye"))
    return letter == 0x65 && !keeps ? base.dropLast() + bytes("ing") : base + bytes("ing")
  case .comparative, .superlative, .none: return nil
  }
}

/// `base` with the ending -s, -es or -ies.
private func addingS(_ base: [UInt8]) -> [UInt8] {
  if endsInConsonantY(base) { return base.dropLast() + bytes("ies") }
  for ending: StaticString in ["s", "x", "z", "ch", "sh"] where hasSuffix(base, bytes(ending)) {
    return base + bytes("es")
  }
  return base + bytes("s")
}

private func endsInConsonantY(_ base: [UInt8]) -> Bool {
  guard base.count > 1, base.last == 0x79 else { return false }
  return !bytes("aeiou").contains(base[base.count - 2])
}

private func isPreposition(_ word: ArraySlice<UInt8>) -> Bool {
  for one: StaticString in ["of", "in", "on", "at", "to", "for", "from", "by", "de", "with", "and", "the", "a", "an"]
  where word.elementsEqual(bytes(one)) { return true }
  return false
}

private func hasSuffix(_ word: [UInt8], _ ending: [UInt8]) -> Bool { word.suffix(ending.count).elementsEqual(ending) }
