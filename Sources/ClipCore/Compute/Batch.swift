import CClip

/// One batch of images or texts as a program sees it.
struct Batch {
  var items: Int
  /// [items, 3, height, width] of the caller.
  var pixels: UnsafePointer<Float>?
  /// Token ids of all texts, end to end, as many of each as are computed.
  var tokenIDs: UnsafePointer<Int32>
  /// Where each text's tokens begin in `tokenIDs`; one more entry holds the total.
  var firstTokens: UnsafePointer<Int>
  /// Position of each text's end token, counted from its first token.
  var endPositions: UnsafePointer<Int>
  var totalTokens: Int
  var longestText: Int

  func totalRows(_ rows: Rows) -> Int {
    switch rows {
    case .one: items
    case .fixed(let count): items * count
    case .tokens: totalTokens
    }
  }

  func rows(of item: Int, in rows: Rows) -> Int {
    switch rows {
    case .one: 1
    case .fixed(let count): count
    case .tokens: firstTokens[item + 1] - firstTokens[item]
    }
  }

  func firstRow(of item: Int, in rows: Rows) -> Int {
    switch rows {
    case .one: item
    case .fixed(let count): item * count
    case .tokens: firstTokens[item]
    }
  }

  func endPosition(of item: Int) -> Int { endPositions[item] }

  func longest(_ rows: Rows) -> Int {
    switch rows {
    case .one: 1
    case .fixed(let count): count
    case .tokens: longestText
    }
  }
}
