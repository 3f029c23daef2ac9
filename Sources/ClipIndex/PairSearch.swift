import CClip
import CSystem

/// Compares all rows with each other: the rows of a segment, as queries, with those of each segment from it on.
final class PairSearch {
  /// Is told a pair, `row` below `other`, and returns the least score of pairs that are of use from now on. Called on
  /// the runtime's threads, under a lock.
  typealias Found = (Candidate) throws(ClipError) -> Float

  private let loaded: LoadedRows
  private let kernels: ScoreKernels
  private let mutex = Mutex()
  /// Under `mutex`.
  private var cutoff: Float

  init(_ loaded: LoadedRows, _ kernels: ScoreKernels, from cutoff: Float) {
    self.loaded = loaded
    self.kernels = kernels
    self.cutoff = cutoff
  }

  func run(_ runtime: Runtime, _ progress: clip_progress, _ found: Found) throws(ClipError) {
    let segments = loaded.segments
    let report = Progress(progress, total: segments.count * RowFormat.count)
    let queries = try Memory(floats: RowFormat.count * loaded.format.paddedWidth, for: "rows to compare")
    let scores = try Memory(floats: segments.count * RowFormat.count, for: "scores")
    let failures = Failures()
    for first in segments.indices {
      try report.report(first * RowFormat.count)
      fill(queries, segments[first])
      try runtime.run(segments.count - first) { index in
        do throws(ClipError) {
          try compare(first, queries, with: first + index, scores.floats + index * RowFormat.count, found)
        } catch { failures.record(error, index) }
      }
      try failures.throwFirst()
    }
    try report.report(.max)
  }

  /// The rows of a segment as queries: floats, or 16-bit integers.
  private func fill(_ queries: Memory, _ segment: LoadedSegment) {
    loaded.format.widen(segment.rows(loaded.format), segment.state.usedCount, to: queries.base)
  }

  private func compare(
    _ number: Int, _ queries: Memory, with otherNumber: Int, _ scores: UnsafeMutablePointer<Float>, _ found: Found
  ) throws(ClipError) {
    let format = loaded.format
    let segment = loaded.segments[number]
    let other = loaded.segments[otherNumber]
    let used = other.state.usedCount
    // Rows that stay in the L2 cache.
    let block = max(4, (1 << 18) / format.loadedRowBytes)
    for start in stride(from: 0, to: used, by: block) {
      let end = min(start + block, used)
      for place in 0..<segment.state.usedCount where segment.state.isLive(place) {
        let from = number == otherNumber ? max(start, place + 1) : start
        guard from < end else { continue }
        let query = queries.base + place * format.paddedWidth * (format.hasBytes ? 2 : 4)
        kernels.score(other, from, end - from, query, format.hasBytes ? segment.scales[place] : 1, format, scores)
        try tell(scores, from..<end, number * RowFormat.count + place, otherNumber * RowFormat.count, other, found)
      }
    }
  }

  private func tell(
    _ scores: UnsafePointer<Float>, _ places: Range<Int>, _ row: Int, _ firstOther: Int, _ other: LoadedSegment,
    _ found: Found
  ) throws(ClipError) {
    mutex.lock()
    defer { mutex.unlock() }
    for place in places where scores[place - places.lowerBound] >= cutoff && other.state.isLive(place) {
      let score = scores[place - places.lowerBound]
      cutoff = try found(Candidate(score: score, row: Int32(row), other: Int32(firstOther + place)))
    }
  }
}
