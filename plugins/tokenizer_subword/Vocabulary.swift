import CClip
import CSystem
import ClipBase

/// A hash table from names of tokens to ids. All names are in one array: an allocation for each would dominate the time
/// to load a tokenizer, which makes some hundred thousand lookups for its merges.
struct Vocabulary {
  private var names: [UInt8] = []
  /// Token i is names[starts[i]..<starts[i + 1]].
  private var starts: [Int] = [0]
  private var ids: [Int32] = []
  /// Indices of tokens by hash, with open addressing; -1 is free. The size is a power of two, of which at least
  /// half is free.
  private var slots: [Int32]
  /// Upper limit of ids, exclusive.
  var size: Int
  /// A bit for the hash of each prefix of a name, set by `indexPrefixes`. If the bit of a text is 0, no name begins
  /// with it.
  private var beginnings: [UInt64] = []
  /// The longest name in bytes.
  private var longestName = 0

  /// An empty vocabulary for ids in [0, size), with space for `count` tokens before it grows.
  init(size: Int, capacity count: Int) throws(ClipError) {
    self.size = size
    var capacity = 1024
    while capacity < 2 * count { capacity *= 2 }
    slots = []
    slots = try filled(-1, capacity, "vocabulary")
    try names.reserve(count * 8, for: "vocabulary")
    try starts.reserve(count + 9, for: "vocabulary")
    try ids.reserve(count + 8, for: "vocabulary")
  }

  /// Reads `{"token": id, …}`. Every id must be an integer in [0, size).
  init(_ json: JSON, size: Int, place: String) throws(ClipError) {
    guard case .object(let members) = json else {
      throw ClipError(CLIP_FORMAT, "\(place): expected an object of tokens and ids, found \(json.kind)")
    }
    try self.init(size: size, capacity: members.count)
    for member in members {
      guard case .int(let id) = member.value else {
        throw ClipError(
          CLIP_FORMAT, "\(place): token \"\(member.key.string)\": expected an integer id, found \(member.value.kind)")
      }
      try add(member.key, id, place)
    }
  }

  /// Adds a token, whose name must be new.
  mutating func add(_ name: Name, _ id: Int, _ place: String) throws(ClipError) {
    guard id >= 0 else {
      throw ClipError(CLIP_FORMAT, "\(place): token \"\(name.string)\": expected an id of 0 or more, found \(id)")
    }
    guard id < size else {
      throw ClipError(
        CLIP_MISMATCH,
        "\(place): token \"\(name.string)\": expected an id below \(size), the rows of the token embedding, found \(id)"
      )
    }
    if 2 * (ids.count + 1) > slots.count { try grow() }
    if names.count + name.utf8.count > names.capacity {
      try names.reserve(2 * (names.count + name.utf8.count), for: "vocabulary")
    }
    names += name.utf8
    longestName = max(longestName, name.utf8.count)
    try starts.add(names.count, for: "vocabulary")
    try ids.add(Int32(truncatingIfNeeded: id), for: "vocabulary")
    insertSlot(of: ids.count - 1)
  }

  func id(_ name: Name) -> Int32? { name.utf8.withUnsafeBufferPointer { id($0) } }

  func id(_ name: UnsafeBufferPointer<UInt8>) -> Int32? { id(name, Vocabulary.hash(name)) }

  /// Adds a token, or changes the id of an existing one.
  mutating func put(_ name: Name, _ id: Int, _ place: String) throws(ClipError) {
    let known = name.utf8.withUnsafeBufferPointer { token($0, Vocabulary.hash($0)) }
    if let known { ids[known] = Int32(truncatingIfNeeded: id) } else { try add(name, id, place) }
  }

  /// Prepares `prefixes` and `longest`, which then stop where no name continues.
  mutating func indexPrefixes() throws(ClipError) {
    var bits = 64
    while bits < 8 * names.count { bits *= 2 }
    beginnings = try filled(0, bits / 64, "vocabulary")
    for token in ids.indices {
      var hash = Vocabulary.initialHash
      for index in starts[token]..<starts[token + 1] {
        hash = Vocabulary.step(hash, names[index])
        let bit = Vocabulary.folded(hash) & (bits - 1)
        beginnings[bit / 64] |= 1 << UInt64(bit % 64)
      }
    }
  }

  private func mayBegin(_ hash: Int) -> Bool {
    if beginnings.isEmpty { return true }
    let bit = hash & (beginnings.count * 64 - 1)
    return beginnings[bit / 64] >> UInt64(bit % 64) & 1 != 0
  }

  /// Calls `body` with the id and the length in bytes of each token that is a prefix of `text`, shortest first.
  func prefixes(of text: UnsafeBufferPointer<UInt8>, _ body: (Int32, Int) -> Void) {
    var hash = Vocabulary.initialHash
    for count in 1...max(1, min(text.count, longestName)) where count <= text.count {
      hash = Vocabulary.step(hash, text[count - 1])
      let folded = Vocabulary.folded(hash)
      guard mayBegin(folded) else { return }
      if count < text.count, text[count] & 0xC0 == 0x80 { continue }
      if let id = id(UnsafeBufferPointer(rebasing: text[..<count]), folded) { body(id, count) }
    }
  }

  /// The longest token that is a prefix of `text`, has more than `least` bytes and ends at a character boundary.
  func longest(startOf text: UnsafeBufferPointer<UInt8>, beyond least: Int) -> (id: Int32, count: Int)? {
    var best: (id: Int32, count: Int)?
    var hash = Vocabulary.initialHash
    for count in 1...max(1, min(text.count, longestName)) where count <= text.count {
      hash = Vocabulary.step(hash, text[count - 1])
      guard mayBegin(Vocabulary.folded(hash)) else { return best }
      if count <= least || (count < text.count && text[count] & 0xC0 == 0x80) { continue }
      let start = UnsafeBufferPointer(rebasing: text[..<count])
      if let id = id(start, Vocabulary.folded(hash)) { best = (id, count) }
    }
    return best
  }

  /// The id of a token that must exist. `role`, such as "start", is for the message.
  func required(_ name: Name, _ role: StaticString, _ place: String) throws(ClipError) -> Int32 {
    guard let id = id(name) else {
      throw ClipError(
        CLIP_FORMAT, "\(place): expected the \(role) token \"\(name.string)\" in the vocabulary, found none")
    }
    return id
  }

  /// Adds the tokens that have an id and are not in the vocabulary. The others must have the same id in both. Fails if
  /// two tokens have one id. `place` is the vocabulary's file.
  mutating func add(_ tokens: [AddedToken], _ place: String) throws(ClipError) {
    guard tokens.count <= 65536 else {
      throw ClipError(CLIP_LIMIT, "\(place): expected at most 65536 added tokens, found \(tokens.count)")
    }
    for token in tokens {
      if let id = id(token.name) {
        guard token.id ?? Int(id) == Int(id) else {
          throw ClipError(
            CLIP_FORMAT,
            "\(place): token \"\(token.name.string)\" has id \(id) here and \(token.id ?? 0) in \(token.place)")
        }
      } else if let id = token.id {
        try add(token.name, id, token.place)
      }
    }
    try checkUnique(place)
  }

  private func id(_ name: UnsafeBufferPointer<UInt8>, _ hash: Int) -> Int32? { token(name, hash).map { ids[$0] } }

  /// The index of a token.
  private func token(_ name: UnsafeBufferPointer<UInt8>, _ hash: Int) -> Int? {
    let mask = slots.count - 1
    var slot = hash & mask
    while slots[slot] >= 0 {
      let token = Int(slots[slot])
      if starts[token + 1] - starts[token] == name.count {
        let isEqual = names.withUnsafeBufferPointer { all in
          for offset in 0..<name.count where all[starts[token] + offset] != name[offset] { return false }
          return true
        }
        if isEqual { return token }
      }
      slot = (slot + 1) & mask
    }
    return nil
  }

  private func checkUnique(_ place: String) throws(ClipError) {
    var order = (0..<ids.count).map { UInt64(UInt32(bitPattern: ids[$0])) << 32 | UInt64($0) }
    order.sort()
    for index in order.indices.dropFirst() where order[index] >> 32 == order[index - 1] >> 32 {
      let one = name(Int(order[index - 1] & 0xFFFF_FFFF))
      let other = name(Int(order[index] & 0xFFFF_FFFF))
      throw ClipError(
        CLIP_FORMAT,
        "\(place): id \(order[index] >> 32) belongs to two tokens, \"\(one.string)\" and \"\(other.string)\"")
    }
  }

  /// The largest id; -1 if there is none.
  var largestID: Int { Int(ids.max() ?? -1) }
  var count: Int { ids.count }

  private func name(_ token: Int) -> Name { Name(utf8: Array(names[starts[token]..<starts[token + 1]])) }

  private mutating func grow() throws(ClipError) {
    slots = try filled(-1, slots.count * 2, "vocabulary")
    for token in ids.indices { insertSlot(of: token) }
  }

  private mutating func insertSlot(of token: Int) {
    let mask = slots.count - 1
    var slot =
      names.withUnsafeBufferPointer {
        Vocabulary.hash(UnsafeBufferPointer(rebasing: $0[starts[token]..<starts[token + 1]]))
      } & mask
    while slots[slot] >= 0 { slot = (slot + 1) & mask }
    slots[slot] = Int32(truncatingIfNeeded: token)
  }

  /// FNV-1a, folded to 31 bits.
  private static func hash(_ name: UnsafeBufferPointer<UInt8>) -> Int {
    var hash = initialHash
    for byte in name { hash = step(hash, byte) }
    return folded(hash)
  }

  private static var initialHash: UInt64 { 0xCBF2_9CE4_8422_2325 }
  private static func step(_ hash: UInt64, _ byte: UInt8) -> UInt64 { (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
  private static func folded(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: (hash ^ hash >> 32) & 0x7FFF_FFFF) }
}

/// `count` copies of `value`; throws if the system has no memory for them.
func filled<Value>(_ value: Value, _ count: Int, _ what: StaticString) throws(ClipError) -> [Value] {
  let held = try hold(count, MemoryLayout<Value>.stride, what)
  defer { clip_reserve_drop(held) }
  return [Value](repeating: value, count: count)
}
