import CClip
import CSystem
import ClipPluginKit

/// Where an output pixel (x, y) looks in the picture.
protocol PictureMap {
  func callAsFunction(_ x: Double, _ y: Double) -> (x: Double, y: Double)
}

/// At (a x + b y + c, d x + e y + f).
struct AffineMap: PictureMap {
  var a = 1.0, b = 0.0, c = 0.0
  var d = 0.0, e = 1.0, f = 0.0

  func callAsFunction(_ x: Double, _ y: Double) -> (x: Double, y: Double) { (a * x + b * y + c, d * x + e * y + f) }

  /// torchvision's _get_inverse_affine_matrix: of a rotation, a shear, a scale and a translation about
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

  /// Pillow's Image.rotate: by `angle` degrees against the clock about `centre`.
  init(rotation angle: Double, centre: (x: Double, y: Double)) {
    let angle = -radians(angle - 360 * (angle / 360).rounded(.down))
    func cut(_ number: Double) -> Double { (number * 1e15).rounded(.toNearestOrEven) / 1e15 }
    (a, b) = (cut(cos(angle)), cut(sin(angle)))
    (d, e) = (cut(-sin(angle)), a)
    let moved = self(-centre.x, -centre.y)
    (c, f) = (moved.x + centre.x, moved.y + centre.y)
  }
}

private func radians(_ degrees: Double) -> Double { degrees * Double.pi / 180 }

enum Interpolation: Int {
  case nearest, bilinear, bicubic

  static let words: [StaticString] = ["nearest", "bilinear", "bicubic"]
}

/// Fills `target` with what `map` shows of `source`, and `fill` where that is outside, as Pillow's
/// Image.transform does (libImaging/Geometry.c).
func warp(_ source: Raster, into target: Raster, _ map: AffineMap, _ interpolation: Interpolation, fill: Colour) {
  target.fill(fill)
  switch interpolation {
  case .nearest:
    let (right, bottom) = (Double(target.width), Double(target.height))
    var isFixed = true
    for (x, y) in [(0, 0), (right, bottom), (0, bottom), (right, 0)] {
      let place = map(x, y)
      if !(abs(place.x) < 32768 && abs(place.y) < 32768) { isFixed = false }
    }
    if isFixed && (map.b != 0 || map.d != 0) {
      pickByFixedPoint(source, target, map)
    } else {
      pick(source, target, map)
    }
  case .bilinear, .bicubic: warp(source, into: target, by: map, interpolation)
  }
}

/// The same for any map, and without the fill: where the map leads outside `target` stays as it is.
func warp(_ source: Raster, into target: Raster, by map: some PictureMap, _ interpolation: Interpolation) {
  switch interpolation {
  case .nearest: sample(source, target, map) { put(source, Int($0), Int($1), $2) }
  case .bilinear: sample(source, target, map) { mixLines(source, $0 - 0.5, $1 - 0.5, $2) }
  case .bicubic: sample(source, target, map) { mixCubics(source, $0 - 0.5, $1 - 0.5, $2) }
  }
}

@inline(__always)
private func put(_ source: Raster, _ sourceX: Int, _ sourceY: Int, _ target: UnsafeMutablePointer<UInt8>) {
  let pixel = source.row(sourceY) + sourceX &* 3
  target[0] = pixel[0]
  target[1] = pixel[1]
  target[2] = pixel[2]
}

private func pick(_ source: Raster, _ target: Raster, _ map: AffineMap) {
  let (width, height) = (Double(source.width), Double(source.height))
  var (startX, startY) = (map.c + map.b * 0.5 + map.a * 0.5, map.f + map.e * 0.5 + map.d * 0.5)
  for y in 0..<target.height {
    var (sourceX, sourceY) = (startX, startY)
    for x in 0..<target.width {
      if sourceX >= 0, sourceX < width, sourceY >= 0, sourceY < height {
        put(source, Int(sourceX), Int(sourceY), target.row(y) + x &* 3)
      }
      sourceX += map.a
      sourceY += map.d
    }
    startX += map.b
    startY += map.e
  }
}

/// With 16 fractional bits. The caller has checked that the corners stay below 2^15.
private func pickByFixedPoint(_ source: Raster, _ target: Raster, _ map: AffineMap) {
  func fixed(_ number: Double) -> Int { Int((number * 65536 + 0.5).rounded(.down)) }
  let (a, b, d, e) = (fixed(map.a), fixed(map.b), fixed(map.d), fixed(map.e))
  var startX = fixed(map.c + map.a * 0.5 + map.b * 0.5)
  var startY = fixed(map.f + map.d * 0.5 + map.e * 0.5)
  for y in 0..<target.height {
    var (sourceX, sourceY) = (startX, startY)
    let row = target.row(y)
    for x in 0..<target.width {
      let (column, line) = (sourceX >> 16, sourceY >> 16)
      if column >= 0, column < source.width, line >= 0, line < source.height { put(source, column, line, row + x &* 3) }
      sourceX &+= a
      sourceY &+= d
    }
    startX &+= b
    startY &+= e
  }
}

/// Calls `mix` with the place of each output pixel that lies within, and where its result goes.
@inline(__always)
private func sample(
  _ source: Raster, _ target: Raster, _ map: some PictureMap,
  _ mix: (Double, Double, UnsafeMutablePointer<UInt8>) -> Void
) {
  let (width, height) = (Double(source.width), Double(source.height))
  for y in 0..<target.height {
    for x in 0..<target.width {
      let place = map(Double(x) + 0.5, Double(y) + 0.5)
      guard place.x >= 0, place.x < width, place.y >= 0, place.y < height else { continue }
      mix(place.x, place.y, target.row(y) + x * 3)
    }
  }
}

@inline(__always)
private func mixLines(_ source: Raster, _ x: Double, _ y: Double, _ target: UnsafeMutablePointer<UInt8>) {
  let (column, line) = (x.rounded(.down), y.rounded(.down))
  let (towardX, towardY) = (x - column, y - line)
  let left = max(Int(column), 0) * 3
  let right = min(Int(column) + 1, source.width - 1) * 3
  let above = source.row(max(Int(line), 0))
  let below = source.row(min(Int(line) + 1, source.height - 1))
  for channel in 0..<3 {
    func across(_ row: UnsafeMutablePointer<UInt8>) -> Double {
      let (a, b) = (Double(row[left + channel]), Double(row[right + channel]))
      return a + (b - a) * towardX
    }
    let (first, second) = (across(above), across(below))
    target[channel] = UInt8(truncatingIfNeeded: Int32(first + (second - first) * towardY))
  }
}

@inline(__always)
private func mixCubics(_ source: Raster, _ x: Double, _ y: Double, _ target: UnsafeMutablePointer<UInt8>) {
  let (column, line) = (x.rounded(.down), y.rounded(.down))
  let (towardX, towardY) = (x - column, y - line)
  for channel in 0..<3 {
    var rows = SIMD4<Double>()
    for i in 0..<4 {
      let row = source.row(max(0, min(Int(line) - 1 + i, source.height - 1)))
      var values = SIMD4<Double>()
      for j in 0..<4 { values[j] = Double(row[max(0, min(Int(column) - 1 + j, source.width - 1)) * 3 + channel]) }
      rows[i] = cubic(values, towardX)
    }
    target[channel] = UInt8(truncatingIfNeeded: Int32(max(0, min(255, cubic(rows, towardY)))))
  }
}

/// Keys' cubic through four neighbours with a = -1, as Pillow has it here.
@inline(__always)
private func cubic(_ v: SIMD4<Double>, _ toward: Double) -> Double {
  let second = v[2] - v[0]
  let third = 2 * (v[0] - v[1]) + v[2] - v[3]
  let fourth = v[1] - v[0] - v[2] + v[3]
  return v[1] + toward * (second + toward * (third + toward * fourth))
}
