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
  /// The letters of data files: of the part of speech, and of adjective satellites.
  var letters: (UInt8, UInt8) {
    switch self {
    case .noun: (0x6E, 0x6E)
    case .verb: (0x76, 0x76)
    case .adjective: (0x61, 0x73)
    case .adverb: (0x72, 0x72)
    }
  }
}

/// A word's entry in an index.
struct Entry {
  /// The number of senses.
  var senses: Int
  /// The number of senses that occur in WordNet's tagged texts.
  var tagged: Int
  /// The offsets of the synsets in the data file, the most frequent first.
  var synsets: [Int]
}

/// WordNet's dictionary of one part of speech. Immutable.
struct PartDictionary {
  let part: PartOfSpeech
  let index: DictionaryFile
  let data: DictionaryFile
  let exceptions: DictionaryFile

  /// Opens the files of `folder` and checks every line.
  init(_ part: PartOfSpeech, _ folder: String) throws(PluginFailure) {
    self.part = part
    index = try DictionaryFile(folder + "/index." + part.suffix)
    data = try DictionaryFile(folder + "/data." + part.suffix)
    exceptions = try DictionaryFile(folder + "/" + part.suffix + ".exc")
    try index.checkLines { fields throws(PluginFailure) in
      let entry = try self.entry(&fields)
      for synset in entry.synsets { try self.forEachWord(of: synset) { _ in } }
    }
    try exceptions.checkLines { fields throws(PluginFailure) in _ = try fields.next("a base form") }
  }

  func entry(_ lemma: [UInt8]) throws(PluginFailure) -> Entry? {
    guard var fields = index.line(lemma) else { return nil }
    _ = try fields.next("a word")
    return try entry(&fields)
  }

  /// Reads the fields after the word: pos, synset_cnt, p_cnt, symbols, sense_cnt, tagsense_cnt, offsets.
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

  /// Calls `body` for each word of the synset at `offset`, as written in the file.
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

  /// The words of the synset at `offset`, without syntactic markers such as "(p)".
  func words(of offset: Int) throws(PluginFailure) -> [[UInt8]] {
    var result: [[UInt8]] = []
    try forEachWord(of: offset) { span in
      var word = Array(data.bytes[span.from..<span.to])
      if word.last == 0x29, let open = word.lastIndex(of: 0x28) { word.removeSubrange(open...) }
      if !word.isEmpty { result.append(word) }
    }
    return result
  }

  /// The base forms of an inflected form in the exception list.
  func bases(_ form: [UInt8]) -> [[UInt8]] {
    guard var fields = exceptions.line(form) else { return [] }
    var result: [[UInt8]] = []
    _ = fields.next()
    while let base = fields.next() { result.append(fields.text(base)) }
    return result
  }

  /// The inflected forms of a base form in the exception list, in the file's order.
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

/// WordNet, the lexical database of English (Miller, 1995), read from its dictionary files. Immutable.
struct WordNet {
  let parts: [PartDictionary]

  init(_ folder: String) throws(PluginFailure) {
    var parts: [PartDictionary] = []
    for part in PartOfSpeech.all { parts.append(try PartDictionary(part, folder)) }
    self.parts = parts
  }

  /// The distinct synonyms of `word`, which is in lower case, with its inflection. Of several analyses of the word the
  /// one with the most tagged senses counts; then the one with the most senses; then the first of noun, verb, adjective
  /// and adverb. `senses` is the number of senses used, the most frequent first; 0 for all.
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
