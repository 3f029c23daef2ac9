import CClip
import CSystem
import ClipPluginKit

/// Maps a point of the result to a point of the source image.
protocol CoordinateMap {
  func callAsFunction(_ x: Double, _ y: Double) -> (x: Double, y: Double)
}

/// The map to (a x + b y + c, d x + e y + f).
struct AffineMap: CoordinateMap {
  var a = 1.0, b = 0.0, c = 0.0
  var d = 0.0, e = 1.0, f = 0.0

  func callAsFunction(_ x: Double, _ y: Double) -> (x: Double, y: Double) { (a * x + b * y + c, d * x + e * y + f) }

  /// torchvision's _get_inverse_affine_matrix: the inverse of a rotation, shear, scale and translation about
  /// `centre`. Angles are in degrees.
  init(
    centre: (x: Double, y: Double), angle: Double = 0, translate: (x: Double, y: Double) = (0, 0), scale: Double = 1,
    shear: (x: Double, y: Double) = (0, 0)
  ) {
    let (angle, shearX, shearY) = (radians(angle), radians(shear.x), radians(shear.y))
    a = (-sin(angle - shearY) * tan(shearX) / cos(shearY) + cos(angle)) / scale
    b = -(-cos(angle - shearY) * tan(shearX) / cos(shearY) - sin(angle)) / scale
    d = -(sin(angle - shearY) / cos(shearY)) / scale
    e = cos(angle - shearY) / cos(shearY) / scale
    c = a * (-centre.x - translate.x) + b * (-centre.y - translate.y) + centre.x
    f = d * (-centre.x - translate.x) + e * (-centre.y - translate.y) + centre.y
  }

  /// Pillow's Image.rotate by `angle` degrees counter-clockwise about `centre`.
  init(rotation angle: Double, centre: (x: Double, y: Double)) {
    let angle = -radians(angle - 360 * (angle / 360).rounded(.down))
    func rounded(_ value: Double) -> Double { (value * 1e15).rounded(.toNearestOrEven) / 1e15 }
    (a, b) = (rounded(cos(angle)), rounded(sin(angle)))
    (d, e) = (rounded(-sin(angle)), a)
    let moved = self(-centre.x, -centre.y)
    (c, f) = (moved.x + centre.x, moved.y + centre.y)
  }
}

private func radians(_ degrees: Double) -> Double { degrees * Double.pi / 180 }

enum Interpolation: Int {
  case nearest, bilinear, bicubic

  static var words: [StaticString] { ["nearest", "bilinear", "bicubic"] }
}

/// Pillow's Image.transform (libImaging/Geometry.c): sets each pixel of `target` to the point of `source` that it maps
/// to, or to `fill` if that is outside.
func warp(_ source: Raster, into target: Raster, _ map: AffineMap, _ interpolation: Interpolation, fill: Colour) {
  target.fill(fill)
  switch interpolation {
  case .nearest:
    let (right, bottom) = (Double(target.width), Double(target.height))
    var fitsFixedPoint = true
    for (x, y) in [(0, 0), (right, bottom), (0, bottom), (right, 0)] {
      let point = map(x, y)
      if !(abs(point.x) < 32768 && abs(point.y) < 32768) { fitsFixedPoint = false }
    }
    if fitsFixedPoint && (map.b != 0 || map.d != 0) {
      copyNearestInFixedPoint(source, target, map)
    } else {
      copyNearest(source, target, map)
    }
  case .bilinear, .bicubic: warp(source, into: target, by: map, interpolation)
  }
}

/// The same for any map, without the fill: pixels of `target` that map outside `source` stay as they are.
func warp(_ source: Raster, into target: Raster, by map: some CoordinateMap, _ interpolation: Interpolation) {
  switch interpolation {
  case .nearest: forEachMapped(source, target, map) { copyPixel(source, Int($0), Int($1), $2) }
  case .bilinear: forEachMapped(source, target, map) { sampleBilinear(source, $0 - 0.5, $1 - 0.5, $2) }
  case .bicubic: forEachMapped(source, target, map) { sampleBicubic(source, $0 - 0.5, $1 - 0.5, $2) }
  }
}

@inline(__always)
private func copyPixel(_ source: Raster, _ sourceX: Int, _ sourceY: Int, _ target: UnsafeMutablePointer<UInt8>) {
  let pixel = source.row(sourceY) + sourceX &* 3
  target[0] = pixel[0]
  target[1] = pixel[1]
  target[2] = pixel[2]
}

/// Nearest neighbour, with source positions found by repeated addition as in Pillow.
private func copyNearest(_ source: Raster, _ target: Raster, _ map: AffineMap) {
  let (width, height) = (Double(source.width), Double(source.height))
  var (startX, startY) = (map.c + map.b * 0.5 + map.a * 0.5, map.f + map.e * 0.5 + map.d * 0.5)
  for y in 0..<target.height {
    var (sourceX, sourceY) = (startX, startY)
    for x in 0..<target.width {
      if sourceX >= 0, sourceX < width, sourceY >= 0, sourceY < height {
        copyPixel(source, Int(sourceX), Int(sourceY), target.row(y) + x &* 3)
      }
      sourceX += map.a
      sourceY += map.d
    }
    startX += map.b
    startY += map.e
  }
}

/// Nearest neighbour in fixed point with 16 fractional bits. The caller checks that the corners map to below 2^15.
private func copyNearestInFixedPoint(_ source: Raster, _ target: Raster, _ map: AffineMap) {
  func fixed(_ value: Double) -> Int { Int((value * 65536 + 0.5).rounded(.down)) }
  let (a, b, d, e) = (fixed(map.a), fixed(map.b), fixed(map.d), fixed(map.e))
  var startX = fixed(map.c + map.a * 0.5 + map.b * 0.5)
  var startY = fixed(map.f + map.d * 0.5 + map.e * 0.5)
  for y in 0..<target.height {
    var (sourceX, sourceY) = (startX, startY)
    let row = target.row(y)
    for x in 0..<target.width {
      let (column, line) = (sourceX >> 16, sourceY >> 16)
      if column >= 0, column < source.width, line >= 0, line < source.height {
        copyPixel(source, column, line, row + x &* 3)
      }
      sourceX &+= a
      sourceY &+= d
    }
    startX &+= b
    startY &+= e
  }
}

/// Calls `write` for each pixel of `target` whose centre maps to a point in `source`, with that point and the pixel.
@inline(__always)
private func forEachMapped(
  _ source: Raster, _ target: Raster, _ map: some CoordinateMap,
  _ write: (Double, Double, UnsafeMutablePointer<UInt8>) -> Void
) {
  let (width, height) = (Double(source.width), Double(source.height))
  for y in 0..<target.height {
    for x in 0..<target.width {
      let point = map(Double(x) + 0.5, Double(y) + 0.5)
      guard point.x >= 0, point.x < width, point.y >= 0, point.y < height else { continue }
      write(point.x, point.y, target.row(y) + x * 3)
    }
  }
}

@inline(__always)
private func sampleBilinear(_ source: Raster, _ x: Double, _ y: Double, _ target: UnsafeMutablePointer<UInt8>) {
  let (column, line) = (x.rounded(.down), y.rounded(.down))
  let (fractionX, fractionY) = (x - column, y - line)
  let left = max(Int(column), 0) * 3
  let right = min(Int(column) + 1, source.width - 1) * 3
  let above = source.row(max(Int(line), 0))
  let below = source.row(min(Int(line) + 1, source.height - 1))
  for channel in 0..<3 {
    func interpolated(_ row: UnsafeMutablePointer<UInt8>) -> Double {
      let (a, b) = (Double(row[left + channel]), Double(row[right + channel]))
      return a + (b - a) * fractionX
    }
    let (first, second) = (interpolated(above), interpolated(below))
    target[channel] = UInt8(truncatingIfNeeded: Int32(first + (second - first) * fractionY))
  }
}

@inline(__always)
private func sampleBicubic(_ source: Raster, _ x: Double, _ y: Double, _ target: UnsafeMutablePointer<UInt8>) {
  let (column, line) = (x.rounded(.down), y.rounded(.down))
  let (fractionX, fractionY) = (x - column, y - line)
  for channel in 0..<3 {
    var rows = SIMD4<Double>()
    for i in 0..<4 {
      let row = source.row(max(0, min(Int(line) - 1 + i, source.height - 1)))
      var values = SIMD4<Double>()
      for j in 0..<4 { values[j] = Double(row[max(0, min(Int(column) - 1 + j, source.width - 1)) * 3 + channel]) }
      rows[i] = cubic(values, fractionX)
    }
    target[channel] = UInt8(truncatingIfNeeded: Int32(max(0, min(255, cubic(rows, fractionY)))))
  }
}

/// Keys' cubic convolution of four neighbours with a = -1, as in Pillow's Image.transform.
@inline(__always)
private func cubic(_ v: SIMD4<Double>, _ fraction: Double) -> Double {
  let second = v[2] - v[0]
  let third = 2 * (v[0] - v[1]) + v[2] - v[3]
  let fourth = v[1] - v[0] - v[2] + v[3]
  return v[1] + fraction * (second + fraction * (third + fraction * fourth))
}
