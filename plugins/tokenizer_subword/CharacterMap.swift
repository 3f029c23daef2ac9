import CClip
import CUtf8proc
import ClipBase

/// SentencePiece's precompiled_charsmap as `tokenizers` applies it: a double-array trie (darts-clone,
/// https://github.com/s-yata/darts-clone) from characters to the offsets of their replacements, which are strings that
/// end with NUL. Every index is checked when it is used.
struct CharacterMap {
  let units: [UInt32]
  let replacements: [UInt8]

  /// nil if the map is malformed.
  init?(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count > 4 else { return nil }
    func unit(_ at: Int) -> UInt32 {
      UInt32(bytes[at]) | UInt32(bytes[at + 1]) << 8 | UInt32(bytes[at + 2]) << 16 | UInt32(bytes[at + 3]) << 24
    }
    let size = Int(unit(0))
    guard size >= 4, size % 4 == 0, size <= bytes.count - 4 else { return nil }
    units = (1...(size / 4)).map { unit(4 * $0) }
    replacements = Array(bytes[(4 + size)...])
    // SentencePiece returns the replacements as text.
    guard UTF8Text.isValid(replacements) else { return nil }
  }

  /// Replaces each grapheme of fewer than 6 bytes if the map has a prefix of it, else each of its characters that the
  /// map has.
  func apply(to text: Scalars) -> Scalars {
    var result = Scalars()
    result.reserveCapacity(text.count)
    var bytes: [UInt8] = []
    var start = 0
    while start < text.count {
      var state: Int32 = 0
      var end = start + 1
      while end < text.count,
        !utf8proc_grapheme_break_stateful(
          Int32(truncatingIfNeeded: text[end - 1]), Int32(truncatingIfNeeded: text[end]), &state)
      {
        end += 1
      }
      bytes.removeAll(keepingCapacity: true)
      for scalar in text[start..<end] where bytes.count < 6 { UTF8Text.append(scalar, to: &bytes) }
      if bytes.count < 6, append(bytes, to: &result) {
        start = end
        continue
      }
      for scalar in text[start..<end] {
        bytes.removeAll(keepingCapacity: true)
        UTF8Text.append(scalar, to: &bytes)
        if !append(bytes, to: &result) { result.append(scalar) }
      }
      start = end
    }
    return result
  }

  /// Appends the replacement of the shortest prefix of `key` that has one.
  private func append(_ key: [UInt8], to result: inout Scalars) -> Bool {
    var node = offset(units[0])
    for byte in key {
      if byte == 0 { return false }
      node ^= Int(byte)
      guard node < units.count, units[node] & 0x8000_00FF == UInt32(byte) else { return false }
      let unit = units[node]
      node ^= offset(unit)
      guard node < units.count else { return false }
      if unit & 0x100 != 0 {
        let start = Int(units[node] & 0x7FFF_FFFF)
        guard start <= replacements.count else { return false }
        replacements[start...].withUnsafeBufferPointer { rest in
          let end = rest.firstIndex(of: 0) ?? rest.count
          result += UTF8Text.scalars(UnsafeBufferPointer(rebasing: rest[..<end]))
        }
        return true
      }
    }
    return false
  }

  private func offset(_ unit: UInt32) -> Int { Int((unit >> 10) << ((unit & 0x200) >> 6)) }

  /// The base of the children of the node at `index`: the child for byte c is at base ^ c, the node's value at base.
  func child(_ index: Int) -> Int { index ^ offset(units[index]) }

  /// The longest prefix of `text` in the map, in bytes, and the offset of its replacement; nil if there is none.
  func longest(startOf text: UnsafeBufferPointer<UInt8>) -> (count: Int, start: Int)? {
    var base = child(0)
    var found: (count: Int, start: Int)?
    for (index, byte) in text.enumerated() {
      let node = base ^ Int(byte)
      guard byte != 0, node < units.count, units[node] & 0x8000_00FF == UInt32(byte) else { break }
      base = child(node)
      guard base < units.count else { break }
      if units[node] & 0x100 != 0 { found = (index + 1, Int(units[base] & 0x7FFF_FFFF)) }
    }
    return found
  }

  /// The bytes of the replacement at `start`.
  func replacement(_ start: Int) -> ArraySlice<UInt8> {
    guard start < replacements.count else { return [] }
    return replacements[start...].prefix { $0 != 0 }
  }
}
