import CClip
import CSystem

/// The request of a search.
struct Wish {
  let count: Int
  /// -infinity for none.
  let threshold: Float
  let filter: clip_index_filter_fn?
  let user: UnsafeMutableRawPointer?
  let progress: clip_progress

  init(_ options: clip_index_search_options) throws(ClipError) {
    try requireFlags(options.flags, CLIP_INDEX_THRESHOLD, "CLIP_INDEX_")
    let hasThreshold = Int(options.flags) & CLIP_INDEX_THRESHOLD != 0
    guard hasThreshold ? options.threshold.magnitude <= 1 : options.threshold == 0 else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        hasThreshold
          ? "options.threshold: expected -1 to 1" : "options.threshold: expected CLIP_INDEX_THRESHOLD in the flags too")
    }
    count = options.count == 0 ? 10 : Int(options.count)
    threshold = hasThreshold ? options.threshold : -.infinity
    filter = options.filter
    user = options.filter_user
    progress = options.progress
  }

  /// So that a few times as many can be counted.
  var mostCount: Int { min(Int.max / 32, count) }
}

extension Index {
  /// The error bound of scores of bytes. Scores within it of a threshold are computed exactly.
  static var byteError: Float { 0.02 }

  func search(_ embedding: UnsafePointer<Float>, _ wish: Wish) throws(ClipError) -> [Entry] {
    let query = try Query(embedding, format)
    return try reading { () throws(ClipError) in
      if let neighbours, try neighbours.refresh(self, wish.progress) { return try searchNear(query, wish, neighbours) }
      try loaded.refresh(database, wish.progress)
      var judge = try Judge(self, query, wish)
      return try searchAll(query, wish, loaded.segments, &judge)
    }
  }

  private func searchAll(_ query: Query, _ wish: Wish, _ segments: [LoadedSegment], _ judge: inout Judge)
    throws(ClipError) -> [Entry]
  {
    let scores = try Scores(segments, format, query, kernels, runtime)
    var below = Float.infinity
    // Candidates of bytes are more than matches, so that the order of exact scores decides.
    var wanted = wish.mostCount
    if format.hasBytes { wanted = 4 * wanted + 64 } else if wish.filter != nil { wanted = 2 * wanted + 64 }
    let least = format.hasBytes ? wish.threshold - Index.byteError : wish.threshold
    while true {
      let round = try scores.best(wanted, below: below)
      guard let last = round.last else { return judge.matches }
      below = last.score
      if try judge.take(round.filter { $0.score >= least }, areExact: !format.hasBytes) || below < least {
        return judge.matches
      }
      wanted = min(Int.max / 8, 2 * wanted)
    }
  }

  /// Of what neighbours find, which is more in each round; of all rows, where that is less work.
  private func searchNear(_ query: Query, _ wish: Wish, _ neighbours: Neighbours) throws(ClipError) -> [Entry] {
    var judge = try Judge(self, query, wish, rowCount: neighbours.rowCount)
    var wanted = 10 * wish.mostCount + 256
    while wanted <= neighbours.count / 8 {
      let found = try neighbours.search(self, query, wanted)
      // Where few rows are as they were, what is missing may be nearer than what is found.
      if found.currentCount >= min(10 * wish.mostCount, wanted / 2), try judge.take(found) { return judge.matches }
      wanted *= 4
    }
    judge.restart()
    if let rows = neighbours.allRows { return try searchAll(query, wish, rows, &judge) }
    // The method is there to save the rows' memory: they are not kept.
    defer { loaded = LoadedRows(format) }
    try loaded.refresh(database, wish.progress)
    return try searchAll(query, wish, loaded.segments, &judge)
  }
}

/// What a search does with candidates: scores them exactly, and keeps those that it is asked for.
struct Judge {
  private enum Verdict: UInt8 { case none, rejected, accepted }

  private let index: Index
  private let query: Query
  private let wish: Wish
  private let row: Memory
  /// Of each row, the filter's verdict: rows that may come again are shown to it once.
  private let verdicts: Memory?
  private(set) var matches: [Entry] = []

  /// `rowCount`: rows that may come again.
  init(_ index: Index, _ query: Query, _ wish: Wish, rowCount: Int = 0) throws(ClipError) {
    self.index = index
    self.query = query
    self.wish = wish
    row = try Memory(byteCount: index.format.exactBytes, for: "a row of an index")
    verdicts = wish.filter == nil || rowCount == 0 ? nil : try Memory(byteCount: rowCount, for: "verdicts")
    if let verdicts { memset(verdicts.base, 0, rowCount) }
  }

  /// Forgets the matches; the filter's verdicts stay.
  mutating func restart() { matches = [] }

  /// Adds matches. Returns whether there are enough. `areExact`: the candidates' scores are.
  mutating func take(_ candidates: [Candidate], areExact: Bool) throws(ClipError) -> Bool {
    var entries = try scored(candidates, areExact)
    return try choose(&entries, from: wish.threshold)
  }

  /// Matches of neighbours, those of earlier rounds among them. Returns whether there can be no others.
  mutating func take(_ found: Neighbours.Found) throws(ClipError) -> Bool {
    restart()
    var entries = try scored(found.candidates, found.areExact)
    // Below the last of the structure's, rows are missing; of a structure with scores of its own, below the best quarter.
    var scores: [Float] = []
    for entry in entries.prefix(found.structureCount) { try scores.add(entry.score, for: "scores") }
    try scores.arrange(for: "scores", by: >)
    let last = found.areRanked ? scores.last : scores.isEmpty ? nil : scores[scores.count / 4]
    let floor = max(last ?? .infinity, found.floor)
    return try choose(&entries, from: max(floor, wish.threshold)) || floor < wish.threshold
  }

  private func scored(_ candidates: [Candidate], _ areExact: Bool) throws(ClipError) -> [Entry] {
    var entries: [Entry] = []
    for candidate in candidates {
      try requireMemory("a search")
      var entry = try index.entry(row: Int(candidate.row))
      entry.score = candidate.score
      if !areExact {
        try index.readRow(entry, into: row.base)
        entry.score = query.score(row.base, index.format)
      }
      try entries.add(entry, for: "matches")
    }
    return entries
  }

  private mutating func choose(_ entries: inout [Entry], from least: Float) throws(ClipError) -> Bool {
    try entries.arrange(for: "matches", by: Entry.isBefore)
    for entry in entries {
      guard entry.score >= least else { break }
      guard accepts(entry) else { continue }
      try matches.add(entry, for: "matches")
      if matches.count == wish.count { return true }
    }
    return false
  }

  private func accepts(_ entry: Entry) -> Bool {
    guard let filter = wish.filter else { return true }
    let ask = { entry.withC { filter(wish.user, $0) != 0 } }
    guard let verdicts, entry.row < verdicts.byteCount else { return ask() }
    let known = verdicts.base.load(fromByteOffset: entry.row, as: UInt8.self)
    guard known == Verdict.none.rawValue else { return known == Verdict.accepted.rawValue }
    let isAccepted = ask()
    let verdict = isAccepted ? Verdict.accepted : .rejected
    verdicts.base.storeBytes(of: verdict.rawValue, toByteOffset: entry.row, as: UInt8.self)
    return isAccepted
  }
}

extension Entry {
  /// Higher scores first, then by key.
  static func isBefore(_ a: Entry, _ b: Entry) -> Bool {
    a.score != b.score ? a.score > b.score : a.key.lexicographicallyPrecedes(b.key)
  }

  /// The entry as a caller sees it, valid during `body`.
  func withC<Result>(_ body: (UnsafePointer<clip_index_entry>) -> Result) -> Result {
    key.withUnsafeBytes { key in
      metadata.withUnsafeBytes { metadata in
        var entry = clip_index_entry(
          struct_size: UInt32(MemoryLayout<clip_index_entry>.size), score: score,
          key: clip_index_bytes(data: key.baseAddress, size: key.count),
          metadata: clip_index_bytes(data: metadata.isEmpty ? nil : metadata.baseAddress, size: metadata.count))
        return withUnsafePointer(to: &entry) { body($0) }
      }
    }
  }
}

/// The scores of the rows of segments for a query. Rows that are free have -infinity.
struct Scores {
  private let scores: Memory
  /// The best of each segment.
  private let best: Memory
  private let segments: [LoadedSegment]

  init(
    _ segments: [LoadedSegment], _ format: RowFormat, _ query: Query, _ kernels: ScoreKernels, _ runtime: Runtime
  ) throws(ClipError) {
    self.segments = segments
    scores = try Memory(floats: segments.count * RowFormat.count, for: "scores")
    best = try Memory(floats: segments.count, for: "scores")
    let all = scores.floats
    let bests = best.floats
    try runtime.run(segments.count) { index in
      let own = all + index * RowFormat.count
      let state = segments[index].state
      let used = state.usedCount
      if used > 0 { kernels.score(segments[index], 0, used, query.elements.base, query.scale, format, own) }
      var best = -Float.infinity
      for place in 0..<RowFormat.count {
        // A comparison with NaN is false.
        guard place < used, state.isLive(place), own[place] > -.infinity else {
          own[place] = -.infinity
          continue
        }
        best = max(best, own[place])
      }
      bests[index] = best
    }
  }

  /// The best `wanted` rows that score less than `below`, and all that score the same as the last of them; in order.
  func best(_ wanted: Int, below: Float) throws(ClipError) -> [Candidate] {
    var found = Best(wanted, from: -.infinity)
    try visit { score, row throws(ClipError) in
      if score < below { try found.add(Candidate(score: score, row: row)) }
      return found.cutoff
    }
    try found.prune()
    guard found.candidates.count == wanted else { return found.candidates }
    let last = found.cutoff
    var all: [Candidate] = []
    for candidate in found.candidates where candidate.score > last { try all.add(candidate, for: "matches") }
    try visit { score, row throws(ClipError) in
      if score == last { try all.add(Candidate(score: score, row: row), for: "matches") }
      return last
    }
    return all
  }

  /// Calls `body` for the rows that score at least what it last returned.
  private func visit(_ body: (Float, Int32) throws(ClipError) -> Float) throws(ClipError) {
    var cutoff = -Float.infinity
    for segment in segments.indices where best.floats[segment] >= cutoff && best.floats[segment] > -.infinity {
      let own = scores.floats + segment * RowFormat.count
      for place in 0..<RowFormat.count where own[place] >= cutoff && own[place] > -.infinity {
        cutoff = try body(own[place], Int32(segments[segment].state.number * RowFormat.count + place))
      }
    }
  }
}
