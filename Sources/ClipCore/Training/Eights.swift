/// Eight numbers of a row, for sums in eight chains: `lanes` of them, then `filler`.
@inline(__always)
func eight(_ source: UnsafePointer<Float>, _ lanes: Int, filler: Float = 0) -> SIMD8<Float> {
  if lanes == 8 { return UnsafeRawPointer(source).loadUnaligned(as: SIMD8<Float>.self) }
  var vector = SIMD8<Float>(repeating: filler)
  for lane in 0..<lanes { vector[lane] = source[lane] }
  return vector
}

/// body(first, lanes) for each eight of a row, and for what is left.
@inline(__always)
func forEachEight(_ width: Int, _ body: (Int, Int) -> Void) {
  var i = 0
  while i + 8 <= width {
    body(i, 8)
    i += 8
  }
  if i < width { body(i, width - i) }
}
