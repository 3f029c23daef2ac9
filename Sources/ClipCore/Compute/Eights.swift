/// Eight elements of a row, for eight independent sums: the first `lanes` from memory, the rest `filler`.
@inline(__always)
func eight(_ source: UnsafePointer<Float>, _ lanes: Int, filler: Float = 0) -> SIMD8<Float> {
  if lanes == 8 { return UnsafeRawPointer(source).loadUnaligned(as: SIMD8<Float>.self) }
  var vector = SIMD8<Float>(repeating: filler)
  for lane in 0..<lanes { vector[lane] = source[lane] }
  return vector
}

/// The same for doubles.
@inline(__always)
func eight(_ source: UnsafePointer<Double>, _ lanes: Int) -> SIMD8<Double> {
  if lanes == 8 { return UnsafeRawPointer(source).loadUnaligned(as: SIMD8<Double>.self) }
  var vector = SIMD8<Double>.zero
  for lane in 0..<lanes { vector[lane] = source[lane] }
  return vector
}

/// Writes the first `lanes` of eight elements.
@inline(__always)
func put<Number>(_ vector: SIMD8<Number>, _ target: UnsafeMutablePointer<Number>, _ lanes: Int) {
  if lanes == 8 { return UnsafeMutableRawPointer(target).storeBytes(of: vector, as: SIMD8<Number>.self) }
  for lane in 0..<lanes { target[lane] = vector[lane] }
}

/// Calls body(first, lanes) for each eight elements of a row and for the rest. Written out because the library is
/// compiled for size, where the compiler does not vectorise loops.
@inline(__always)
func forEachEight(_ width: Int, _ body: (Int, Int) -> Void) {
  var i = 0
  while i + 8 <= width {
    body(i, 8)
    i += 8
  }
  if i < width { body(i, width - i) }
}

/// target += source.
func addFloats(_ source: UnsafePointer<Float>, _ count: Int, to target: UnsafeMutablePointer<Float>) {
  forEachEight(count) { i, lanes in put(eight(target + i, lanes) + eight(source + i, lanes), target + i, lanes) }
}

/// target += factor * source.
func addFloats(
  _ source: UnsafePointer<Float>, _ count: Int, times factor: Float, to target: UnsafeMutablePointer<Float>
) {
  forEachEight(count) { i, lanes in
    put(eight(target + i, lanes) + eight(source + i, lanes) * factor, target + i, lanes)
  }
}

/// target = a * b, or target += a * b, element by element.
func putProducts(
  _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int, adding: Bool,
  to target: UnsafeMutablePointer<Float>
) {
  forEachEight(count) { i, lanes in
    let product = eight(a + i, lanes) * eight(b + i, lanes)
    put(adding ? eight(target + i, lanes) + product : product, target + i, lanes)
  }
}

/// The sum of a[i] * b[i], in eight chains.
func dotProduct(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int) -> Float {
  var sum = SIMD8<Float>.zero
  forEachEight(count) { i, lanes in sum += eight(a + i, lanes) * eight(b + i, lanes) }
  return sum.sum()
}

/// exp(x) within 2 units in the last place. x is clamped to -87 ... 88; NaN stays NaN. Cody and Waite's reduction r = x
/// - n ln 2, a polynomial for exp(r), and n added to the exponent's bits.
@inline(__always)
func exponential(_ x: SIMD8<Float>) -> SIMD8<Float> {
  let x = x.replacing(with: -87, where: x .< -87).replacing(with: 88, where: x .> 88)
  // Adding 1.5 * 2^23 rounds to an integer, which the lower bits then hold.
  let shifted = x * 1.442_695_04 + 12_582_912
  let n = shifted - 12_582_912
  let r = (x - n * 0.693_359_375) - n * -2.121_944_4e-4
  var e = r * 1.987_569_1e-4 + 1.398_199_9e-3
  e = e * r + 8.333_452e-3
  e = e * r + 4.166_579_6e-2
  e = e * r + 1.666_666_5e-1
  e = e * r + 0.5
  e = e * (r * r) + r + 1
  let bits = unsafeBitCast(shifted, to: SIMD8<Int32>.self)
  return e * unsafeBitCast((bits &<< 23) &+ 0x3f80_0000, to: SIMD8<Float>.self)
}
