/// A model's precompiled_charsmap: a double-array trie (darts-clone, https://github.com/s-yata/darts-clone)
/// from characters to offsets of what replaces them, strings that end with NUL. The library follows it
/// without a look at its bounds.
struct CharacterMap {
  /// What is wrong, in words; nil where nothing is.
  static func problem(in charsmap: UnsafeRawBufferPointer) -> String? {
    guard charsmap.count > 4 else { return "expected its size and a trie, found \(charsmap.count) bytes" }
    let size = Int(UInt32(littleEndian: charsmap.loadUnaligned(as: UInt32.self)))
    guard size % 4 == 0, size >= 4, size < charsmap.count - 4 else {
      return "expected a trie and replacements in \(charsmap.count) bytes, found a trie of \(size)"
    }
    guard charsmap.last == 0 else { return "expected replacements that end with NUL" }
    var map = CharacterMap(
      units: UnsafeRawBufferPointer(rebasing: charsmap[4..<(4 + size)]),
      replacements: UnsafeRawBufferPointer(rebasing: charsmap[(4 + size)...]))
    return map.follow()
  }

  /// The library has room for that many matches along one way from the root.
  private static var mostMatches: Int { 32 }
  /// In bytes of the text that is replaced.
  private static var longestWay: Int { 256 }
  /// In bytes; the longest of Unicode's NFKC is of 33.
  private static var longestReplacement: Int { 64 }

  private let units: UnsafeRawBufferPointer
  private let count: Int
  private let replacements: UnsafeRawBufferPointer
  /// By node: the most matches on a way from there down; -1 where it was not seen yet, -2 while it is being followed.
  private var matches: [Int8]

  private init(units: UnsafeRawBufferPointer, replacements: UnsafeRawBufferPointer) {
    self.units = units
    self.replacements = replacements
    count = units.count / 4
    matches = [Int8](repeating: -1, count: count)
  }

  private func unit(_ index: Int) -> UInt32 {
    UInt32(littleEndian: units.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
  }

  /// Where the children of the node at `index` are: that of byte c at children ^ c, its value at children ^ 0.
  private func children(of index: Int) -> Int {
    let unit = unit(index)
    return index ^ Int((unit >> 10) << ((unit & 0x200) >> 6))
  }

  /// Nodes are shared where tails are, so each is followed once.
  private mutating func follow() -> String? {
    var deepest = 0
    return follow(children(of: 0), depth: 0, &deepest)
  }

  /// `most` is set to the matches on a way through the children at `base`.
  private mutating func follow(_ base: Int, depth: Int, _ most: inout Int) -> String? {
    guard base | 0xFF < count else { return "a node of the trie is outside it" }
    guard depth < CharacterMap.longestWay else { return "a way through the trie is longer than \(depth) bytes" }
    switch matches[base] {
    case -1: break
    case -2: return "a way through the trie does not end"
    case let known:
      most = Int(known)
      return nil
    }
    matches[base] = -2
    most = 0
    for byte in 1...255 {
      let node = base ^ byte
      guard unit(node) & 0x8000_00FF == UInt32(byte) else { continue }
      let next = children(of: node)
      var below = 0
      if let problem = follow(next, depth: depth + 1, &below) { return problem }
      if unit(node) & 0x100 != 0 {
        let start = Int(unit(next) & 0x7FFF_FFFF)
        guard start < replacements.count else { return "a replacement is outside the file" }
        guard replacements[start...].prefix(CharacterMap.longestReplacement + 1).contains(0) else {
          return "a replacement is longer than \(CharacterMap.longestReplacement) bytes"
        }
        below += 1
      }
      most = max(most, below)
    }
    guard most <= CharacterMap.mostMatches else { return "a text matches more than \(CharacterMap.mostMatches) times" }
    matches[base] = Int8(most)
    return nil
  }
}
