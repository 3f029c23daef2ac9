import CClip
import CSystem
import ClipPluginKit

enum PartOfSpeech: Int {
  case noun, verb, adjective, adverb

  static var all: [PartOfSpeech] { [.noun, .verb, .adjective, .adverb] }
  var suffix: String {
    switch self {
    case .noun: "noun"
    case .verb: "verb"
    case .adjective: "adj"
    case .adverb: "adv"
    }
  }
  /// The letters of data files; the second is the adjective satellite's.
  var letters: (UInt8, UInt8) {
    switch self {
    case .noun: (0x6E, 0x6E)
    case .verb: (0x76, 0x76)
    case .adjective: (0x61, 0x73)
    case .adverb: (0x72, 0x72)
    }
  }
}

/// A word of an index: how many of its senses there are, how many of those are found in tagged texts, and
/// where the synsets are, the most frequent first.
struct Entry {
  var senses: Int
  var tagged: Int
  var synsets: [Int]
}

/// WordNet's dictionary of one part of speech. Does not change.
final class PartDictionary {
  let part: PartOfSpeech
  let index: DictionaryFile
  let data: DictionaryFile
  let exceptions: DictionaryFile

  /// Opens the files of `folder` and looks at every line of them.
  convenience init(_ part: PartOfSpeech, _ folder: String) throws(PluginFailure) {
    let index = try DictionaryFile(folder + "/index." + part.suffix)
    let data = try DictionaryFile(folder + "/data." + part.suffix)
    let exceptions = try DictionaryFile(folder + "/" + part.suffix + ".exc")
    self.init(part, index, data, exceptions)
    try index.checkLines { fields throws(PluginFailure) in
      let entry = try self.entry(&fields)
      for synset in entry.synsets { try self.forEachWord(of: synset) { _ in } }
    }
    try exceptions.checkLines { fields throws(PluginFailure) in _ = try fields.next("a base form") }
  }

  private init(_ part: PartOfSpeech, _ index: DictionaryFile, _ data: DictionaryFile, _ exceptions: DictionaryFile) {
    self.part = part
    self.index = index
    self.data = data
    self.exceptions = exceptions
  }

  func entry(_ lemma: [UInt8]) throws(PluginFailure) -> Entry? {
    guard var fields = index.line(lemma) else { return nil }
    _ = try fields.next("a word")
    return try entry(&fields)
  }

  /// The fields after the word: pos, synset_cnt, p_cnt, symbols, sense_cnt, tagsense_cnt, offsets.
  private func entry(_ fields: inout Fields) throws(PluginFailure) -> Entry {
    let letter = try fields.next("a part of speech")
    guard letter.count == 1, index.bytes[letter.from] == part.letters.0 else {
      throw index.failure(at: letter.from, "expected the part of speech of " + part.suffix + ", found another")
    }
    let count = try fields.number("a count of synsets")
    for _ in 0..<(try fields.number("a count of pointers")) { _ = try fields.next("a pointer") }
    let senses = try fields.number("a count of senses")
    let tagged = try fields.number("a count of tagged senses")
    guard count > 0, senses == count, tagged <= count else {
      throw index.failure(
        at: letter.from, "expected one sense for each of \(count) synsets, found \(senses), \(tagged) of them tagged")
    }
    var synsets: [Int] = []
    for _ in 0..<count { synsets.append(try fields.number("a synset's offset")) }
    return Entry(senses: senses, tagged: tagged, synsets: synsets)
  }

  /// Passes on the words of the synset at `offset`, as the file has them.
  func forEachWord(of offset: Int, _ body: (Span) -> Void) throws(PluginFailure) {
    guard offset < data.bytes.count, offset == 0 || data.bytes[offset - 1] == 0x0A else {
      throw data.failure(at: offset, "expected a line for the synset that the index names, found none")
    }
    var fields = Fields(data, offset, data.lineEnd(offset))
    guard try fields.number("the synset's offset") == offset else {
      throw data.failure(at: offset, "expected the synset's own offset \(offset), found another")
    }
    _ = try fields.number("the number of a lexicographer's file")
    let letter = try fields.next("the synset's type")
    guard letter.count == 1, data.bytes[letter.from] == part.letters.0 || data.bytes[letter.from] == part.letters.1
    else {
      throw data.failure(at: letter.from, "expected the type of a synset of " + part.suffix + ", found another")
    }
    let count = try fields.number("a count of words", base: 16)
    guard count > 0, count < 256 else { throw data.failure(at: offset, "expected 1 to 255 words, found \(count)") }
    for _ in 0..<count {
      body(try fields.next("a word"))
      _ = try fields.number("a lexical id", base: 16)
    }
  }

  /// The words of the synset at `offset`, without the marker of an adjective's place, "(p)".
  func words(of offset: Int) throws(PluginFailure) -> [[UInt8]] {
    var result: [[UInt8]] = []
    try forEachWord(of: offset) { span in
      var word = Array(data.bytes[span.from..<span.to])
      if word.last == 0x29, let open = word.lastIndex(of: 0x28) { word.removeSubrange(open...) }
      if !word.isEmpty { result.append(word) }
    }
    return result
  }

  /// The base forms that the exceptions list for an inflected form.
  func bases(_ form: [UInt8]) -> [[UInt8]] {
    guard var fields = exceptions.line(form) else { return [] }
    var result: [[UInt8]] = []
    _ = fields.next()
    while let base = fields.next() { result.append(fields.text(base)) }
    return result
  }

  /// The inflected forms that the exceptions list for a base form, in the file's order.
  func forms(_ base: [UInt8]) -> [[UInt8]] {
    guard let start = exceptions.bytes.baseAddress else { return [] }
    var result: [[UInt8]] = []
    let all = exceptions.bytes
    var at = 0
    while let found = memmem(start + at, all.count - at, base, base.count) {
      let from = UnsafeRawPointer(found) - UnsafeRawPointer(start)
      let to = from + base.count
      at = to
      guard from > 0, all[from - 1] == 0x20, to < all.count, all[to] == 0x0A || all[to] == 0x20 else { continue }
      var line = from
      while line > 0, all[line - 1] != 0x0A { line -= 1 }
      var fields = Fields(exceptions, line, from)
      if let form = fields.next() { result.append(fields.text(form)) }
    }
    return result
  }
}

/// WordNet: Princeton's lexical database of English (Miller, 1995), from its own files. Does not change.
final class WordNet {
  let parts: [PartDictionary]

  convenience init(_ folder: String) throws(PluginFailure) {
    var parts: [PartDictionary] = []
    for part in PartOfSpeech.all { parts.append(try PartDictionary(part, folder)) }
    self.init(parts)
  }

  private init(_ parts: [PartDictionary]) { self.parts = parts }

  /// The words that may stand for `word` (lower case), in its inflection, none twice. Of what the word may
  /// be, a part of speech and an inflection of some base form, the one with the most senses in the texts
  /// tagged for WordNet counts; with as many, the one with the most senses; then noun, verb, adjective,
  /// adverb. `senses` is how many of its senses are taken, the most frequent first; 0: all.
  func synonyms(_ word: [UInt8], senses: Int) throws(PluginFailure) -> [[UInt8]] {
    var best: (Reading, Entry, PartDictionary)?
    for dictionary in parts {
      for reading in readings(word, dictionary) {
        guard let entry = try dictionary.entry(reading.base) else { continue }
        if let (_, other, _) = best, (entry.tagged, entry.senses) <= (other.tagged, other.senses) { continue }
        best = (reading, entry, dictionary)
      }
    }
    guard let (reading, entry, dictionary) = best else { return [] }
    var result: [[UInt8]] = []
    for synset in entry.synsets.prefix(senses == 0 ? entry.synsets.count : senses) {
      for synonym in try dictionary.words(of: synset) {
        if mapCase(synonym, lowered) == reading.base { continue }
        guard var formed = inflected(synonym, reading.inflection, dictionary) else { continue }
        for index in formed.indices where formed[index] == 0x5F { formed[index] = 0x20 }
        if mapCase(formed, lowered) != word, !result.contains(formed) { result.append(formed) }
      }
    }
    return result
  }
}
