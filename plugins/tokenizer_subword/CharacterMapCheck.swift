import ClipBase

extension CharacterMap {
  /// In bytes. The longest replacement of Unicode's NFKC has 33.
  static var longestReplacement: Int { 64 }

  /// The first defect of a map from a model file; nil if there is none. Each set of children is visited once, since
  /// common suffixes share nodes.
  var problem: String? {
    var check = CharacterMapCheck(map: self)
    return check.visit(child(0), depth: 0)
  }
}

private struct CharacterMapCheck {
  let map: CharacterMap
  /// For each set of children: not visited, being visited, or visited.
  private var states: [UInt8]

  init(map: CharacterMap) {
    self.map = map
    states = [UInt8](repeating: 0, count: map.units.count)
  }

  /// In bytes of the replaced text.
  private static var longestPath: Int { 256 }

  mutating func visit(_ base: Int, depth: Int) -> String? {
    guard base | 0xFF < map.units.count else { return "a node of the trie is outside it" }
    guard depth < CharacterMapCheck.longestPath else { return "a path of the trie is longer than \(depth) bytes" }
    if states[base] == 2 { return nil }
    if states[base] == 1 { return "a path of the trie is a cycle" }
    states[base] = 1
    for byte in 1...255 {
      let node = base ^ byte
      guard map.units[node] & 0x8000_00FF == UInt32(byte) else { continue }
      let next = map.child(node)
      if let problem = visit(next, depth: depth + 1) { return problem }
      guard map.units[node] & 0x100 != 0 else { continue }
      let start = Int(map.units[next] & 0x7FFF_FFFF)
      guard start < map.replacements.count else { return "a replacement is outside the file" }
      guard map.replacements[start...].prefix(CharacterMap.longestReplacement + 1).contains(0) else {
        return "a replacement is longer than \(CharacterMap.longestReplacement) bytes"
      }
    }
    states[base] = 2
    return nil
  }
}
