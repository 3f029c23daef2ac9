/// target[columns, rows] = a' for columns [columns) of a [rows, …]; a few rows at a time, which stay in the L1 cache.
func transpose(_ a: Matrix, rows: Int, columns: Range<Int>, into target: UnsafeMutablePointer<Float>) {
  for start in stride(from: 0, to: rows, by: 64) {
    transpose(a, start..<min(rows, start + 64), of: rows, columns, into: target)
  }
}

private func transpose(
  _ a: Matrix, _ part: Range<Int>, of rows: Int, _ columns: Range<Int>, into target: UnsafeMutablePointer<Float>
) {
  var column = columns.lowerBound
  while column + 4 <= columns.upperBound {
    var row = part.lowerBound
    while row + 4 <= part.upperBound {
      let source = a.data + row * a.stride + column
      let a0 = load4(source)
      let a1 = load4(source + a.stride)
      let a2 = load4(source + 2 * a.stride)
      let a3 = load4(source + 3 * a.stride)
      let place = target + column * rows + row
      store4(SIMD4(a0.x, a1.x, a2.x, a3.x), place)
      store4(SIMD4(a0.y, a1.y, a2.y, a3.y), place + rows)
      store4(SIMD4(a0.z, a1.z, a2.z, a3.z), place + 2 * rows)
      store4(SIMD4(a0.w, a1.w, a2.w, a3.w), place + 3 * rows)
      row += 4
    }
    while row < part.upperBound {
      for lane in 0..<4 { target[(column + lane) * rows + row] = a.data[row * a.stride + column + lane] }
      row += 1
    }
    column += 4
  }
  while column < columns.upperBound {
    for row in part { target[column * rows + row] = a.data[row * a.stride + column] }
    column += 1
  }
}

@inline(__always) private func load4(_ source: UnsafePointer<Float>) -> SIMD4<Float> {
  UnsafeRawPointer(source).loadUnaligned(as: SIMD4<Float>.self)
}

@inline(__always) private func store4(_ value: SIMD4<Float>, _ target: UnsafeMutablePointer<Float>) {
  UnsafeMutableRawPointer(target).storeBytes(of: value, as: SIMD4<Float>.self)
}

extension Executor {
  /// target[columns, rows] = a'.
  func transpose(_ a: Matrix, rows: Int, columns: Int, into target: UnsafeMutablePointer<Float>) {
    let groups = (columns + 15) / 16
    let pieces = max(1, min(width * 4, groups, rows * columns / 8192))
    run(
      pieces, Transposing(matrix: a, rows: rows, columns: columns, groups: groups, pieces: pieces, target: target))
  }
}

private struct Transposing: Work {
  let matrix: Matrix
  let rows: Int
  let columns: Int
  let groups: Int
  let pieces: Int
  let target: UnsafeMutablePointer<Float>

  func part(_ piece: Int) {
    for group in groups.share(piece, of: pieces) {
      transpose(matrix, rows: rows, columns: (group * 16)..<min(columns, group * 16 + 16), into: target)
    }
  }
}
