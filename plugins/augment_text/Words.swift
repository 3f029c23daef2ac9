import CClip
import ClipPluginKit

/// EDA's random swap (Wei and Zou, 2019): exchanges two random words, alpha times the number of words. Gaps stay in
/// place.
struct RandomSwap: TextAugmentation {
  private let alpha: Double

  init(_ settings: Settings) { alpha = settings.number("alpha") }

  func apply(_ text: UnsafeBufferPointer<UInt8>, _ sink: TextSink, _ random: Random) throws(PluginFailure) {
    let line = Text(text)
    let count = line.words.count
    guard count > 1 else { return try sink.append(text) }
    for _ in 0..<changes(alpha, count) {
      let a = random.below(count)
      let b = random.below(count - 1)
      line.words.swapAt(a, b < a ? b : b + 1)
    }
    try line.put(line.pieces, text, sink)
  }
}

/// EDA's random deletion: deletes each word with probability alpha. If all would be deleted, a random one is kept.
struct RandomDeletion: TextAugmentation {
  private let alpha: Double

  init(_ settings: Settings) { alpha = settings.number("alpha") }

  func apply(_ text: UnsafeBufferPointer<UInt8>, _ sink: TextSink, _ random: Random) throws(PluginFailure) {
    let line = Text(text)
    let count = line.words.count
    guard count > 1 else { return try sink.append(text) }
    var kept: [Bool] = []
    kept.reserveCapacity(count)
    for _ in 0..<count { kept.append(random.uniform() >= alpha) }
    if !kept.contains(true) { kept[random.below(count)] = true }

    var pieces: [Span] = []
    pieces.reserveCapacity(count * 2 + 1)
    // The gap before the next word; after a deleted word, joined from the gaps on both sides.
    var open = line.gaps[0]
    for index in 0..<count {
      let next = line.gaps[index + 1]
      if kept[index] {
        pieces.append(open)
        pieces.append(line.words[index].span)
        open = next
      } else {
        let (left, right) = joined(line, open, next, atStart: pieces.isEmpty)
        if left.count > 0, right.count > 0 {
          pieces.append(left)
          open = right
        } else {
          open = left.count > 0 ? left : right
        }
      }
    }
    pieces.append(open)
    try line.put(pieces, text, sink)
  }

  /// The gaps on both sides of a deleted word, without a superfluous space: of two spaces, at the start and the end of
  /// the text, and before punctuation.
  private func joined(_ line: Text, _ left: Span, _ right: Span, atStart: Bool) -> (Span, Span) {
    var (left, right) = (left, right)
    let startsWithSpace = line[right].first == 0x20
    if startsWithSpace, left.count == 0 ? atStart : line[left].last == 0x20 {
      right.from += 1
    } else if right.count > 0, !startsWithSpace, line[left].last == 0x20 {
      left.to -= 1
    } else if right.count == 0, line[left].last == 0x20, right.to == line.gaps.last?.to {
      left.to -= 1
    }
    return (left, right)
  }
}
