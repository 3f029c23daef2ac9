/// The two directions of largest variance, by subspace iteration, and the projections of all rows on them.
struct PrincipalComponents {
  /// The projections of each row.
  let places: [(x: Double, y: Double)]
  /// The share of the variance along each direction.
  let shares: (Double, Double)

  init(_ rows: [Float], width: Int) {
    let n = rows.count / width
    var mean = [Double](repeating: 0, count: width)
    for index in rows.indices { mean[index % width] += Double(rows[index]) / Double(n) }
    var centred = rows.map { Double($0) }
    for index in centred.indices { centred[index] -= mean[index % width] }

    // Start axes that are not orthogonal to usual data.
    var axes = [[Double]](repeating: [Double](repeating: 0, count: width), count: 2)
    for column in 0..<width {
      axes[0][column] = Double(1 + column * 7 % 11)
      axes[1][column] = Double(1 + (column * 5 + 3) % 13)
    }
    for _ in 0..<60 {
      for axis in 0..<2 {
        var next = [Double](repeating: 0, count: width)
        for (row, score) in PrincipalComponents.project(centred, axes[axis]).enumerated() {
          for column in 0..<width { next[column] += score * centred[row * width + column] }
        }
        if axis == 1 {
          let shared = PrincipalComponents.dot(next[...], axes[0])
          for column in 0..<width { next[column] -= shared * axes[0][column] }
        }
        let length = PrincipalComponents.dot(next[...], next).squareRoot()
        axes[axis] = length > 0 ? next.map { $0 / length } : next
      }
    }
    let x = PrincipalComponents.project(centred, axes[0])
    let y = PrincipalComponents.project(centred, axes[1])
    let total = max(PrincipalComponents.dot(centred[...], centred), .leastNormalMagnitude)
    shares = (PrincipalComponents.dot(x[...], x) / total, PrincipalComponents.dot(y[...], y) / total)
    places = zip(x, y).map { (x: $0, y: $1) }
  }

  private static func dot(_ a: ArraySlice<Double>, _ b: [Double]) -> Double {
    var sum = 0.0
    for (x, y) in zip(a, b) { sum += x * y }
    return sum
  }

  /// The projection of each row on an axis.
  private static func project(_ rows: [Double], _ axis: [Double]) -> [Double] {
    stride(from: 0, to: rows.count, by: axis.count).map { dot(rows[$0..<($0 + axis.count)], axis) }
  }
}
