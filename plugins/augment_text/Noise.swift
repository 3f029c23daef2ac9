import CClip
import CUtf8proc
import ClipPluginKit

/// Changes the case of each word with probability alpha.
struct CaseNoise: TextAugmentation {
  static var choices: [StaticString] { ["any", "lower", "upper", "title", "swap"] }
  private let alpha: Double
  private let change: Int

  init(_ settings: Settings) {
    alpha = settings.number("alpha")
    change = settings.choice("change")
  }

  func apply(_ text: UnsafeBufferPointer<UInt8>, _ sink: TextSink, _ random: Random) throws(PluginFailure) {
    let line = Text(text)
    for index in line.words.indices where line.words[index].isSpaced && random.uniform() < alpha {
      let change = change == 0 ? 1 + random.below(4) : change
      line.words[index].span = line.write(mapped(line[line.words[index].span], change))
    }
    try line.put(line.pieces, text, sink)
  }

  private func mapped(_ word: ArraySlice<UInt8>, _ change: Int) -> [UInt8] {
    var index = 0
    return mapCase(word) { code in
      defer { index += 1 }
      switch change {
      case 1: return utf8proc_tolower(code)
      case 2: return utf8proc_toupper(code)
      case 3: return index == 0 ? utf8proc_totitle(code) : utf8proc_tolower(code)
      default: return utf8proc_islower(code) != 0 ? utf8proc_toupper(code) : utf8proc_tolower(code)
      }
    }
  }
}

/// Applies `map` to each code point of UTF-8.
func mapCase(_ word: some Sequence<UInt8>, _ map: (Int32) -> Int32) -> [UInt8] {
  var result: [UInt8] = []
  let word = Array(word)
  word.withUnsafeBufferPointer { word in
    var at = 0
    while at < word.count {
      let (code, length) = codePoint(word, at)
      append(map(code), to: &result)
      at += length
    }
  }
  return result
}

/// Appends a code point as UTF-8.
private func append(_ code: Int32, to bytes: inout [UInt8]) {
  var storage = SIMD4<UInt8>()
  let length = withUnsafeMutablePointer(to: &storage) {
    utf8proc_encode_char(code, UnsafeMutableRawPointer($0).assumingMemoryBound(to: UInt8.self))
  }
  for index in 0..<max(0, length) { bytes.append(storage[index]) }
}

/// Inserts, deletes or replaces punctuation, with probability alpha for each mark, and for each word without a mark
/// after it. Marks are those of AEDA (Karimi et al., 2021), in their full-width forms after Chinese.
struct PunctuationNoise: TextAugmentation {
  static var choices: [StaticString] { ["any", "insert", "delete", "replace"] }
  private let alpha: Double
  private let change: Int

  init(_ settings: Settings) {
    alpha = settings.number("alpha")
    change = settings.choice("change")
  }

  func apply(_ text: UnsafeBufferPointer<UInt8>, _ sink: TextSink, _ random: Random) throws(PluginFailure) {
    let line = Text(text)
    var pieces: [Span] = []
    for (index, gap) in line.gaps.enumerated() {
      let isWide = index > 0 && !line.words[index - 1].isSpaced
      let clusters = line.clusters(gap)
      var hasMark = false
      for cluster in clusters where kind(line.first(cluster)) == .punctuation { hasMark = true }
      if !hasMark, index > 0, change < 2, random.uniform() < alpha { pieces.append(line.write(mark(isWide, random))) }
      for cluster in clusters {
        guard kind(line.first(cluster)) == .punctuation, change != 1, random.uniform() < alpha else {
          pieces.append(cluster)
          continue
        }
        let replace = change == 0 ? random.below(2) == 1 : change == 3
        if replace { pieces.append(line.write(mark(isWide, random))) }
      }
      if index < line.words.count { pieces.append(line.words[index].span) }
    }
    // If all of the text was deleted, it is left unchanged.
    if !pieces.contains(where: { $0.count > 0 }) { return try sink.append(text) }
    try line.put(pieces, text, sink)
  }

  private func mark(_ isWide: Bool, _ random: Random) -> [UInt8] {
    let marks: [StaticString] = isWide ? ["。", "；", "？", "：", "！", "，"] : [".", ";", "?", ":", "!", ","]
    return bytes(marks[random.below(marks.count)])
  }
}

/// Typing errors, with probability alpha for each character of a word: it is deleted, doubled, exchanged with the
/// next one, or replaced by a neighbour on a QWERTY keyboard. A word keeps at least one character.
struct TypoNoise: TextAugmentation {
  private let alpha: Double

  init(_ settings: Settings) { alpha = settings.number("alpha") }

  func apply(_ text: UnsafeBufferPointer<UInt8>, _ sink: TextSink, _ random: Random) throws(PluginFailure) {
    let line = Text(text)
    var pieces: [Span] = []
    for (index, word) in line.words.enumerated() {
      pieces.append(line.gaps[index])
      let clusters = line.clusters(word.span)
      var at = 0
      let first = pieces.count
      while at < clusters.count {
        let cluster = clusters[at]
        at += 1
        guard word.isSpaced, random.uniform() < alpha else {
          pieces.append(cluster)
          continue
        }
        let keys = neighbours(line[cluster])
        switch random.below(keys.isEmpty ? 3 : 4) {
        case 0: if at == clusters.count, pieces.count == first { pieces.append(cluster) }
        case 1: pieces += [cluster, cluster]
        case 2:
          if at < clusters.count {
            pieces.append(clusters[at])
            at += 1
          }
          pieces.append(cluster)
        default: pieces.append(line.write([keys[random.below(keys.count)]]))
        }
      }
    }
    if let last = line.gaps.last { pieces.append(last) }
    try line.put(pieces, text, sink)
  }

  /// The neighbours of an ASCII letter on the keyboard, in its case; none for other characters.
  private func neighbours(_ cluster: ArraySlice<UInt8>) -> [UInt8] {
    guard cluster.count == 1, let byte = cluster.first, byte | 0x20 >= 0x61, byte | 0x20 <= 0x7A else { return [] }
    let keys = bytes(TypoNoise.keys[Int(byte | 0x20) - 0x61])
    return keys.map { $0 & ~0x20 | byte & 0x20 }
  }

  /// The neighbours of each letter from a to z.
  private static var keys: [StaticString] {
    [
      "qwsz", "vghn", "xdfv", "serfcx", "wsdr", "drtgvc", "ftyhbv", "gyujnb", "ujko", "huikmn", "jiolm", "kop", "njk",
      "bhjm", "iklp", "ol", "wa", "edft", "awedxz", "rfgy", "yhji", "cfgb", "qase", "zsdc", "tghu", "asx",
    ]
  }
}

/// The bytes of a literal.
func bytes(_ literal: StaticString) -> [UInt8] {
  Array(UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
}
