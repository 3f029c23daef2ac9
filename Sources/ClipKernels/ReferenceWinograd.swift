import CClip

/// Winograd's transforms as in the paper: products with the matrices B' and A', in double.
extension Reference {
  private static func spread(_ row: Int, _ column: Int) -> Double {
    let rows = (
      SIMD4<Double>(1, 0, -1, 0), SIMD4<Double>(0, 1, 1, 0), SIMD4<Double>(0, -1, 1, 0), SIMD4<Double>(0, 1, 0, -1)
    )
    switch row {
    case 0: return rows.0[column]
    case 1: return rows.1[column]
    case 2: return rows.2[column]
    default: return rows.3[column]
    }
  }

  private static func gather(_ row: Int, _ column: Int) -> Double {
    row == 0 ? SIMD4<Double>(1, 1, 1, 0)[column] : SIMD4<Double>(0, 1, -1, -1)[column]
  }

  static func winogradInput(_ work: UnsafePointer<clip_winograd_input>?) {
    guard let work = work?.pointee, let x = work.x, let packed = work.packed else { return }
    let across = (work.width &+ 1) / 2
    let each = across &* ((work.height &+ 1) / 2)
    for index in 0..<max(0, work.tiles) {
      let image = (work.first_tile &+ index) / each
      let top = (work.first_tile &+ index) % each / across &* 2 &- 1
      let left = (work.first_tile &+ index) % each % across &* 2 &- 1
      for channel in 0..<max(0, work.channels) {
        for place in 0..<16 {
          var sum = 0.0
          for pixel in 0..<16 {
            let row = top &+ pixel / 4
            let column = left &+ pixel % 4
            guard row >= 0, row < work.height, column >= 0, column < work.width else { continue }
            let value = x[((image &* work.height &+ row) &* work.width &+ column) &* work.channels &+ channel]
            sum += spread(place / 4, pixel / 4) * spread(place % 4, pixel % 4) * Double(value)
          }
          packed[(place &* work.rows &+ work.first_row &+ index) &* work.channels &+ channel] = Float(sum)
        }
      }
    }
  }

  static func winogradOutput(_ work: UnsafePointer<clip_winograd_output>?) {
    guard let work = work?.pointee, let products = work.products, let c = work.c else { return }
    let across = (work.width &+ 1) / 2
    let each = across &* ((work.height &+ 1) / 2)
    for index in 0..<max(0, work.tiles) {
      let image = (work.first_tile &+ index) / each
      let top = (work.first_tile &+ index) % each / across &* 2
      let left = (work.first_tile &+ index) % each % across &* 2
      for pixel in 0..<4 where top &+ pixel / 2 < work.height && left &+ pixel % 2 < work.width {
        let row = (image &* work.height &+ top &+ pixel / 2) &* work.width &+ left &+ pixel % 2
        for column in 0..<max(0, work.columns) {
          var product = 0.0
          for place in 0..<16 {
            let value = products[(place &* work.tiles &+ index) &* work.columns &+ column]
            product += gather(pixel / 2, place / 4) * gather(pixel % 2, place % 4) * Double(value)
          }
          var sum = activate(Float(product) + (work.bias?[column] ?? 0), work.activation)
          if let residual = work.residual {
            sum = activate(sum + residual[row &* work.residual_stride &+ column], work.after)
          }
          c[row &* work.c_stride &+ column] = sum
        }
      }
    }
  }
}
