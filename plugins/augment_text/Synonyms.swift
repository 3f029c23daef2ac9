import CClip
import CSystem
import CUtf8proc
import ClipPluginKit

/// WordNet's synonyms of a share of the words.
private struct SynonymSource {
  let alpha: Double
  private let senses: Int
  private let wordnet: WordNet

  init(_ settings: Settings) throws(PluginFailure) {
    alpha = settings.number("alpha")
    senses = settings.integer("senses")
    wordnet = try WordNet(settings.text("path"))
  }

  /// Of a word in lower case.
  func synonyms(_ word: [UInt8]) throws(PluginFailure) -> [[UInt8]] { try wordnet.synonyms(word, senses: senses) }
}

/// EDA's synonym replacement (Wei and Zou, 2019): replaces random words, but no stop words, by synonyms, each at all of
/// its places in the text. The number of words replaced is alpha times the text's number of words.
struct SynonymReplacement: TextAugmentation {
  private let source: SynonymSource

  init(_ settings: Settings) throws(PluginFailure) { source = try SynonymSource(settings) }

  func apply(_ text: UnsafeBufferPointer<UInt8>, _ sink: TextSink, _ random: Random) throws(PluginFailure) {
    let line = Text(text)
    let wanted = changes(source.alpha, line.words.count)
    guard wanted > 0 else { return try sink.append(text) }
    var numbers: [[UInt8]: Int] = [:]
    var places: [[Int]] = []
    for (index, word) in line.words.enumerated() where word.isSpaced {
      let key = mapCase(line[word.span], lowered)
      if isStopWord(key) { continue }
      if let number = numbers[key] {
        places[number].append(index)
      } else {
        numbers[key] = places.count
        places.append([index])
      }
    }
    var done = 0
    for number in random.permutation(places.count) {
      if done == wanted { break }
      let key = mapCase(line[line.words[places[number][0]].span], lowered)
      let synonyms = try source.synonyms(key)
      if synonyms.isEmpty { continue }
      let synonym = synonyms[random.below(synonyms.count)]
      for place in places[number] {
        line.words[place].span = line.write(cased(synonym, like: Array(line[line.words[place].span])))
      }
      done += 1
    }
    try line.put(line.pieces, text, sink)
  }
}

/// EDA's random insertion: inserts a synonym of a random word that is no stop word before a random word, alpha times
/// the number of words. A word of a script without spaces has no synonyms in WordNet and is inserted itself.
struct RandomInsertion: TextAugmentation {
  private let source: SynonymSource

  init(_ settings: Settings) throws(PluginFailure) { source = try SynonymSource(settings) }

  func apply(_ text: UnsafeBufferPointer<UInt8>, _ sink: TextSink, _ random: Random) throws(PluginFailure) {
    let line = Text(text)
    let count = line.words.count
    var added: [(place: Int, word: Word)] = []
    for _ in 0..<changes(source.alpha, count) {
      if let word = try draw(line, random) { added.append((random.below(count), word)) }
    }
    added.sort { $0.place < $1.place }

    let space = line.write(bytes(" "))
    var pieces: [Span] = []
    var next = 0
    for (index, word) in line.words.enumerated() {
      let gap = line.gaps[index]
      pieces.append(gap)
      // No space is inserted after a word of a script without spaces.
      if next < added.count, added[next].place == index, gap.count == 0, index > 0, line.words[index - 1].isSpaced,
        added[next].word.isSpaced
      {
        pieces.append(space)
      }
      while next < added.count, added[next].place == index {
        pieces.append(added[next].word.span)
        let follower = next + 1 < added.count && added[next + 1].place == index ? added[next + 1].word : word
        if added[next].word.isSpaced, follower.isSpaced { pieces.append(space) }
        next += 1
      }
      pieces.append(word.span)
    }
    if let last = line.gaps.last { pieces.append(last) }
    try line.put(pieces, text, sink)
  }

  /// Draws a word to insert. As in EDA, up to ten words are tried.
  private func draw(_ line: Text, _ random: Random) throws(PluginFailure) -> Word? {
    for _ in 0..<10 {
      let word = line.words[random.below(line.words.count)]
      if !word.isSpaced { return word }
      let key = mapCase(line[word.span], lowered)
      if isStopWord(key) { continue }
      let synonyms = try source.synonyms(key)
      if !synonyms.isEmpty { return Word(span: line.write(synonyms[random.below(synonyms.count)]), isSpaced: true) }
    }
    return nil
  }
}

/// A synonym with the case of the word that it replaces: all capitals, a capital first, or as in WordNet.
private func cased(_ synonym: [UInt8], like word: [UInt8]) -> [UInt8] {
  var capitals = 0
  var lowerCase = 0
  var startsWithCapital = false
  var index = 0
  _ = mapCase(word) { code in
    if utf8proc_isupper(code) != 0 {
      capitals += 1
      if index == 0 { startsWithCapital = true }
    } else if utf8proc_islower(code) != 0 {
      lowerCase += 1
    }
    index += 1
    return code
  }
  if capitals > 1, lowerCase == 0 { return mapCase(synonym) { utf8proc_toupper($0) } }
  if !startsWithCapital { return synonym }
  var isFirst = true
  return mapCase(synonym) { code in
    defer { isFirst = false }
    return isFirst ? utf8proc_totitle(code) : code
  }
}

/// Whether `word`, in lower case, is a stop word of EDA and NLTK.
private func isStopWord(_ word: [UInt8]) -> Bool {
  guard word.count < 11 else { return false }
  let list = bytes(
    """
     i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers \
    herself it its itself they them their theirs themselves what which who whom this that these those am is are \
    was were be been being have has had having do does did doing a an the and but if or because as until while \
    of at by for with about against between into through during before after above below to from up down in out \
    on off over under again further then once here there when where why how all any both each few more most \
    other some such no nor not only own same so than too very s t can will just don should now 
    """)
  let key = [0x20] + word + [0x20]
  guard !word.contains(0x20) else { return false }
  return list.withUnsafeBufferPointer { list in
    guard let base = list.baseAddress else { return false }
    return memmem(base, list.count, key, key.count) != nil
  }
}
