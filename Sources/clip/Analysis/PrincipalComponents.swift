/// The two directions in which rows differ most, by subspace iteration, and the rows along them.
struct PrincipalComponents {
  /// One place for each row.
  let places: [(x: Double, y: Double)]
  /// Share of the variance along both.
  let shares: (Double, Double)

  init(_ rows: [Float], width: Int) {
    let n = rows.count / width
    var mean = [Double](repeating: 0, count: width)
    for index in rows.indices { mean[index % width] += Double(rows[index]) / Double(n) }
    let centred = rows.indices.map { Double(rows[$0]) - mean[$0 % width] }
    let project = { (axis: [Double]) in
      (0..<n).map { row in (0..<width).reduce(0.0) { $0 + centred[row * width + $1] * axis[$1] } }
    }
    // From axes that any data has some of.
    var axes = [0, 1].map { axis in PrincipalComponents.unit((0..<width).map { 1 + Double(($0 * 7 + axis * 3) % 11) }) }
    for _ in 0..<60 {
      for axis in 0..<2 {
        var next = [Double](repeating: 0, count: width)
        for (row, score) in project(axes[axis]).enumerated() {
          for column in 0..<width { next[column] += score * centred[row * width + column] }
        }
        if axis == 1 {
          let shared = zip(next, axes[0]).reduce(0.0) { $0 + $1.0 * $1.1 }
          for column in 0..<width { next[column] -= shared * axes[0][column] }
        }
        axes[axis] = PrincipalComponents.unit(next)
      }
    }
    let (x, y) = (project(axes[0]), project(axes[1]))
    let total = max(centred.reduce(0.0) { $0 + $1 * $1 }, .leastNormalMagnitude)
    shares = (x.reduce(0.0) { $0 + $1 * $1 } / total, y.reduce(0.0) { $0 + $1 * $1 } / total)
    places = zip(x, y).map { (x: $0, y: $1) }
  }

  private static func unit(_ vector: [Double]) -> [Double] {
    let length = vector.reduce(0.0) { $0 + $1 * $1 }.squareRoot()
    return length > 0 ? vector.map { $0 / length } : vector
  }
}
