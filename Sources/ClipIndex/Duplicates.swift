import CClip
import CSystem

extension Index {
  typealias Pair = (a: Entry, b: Entry)

  func duplicates(_ limit: Int, threshold: Float, _ progress: clip_progress) throws(ClipError) -> [Pair] {
    try reading { () throws(ClipError) in
      try loaded.refresh(database, clip_progress())
      // As in a search, candidates of bytes are more than pairs.
      let search = PairSearch(
        format.hasBytes ? 2 * limit + 64 : limit, from: format.hasBytes ? threshold - Index.byteError : threshold)
      let candidates = try search.run(loaded, kernels, runtime, progress)
      let rows = try Memory(floats: 2 * format.paddedWidth, for: "rows of an index")
      var pairs: [Pair] = []
      for candidate in candidates {
        try requireMemory("clip_index_duplicates")
        var a = try entry(row: Int(candidate.row))
        var b = try entry(row: Int(candidate.other))
        a.score = format.hasBytes ? try exactScore(a, b, rows) : candidate.score
        b.score = a.score
        guard a.score >= threshold else { continue }
        try pairs.add(a.key.lexicographicallyPrecedes(b.key) ? (a, b) : (b, a), for: "pairs")
      }
      try pairs.arrange(for: "pairs") {
        $0.a.score != $1.a.score || $0.a.key != $1.a.key
          ? Entry.isBefore($0.a, $1.a) : $0.b.key.lexicographicallyPrecedes($1.b.key)
      }
      if pairs.count > limit { pairs.removeLast(pairs.count - limit) }
      return pairs
    }
  }

  private func exactScore(_ a: Entry, _ b: Entry, _ rows: Memory) throws(ClipError) -> Float {
    let other = rows.base + format.exactBytes
    try readRow(a, into: rows.base)
    try readRow(b, into: other)
    var sum = 0.0
    for i in 0..<format.width { sum += Double(format.value(rows.base, i)) * Double(format.value(other, i)) }
    return Float(sum)
  }
}

/// Compares all rows with each other: the rows of a segment, as queries, with those of each segment from it on.
final class PairSearch {
  private let mutex = Mutex()
  private var best: Best

  init(_ limit: Int, from threshold: Float) { best = Best(limit, from: threshold) }

  func run(_ loaded: LoadedRows, _ kernels: ScoreKernels, _ runtime: Runtime, _ progress: clip_progress)
    throws(ClipError) -> [Candidate]
  {
    let segments = loaded.segments
    let format = loaded.format
    let report = Progress(progress, total: segments.count * RowFormat.count)
    let queries = try Memory(floats: RowFormat.count * format.paddedWidth, for: "rows to compare")
    let scores = try Memory(floats: segments.count * RowFormat.count, for: "scores")
    let failures = Failures()
    for first in segments.indices {
      try report.report(first * RowFormat.count)
      let segment = segments[first]
      PairSearch.fill(queries, segment, format)
      try runtime.run(segments.count - first) { index in
        do throws(ClipError) {
          try compare(
            segment, queries, first, with: segments[first + index], first + index, format, kernels,
            scores.floats + index * RowFormat.count)
        } catch { failures.record(error, index) }
      }
      try failures.throwFirst()
    }
    try report.report(.max)
    try best.prune()
    return best.candidates
  }

  /// The rows of a segment as queries: floats, or 16-bit integers.
  private static func fill(_ queries: Memory, _ segment: LoadedSegment, _ format: RowFormat) {
    for i in 0..<segment.state.usedCount * format.paddedWidth {
      if format.hasBytes {
        let value = Int16(segment.rows(format).load(fromByteOffset: i, as: Int8.self))
        queries.base.storeBytes(of: value, toByteOffset: 2 * i, as: Int16.self)
      } else {
        queries.floats[i] = format.value(segment.rows(format), i)
      }
    }
  }

  private func compare(
    _ segment: LoadedSegment, _ queries: Memory, _ number: Int, with other: LoadedSegment, _ otherNumber: Int,
    _ format: RowFormat, _ kernels: ScoreKernels, _ scores: UnsafeMutablePointer<Float>
  ) throws(ClipError) {
    let used = other.state.usedCount
    // Rows that stay in the L2 cache.
    let block = max(4, (1 << 18) / format.loadedRowBytes)
    for start in stride(from: 0, to: used, by: block) {
      let end = min(start + block, used)
      for place in 0..<segment.state.usedCount where segment.state.isLive(place) {
        let from = number == otherNumber ? max(start, place + 1) : start
        guard from < end else { continue }
        let query = queries.base + place * format.paddedWidth * (format.hasBytes ? 2 : 4)
        kernels.score(
          other, from, end - from, query, format.hasBytes ? segment.scales[place] : 1, format, scores)
        let row = number * RowFormat.count + place
        try keep(scores, from..<end, row, otherNumber * RowFormat.count, other.state)
      }
    }
  }

  private func keep(
    _ scores: UnsafePointer<Float>, _ places: Range<Int>, _ row: Int, _ firstOther: Int, _ state: SegmentState
  ) throws(ClipError) {
    mutex.lock()
    defer { mutex.unlock() }
    for place in places where scores[place - places.lowerBound] >= best.cutoff && state.isLive(place) {
      try best.add(
        Candidate(score: scores[place - places.lowerBound], row: Int32(row), other: Int32(firstOther + place)))
    }
  }
}
