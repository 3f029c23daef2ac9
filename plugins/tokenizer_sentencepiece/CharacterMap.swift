/// Validates a model's precompiled_charsmap, which libsentencepiece reads without bounds checks: a double-array trie
/// (darts-clone, https://github.com/s-yata/darts-clone) from characters to the offsets of their replacements, which are
/// strings that end with NUL.
struct CharacterMap {
  /// Describes what is wrong with a map; nil if it is valid.
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
    return map.validate()
  }

  /// The most matches on one path from the root that the library has memory for.
  private static var mostMatches: Int { 32 }
  /// The longest path, in bytes of the text that is replaced.
  private static var longestPath: Int { 256 }
  /// In bytes. The longest of Unicode's NFKC has 33.
  private static var longestReplacement: Int { 64 }

  private let units: UnsafeRawBufferPointer
  private let count: Int
  private let replacements: UnsafeRawBufferPointer
  /// For each set of children: the most matches on a path from there down; `unvisited`, or `active` while its paths are
  /// being followed.
  private var matches: [Int8]
  private static var unvisited: Int8 { -1 }
  private static var active: Int8 { -2 }

  private init(units: UnsafeRawBufferPointer, replacements: UnsafeRawBufferPointer) {
    self.units = units
    self.replacements = replacements
    count = units.count / 4
    matches = [Int8](repeating: CharacterMap.unvisited, count: count)
  }

  private func unit(_ index: Int) -> UInt32 {
    UInt32(littleEndian: units.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
  }

  /// The base of the children of the node at `index`: the child for byte c is at base ^ c, the node's value at base.
  private func children(of index: Int) -> Int {
    let unit = unit(index)
    return index ^ Int((unit >> 10) << ((unit & 0x200) >> 6))
  }

  private mutating func validate() -> String? {
    var most = 0
    return validate(children(of: 0), depth: 0, &most)
  }

  /// Validates all paths through the children at `base`, and sets `most` to the most matches on one of them. Common
  /// suffixes share nodes, so that each is visited once.
  private mutating func validate(_ base: Int, depth: Int, _ most: inout Int) -> String? {
    guard base | 0xFF < count else { return "a node of the trie is outside it" }
    guard depth < CharacterMap.longestPath else { return "a path of the trie is longer than \(depth) bytes" }
    switch matches[base] {
    case CharacterMap.unvisited: break
    case CharacterMap.active: return "a path of the trie is a cycle"
    case let known:
      most = Int(known)
      return nil
    }
    matches[base] = CharacterMap.active
    most = 0
    for byte in 1...255 {
      let node = base ^ byte
      guard unit(node) & 0x8000_00FF == UInt32(byte) else { continue }
      let next = children(of: node)
      var below = 0
      if let problem = validate(next, depth: depth + 1, &below) { return problem }
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
    guard most <= CharacterMap.mostMatches else {
      return "a path of the trie has more than \(CharacterMap.mostMatches) matches"
    }
    matches[base] = Int8(most)
    return nil
  }
}
