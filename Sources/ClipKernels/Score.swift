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
      scoreRows(work.count, work.width, rows, bytes: 2, scores) { sum, row, i in
        sum.adding(Vector.loadHalf(row + 2 * i), times: Vector.load(numbers + i))
      }
    case CLIP_STORAGE_INT8:
      // A lane of `numbers` is two of the query's integers.
      scoreRows(
        work.count, work.width / 2, rows, bytes: 2, scores,
        { sum, row, i in sum.addingPairs(Vector.loadPairs(row + 2 * i), times: Vector.load(numbers + i)) },
        total: { $0.fromIntegers.sum })
      guard let scales = work.scales else { return }
      for row in 0..<work.count { scores[row] *= work.query_scale * scales[row] }
    default:
      scoreRows(work.count, work.width, rows, bytes: 4, scores) { sum, row, i in
        sum.adding(Vector.load((row + 4 * i).assumingMemoryBound(to: Float.self)), times: Vector.load(numbers + i))
      }
    }
  }

  /// Four rows at a time, of `width` lanes of `bytes` bytes; the last row stands in for those behind it.
  @_alwaysEmitIntoClient @inline(__always)
  static func scoreRows(
    _ count: Int, _ width: Int, _ rows: UnsafeRawPointer, bytes: Int, _ scores: UnsafeMutablePointer<Float>,
    _ adding: (Vector, UnsafeRawPointer, Int) -> Vector, total: (Vector) -> Float = { $0.sum }
  ) {
    var first = 0
    while first < count {
      let places = (min(first + 1, count - 1), min(first + 2, count - 1), min(first + 3, count - 1))
      let row = (
        rows + first * width * bytes, rows + places.0 * width * bytes, rows + places.1 * width * bytes,
        rows + places.2 * width * bytes
      )
      var sum = (
        Vector(repeating: 0), Vector(repeating: 0), Vector(repeating: 0), Vector(repeating: 0)
      )
      var i = 0
      while i < width {
        sum.0 = adding(sum.0, row.0, i)
        sum.1 = adding(sum.1, row.1, i)
        sum.2 = adding(sum.2, row.2, i)
        sum.3 = adding(sum.3, row.3, i)
        i += Vector.count
      }
      scores[places.2] = total(sum.3)
      scores[places.1] = total(sum.2)
      scores[places.0] = total(sum.1)
      scores[first] = total(sum.0)
      first += 4
    }
  }
}
