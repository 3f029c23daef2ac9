import CClip

/// Token names and ids while a tokenizer is loaded; none of it is kept afterwards.
struct Vocabulary {
  private var ids: [Name: Int32] = [:]
  private let size: Int

  /// Ids are checked to be in [0, size).
  init(size: Int) { self.size = size }

  /// From `{"token": id, …}`. Every id must be an integer in range that no other token has.
  init(_ json: JSON, size: Int, place: String) throws(ClipError) {
    self.size = size
    guard case .object(let members) = json else {
      throw ClipError(CLIP_FORMAT, "\(place): expected an object of tokens and ids, found \(json.kind)")
    }
    ids.reserveCapacity(members.count + 8)
    var taken: [(id: Int32, index: Int32)] = []
    taken.reserveCapacity(members.count)
    for (index, member) in members.enumerated() {
      guard case .int(let id) = member.value else {
        throw ClipError(
          CLIP_FORMAT, "\(place): token \"\(member.key.string)\": expected an integer id, found \(member.value.kind)")
      }
      try add(member.key, id, place)
      taken.append((Int32(truncatingIfNeeded: id), Int32(truncatingIfNeeded: index)))
    }
    taken.sort { $0.id < $1.id }
    for index in taken.indices.dropFirst() where taken[index].id == taken[index - 1].id {
      let one = members[Int(taken[index - 1].index)].key.string
      let other = members[Int(taken[index].index)].key.string
      throw ClipError(CLIP_FORMAT, "\(place): id \(taken[index].id) belongs to two tokens, \"\(one)\" and \"\(other)\"")
    }
  }

  func id(_ name: Name) -> Int32? { ids[name] }

  mutating func add(_ name: Name, _ id: Int, _ place: String) throws(ClipError) {
    guard id >= 0 else {
      throw ClipError(CLIP_FORMAT, "\(place): token \"\(name.string)\": expected an id of 0 or more, found \(id)")
    }
    guard id < size else {
      throw ClipError(
        CLIP_MISMATCH,
        "\(place): token \"\(name.string)\": expected an id below \(size), the rows of the model's token embedding, found \(id)")
    }
    ids[name] = Int32(truncatingIfNeeded: id)
  }
}
