import ClipBase

/// Byte-pair encoding of one word (Sennrich et al., 2016, https://arxiv.org/abs/1508.07909). The symbols
/// are bytes at first; the adjacent pair with the lowest merge rank is merged until no pair has a merge.
struct BytePairs {
  /// Symbols `left` and `right` become `product`. A merge's rank is its index in the list.
  struct Merge {
    let left: Int32
    let right: Int32
    let product: Int32
  }

  private let merges: [Merge]
  /// A hash table of indices in `merges` with open addressing; -1 is free. The size is a power of two, of
  /// which at least a quarter is free.
  private var slots: [Int32]

  /// `firstDuplicate` is set to the index of the first merge whose pair occurs earlier in the list.
  init(_ merges: [Merge], firstDuplicate: inout Int?) throws(ClipError) {
    self.merges = merges
    var capacity = 16
    while capacity / 4 * 3 < merges.count { capacity *= 2 }
    slots = try filled(-1, capacity, "merges")
    for (rank, merge) in merges.enumerated() {
      var slot = BytePairs.hash(merge.left, merge.right) & (capacity - 1)
      while slots[slot] >= 0 {
        let other = merges[Int(slots[slot])]
        if other.left == merge.left, other.right == merge.right, firstDuplicate == nil { firstDuplicate = rank }
        slot = (slot + 1) & (capacity - 1)
      }
      slots[slot] = Int32(truncatingIfNeeded: rank)
    }
  }

  @inline(__always)
  private static func hash(_ left: Int32, _ right: Int32) -> Int {
    var key = UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    key = (key ^ key >> 33) &* 0xFF51_AFD7_ED55_8CCD
    key = (key ^ key >> 33) &* 0xC4CE_B9FE_1A85_EC53
    return Int(truncatingIfNeeded: key >> 33)
  }

  /// The rank of the merge of two symbols; Int32.max if there is none.
  @inline(__always)
  private func rank(_ left: Int32, _ right: Int32) -> Int32 {
    let mask = slots.count - 1
    var slot = BytePairs.hash(left, right) & mask
    while true {
      let rank = slots[slot]
      if rank < 0 { return Int32.max }
      let merge = merges[Int(rank)]
      if merge.left == left, merge.right == right { return rank }
      slot = (slot + 1) & mask
    }
  }

  /// Merges the symbols of one word in place.
  func merge(_ symbols: inout [Int32]) {
    if symbols.count <= 48 { mergeByScanning(&symbols) } else { mergeByQueue(&symbols) }
  }

  /// For short words: scans all pairs for the lowest rank after each merge.
  private func mergeByScanning(_ symbols: inout [Int32]) {
    var count = symbols.count
    withUnsafeTemporaryAllocation(of: Int32.self, capacity: 48) { ranks in
      // ranks[i] is the rank of symbols i and i + 1.
      for index in 0..<max(count - 1, 0) { ranks[index] = rank(symbols[index], symbols[index + 1]) }
      while count > 1 {
        var best = 0
        for index in 1..<(count - 1) where ranks[index] < ranks[best] { best = index }
        if ranks[best] == Int32.max { break }
        symbols[best] = merges[Int(ranks[best])].product
        count -= 1
        for index in (best + 1)..<max(count, best + 1) {
          symbols[index] = symbols[index + 1]
          ranks[index - 1] = ranks[index]
        }
        if best + 1 < count { ranks[best] = rank(symbols[best], symbols[best + 1]) }
        if best > 0 { ranks[best - 1] = rank(symbols[best - 1], symbols[best]) }
      }
    }
    symbols.removeLast(symbols.count - count)
  }

  /// For words of any length, in O(n log n): a linked list of symbols and a heap of its adjacent pairs.
  private func mergeByQueue(_ symbols: inout [Int32]) {
    let count = symbols.count
    guard count > 1, count < Int(Int32.max) else { return }
    var next = [Int32](repeating: -1, count: count)
    var previous = [Int32](repeating: -1, count: count)
    var queue = PairQueue(capacity: count)
    for index in 1..<count {
      next[index - 1] = Int32(index)
      previous[index] = Int32(index - 1)
      queue.push(rank(symbols[index - 1], symbols[index]), Int32(index - 1))
    }
    while let pair = queue.pop() {
      // The entry is stale if one of its symbols has changed: their pair has another rank now.
      let left = Int(pair.position)
      let right = next[left]
      guard symbols[left] >= 0, right >= 0, rank(symbols[left], symbols[Int(right)]) == pair.rank else { continue }
      symbols[left] = merges[Int(pair.rank)].product
      symbols[Int(right)] = -1
      let after = next[Int(right)]
      next[left] = after
      if after >= 0 {
        previous[Int(after)] = pair.position
        queue.push(rank(symbols[left], symbols[Int(after)]), pair.position)
      }
      let before = previous[left]
      if before >= 0 { queue.push(rank(symbols[Int(before)], symbols[left]), before) }
    }
    symbols.removeAll { $0 < 0 }
  }
}

/// A binary heap of pairs, ordered by rank, then by position.
private struct PairQueue {
  struct Pair {
    let rank: Int32
    let position: Int32

    func precedes(_ other: Pair) -> Bool { rank != other.rank ? rank < other.rank : position < other.position }
  }

  private var heap: [Pair] = []

  init(capacity: Int) { heap.reserveCapacity(capacity) }

  mutating func push(_ rank: Int32, _ position: Int32) {
    guard rank != Int32.max else { return }
    heap.append(Pair(rank: rank, position: position))
    var at = heap.count - 1
    while at > 0, heap[at].precedes(heap[(at - 1) / 2]) {
      heap.swapAt(at, (at - 1) / 2)
      at = (at - 1) / 2
    }
  }

  mutating func pop() -> Pair? {
    guard let first = heap.first, let last = heap.popLast() else { return nil }
    if heap.isEmpty { return first }
    heap[0] = last
    var at = 0
    while true {
      var least = at
      for child in (2 * at + 1)...(2 * at + 2) where child < heap.count {
        if heap[child].precedes(heap[least]) { least = child }
      }
      if least == at { return first }
      heap.swapAt(at, least)
      at = least
    }
  }
}
