import CClip

extension KernelSet {
  /// clip_kernels.score_rows.
  @_alwaysEmitIntoClient @inline(__always)
  public static func scoreRows(_ work: UnsafePointer<clip_score_rows>?) {
    guard let work = work?.pointee, let rows = work.rows, let query = work.query, let scores = work.scores
    else { return }
    let numbers = query.assumingMemoryBound(to: Float.self)
    switch work.storage {
    case CLIP_STORAGE_F16:
      scoreRows(
        work.count, work.width, rows, bytes: 2, scores,
        { sum, row, i in sum.adding(Vector.loadHalf(row + 2 * i), times: Vector.load(numbers + i)) },
        total: { (($0 + $1) + ($2 + $3)).sum })
    case CLIP_STORAGE_INT8:
      // A lane of `numbers` has two integers of the query.
      scoreRows(
        work.count, work.width / 2, rows, bytes: 2, scores,
        { sum, row, i in sum.addingPairs(Vector.loadPairs(row + 2 * i), times: Vector.load(numbers + i)) },
        total: { (($0.fromIntegers + $1.fromIntegers) + ($2.fromIntegers + $3.fromIntegers)).sum })
      guard let scales = work.scales else { return }
      for row in 0..<work.count { scores[row] *= work.query_scale * scales[row] }
    default:
      scoreRows(
        work.count, work.width, rows, bytes: 4, scores,
        { sum, row, i in
          sum.adding(Vector.load((row + 4 * i).assumingMemoryBound(to: Float.self)), times: Vector.load(numbers + i))
        }, total: { (($0 + $1) + ($2 + $3)).sum })
    }
  }

  /// Scores each row, `width` lanes of `bytes` bytes, in four chains. Rows are scored one by one: several at a time
  /// share the query's loads, but take three times as long because the processor's prefetching fails.
  @_alwaysEmitIntoClient @inline(__always)
  static func scoreRows(
    _ count: Int, _ width: Int, _ rows: UnsafeRawPointer, bytes: Int, _ scores: UnsafeMutablePointer<Float>,
    _ adding: (Vector, UnsafeRawPointer, Int) -> Vector, total: (Vector, Vector, Vector, Vector) -> Float
  ) {
    let n = Vector.count
    for number in 0..<max(0, count) {
      let row = rows + number * width * bytes
      var a = Vector(repeating: 0)
      var b = a
      var c = a
      var d = a
      var i = 0
      while i + 4 * n <= width {
        a = adding(a, row, i)
        b = adding(b, row, i + n)
        c = adding(c, row, i + 2 * n)
        d = adding(d, row, i + 3 * n)
        i += 4 * n
      }
      while i < width {
        a = adding(a, row, i)
        i += n
      }
      scores[number] = total(a, b, c, d)
    }
  }
}
