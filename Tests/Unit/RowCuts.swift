import CClip

/// Blocks of all pieces are the rows, each once and in order; none is larger than the cut says.
func testRowCuts() {
  for rows in [0, 1, 2, 5, 47, 48, 49, 96, 100, 383, 768, 769, 1600, 6400, 12345] {
    for depth in [1, 3, 64, 768, 3072, 100_000] {
      for threads in [1, 2, 3, 8, 64] {
        for tileRows in [1, 6, 12, 14] {
          let cut = RowCut(rows: rows, depth: depth, threads: threads, tileRows: tileRows)
          var next = 0
          var largest = 0
          var isInOrder = true
          for piece in 0..<cut.pieces {
            cut.forEachBlock(piece) { block in
              if block.lowerBound != next || block.isEmpty { isInOrder = false }
              next = block.upperBound
              largest = max(largest, block.count)
            }
          }
          check(
            isInOrder && next == rows && largest <= max(1, cut.blockRows),
            "rows \(rows), depth \(depth), threads \(threads), tiles of \(tileRows): up to \(next), blocks of \(largest)")
        }
      }
    }
  }
}

/// Shares of a count are whole, in order, and differ by one element at most.
func testShares() {
  for count in [0, 1, 2, 7, 64, 1000] {
    for pieces in [1, 2, 3, 7, 64] {
      let shares = (0..<pieces).map { count.share($0, of: pieces) }
      let isWhole = shares.first?.lowerBound == 0 && shares.last?.upperBound == count
        && zip(shares, shares.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound }
      let sizes = shares.map { $0.count }
      check(isWhole && (sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1, "\(count) in \(pieces) pieces: \(sizes.count)")
    }
  }
}
