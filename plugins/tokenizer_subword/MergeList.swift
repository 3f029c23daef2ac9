import CClip
import ClipBase

/// The merges of a tokenizer as pairs of names, in order of rank.
struct MergeList {
  private let path: String
  /// The names of entries in messages ("line", "merge"), and the number of the first merge.
  private let unit: StaticString
  private let firstNumber: Int
  /// The left and right names of all merges, concatenated. Left and right together are the name of the product.
  private var names: [UInt8] = []
  /// Merge i is names[starts[i]..<middles[i]] and names[middles[i]..<starts[i + 1]].
  private var starts: [Int] = [0]
  private var middles: [Int] = []

  /// Reads merges.txt: one merge in a line, as two names with a space between. A first line "#version: …" is skipped.
  init(text: UnsafeRawBufferPointer, path: String) throws(ClipError) {
    var end = text.count
    while end > 0, text[end - 1] == 0x0A || text[end - 1] == 0x0D { end -= 1 }
    var at = 0
    if end >= 8, Name(utf8: Array(text[..<8])) == "#version" {
      while at < end, text[at] != 0x0A { at += 1 }
      at += 1
    }
    self.path = path
    unit = "line"
    firstNumber = at == 0 ? 1 : 2
    try names.reserve(end, for: "merges")
    while at < end {
      let start = at
      while at < end, text[at] != 0x0A { at += 1 }
      let stop = at > start && text[at - 1] == 0x0D ? at - 1 : at
      try append(line: text[start..<stop])
      at += 1
    }
  }

  /// Reads "merges" of tokenizer.json: strings "left right" or arrays ["left", "right"].
  init(json: [JSON], path: String) throws(ClipError) {
    self.path = path
    unit = "merge"
    firstNumber = 0
    for item in json {
      if let line = item.string {
        var failure: ClipError?
        line.utf8.withUnsafeBytes { bytes in
          do throws(ClipError) { try append(line: bytes[...]) } catch { failure = error }
        }
        if let failure { throw failure }
      } else if let parts = item.array, parts.count == 2, let left = parts[0].string, let right = parts[1].string,
        !left.isEmpty, !right.isEmpty
      {
        try append(left.utf8, right.utf8)
      } else {
        throw ClipError(
          CLIP_FORMAT, "\(place(middles.count)): expected \"left right\" or [\"left\", \"right\"], found \(item.kind)")
      }
    }
  }

  private mutating func append(line: Slice<UnsafeRawBufferPointer>) throws(ClipError) {
    var space = line.startIndex
    while space < line.endIndex, line[space] != 0x20 { space += 1 }
    var isWellFormed = space > line.startIndex && space + 1 < line.endIndex
    var at = space + 1
    while at < line.endIndex {
      if line[at] == 0x20 { isWellFormed = false }
      at += 1
    }
    guard isWellFormed else {
      let found = JSON.string(Name(utf8: Array(line))).kind
      throw ClipError(
        CLIP_FORMAT, "\(place(middles.count)): expected two tokens with one space between, found \(found)")
    }
    try append(Array(line[..<space]), Array(line[(space + 1)...]))
  }

  private mutating func append(_ left: [UInt8], _ right: [UInt8]) throws(ClipError) {
    let count = names.count + left.count + right.count
    if count > names.capacity { try names.reserve(2 * count, for: "merges") }
    names += left
    try middles.add(names.count, for: "merges")
    names += right
    try starts.add(names.count, for: "merges")
  }

  /// Resolves names to ids. Both names of a merge and the name of its product must be in the vocabulary. The product's
  /// name has the right name without its first `prefix` bytes.
  func table(_ vocabulary: Vocabulary, prefix: Int = 0) throws(ClipError) -> BytePairs {
    var list: [BytePairs.Merge] = []
    try list.reserve(middles.count, for: "merges")
    for index in middles.indices {
      let left = starts[index]..<middles[index]
      let right = middles[index]..<starts[index + 1]
      let product = starts[index]..<starts[index + 1]
      list.append(
        BytePairs.Merge(
          left: try id(left, index, vocabulary), right: try id(right, index, vocabulary),
          product: prefix == 0 ? try id(product, index, vocabulary) : try joined(left, right, prefix, index, vocabulary)
        ))
    }
    var duplicate: Int?
    let pairs = try BytePairs(list, firstDuplicate: &duplicate)
    if let duplicate {
      throw ClipError(CLIP_FORMAT, "\(place(duplicate)): expected each merge once, found \(describe(duplicate)) again")
    }
    return pairs
  }

  private func joined(
    _ left: Range<Int>, _ right: Range<Int>, _ prefix: Int, _ index: Int, _ vocabulary: Vocabulary
  ) throws(ClipError) -> Int32 {
    let name = Name(utf8: Array(names[left]) + names[right].dropFirst(prefix))
    return try vocabulary.required(name, "merged", place(index))
  }

  private func id(_ range: Range<Int>, _ index: Int, _ vocabulary: Vocabulary) throws(ClipError) -> Int32 {
    guard let id = names.withUnsafeBufferPointer({ vocabulary.id(UnsafeBufferPointer(rebasing: $0[range])) }) else {
      throw ClipError(
        CLIP_FORMAT,
        "\(place(index)): the merge \(describe(index)) needs the token \"\(string(range))\", "
          + "which the vocabulary does not have")
    }
    return id
  }

  private func place(_ index: Int) -> String { "\(path): \(unit) \(firstNumber + index)" }

  private func describe(_ index: Int) -> String {
    "\"\(string(starts[index]..<middles[index])) \(string(middles[index]..<starts[index + 1]))\""
  }

  private func string(_ range: Range<Int>) -> String { String(decoding: names[range], as: UTF8.self) }
}
