import CClip

extension KernelSet {
  /// Calls body(first, lanes) for each vector of a row: whole vectors, then the rest.
  @_alwaysEmitIntoClient @inline(__always)
  static func vectors(_ width: Int, _ body: (Int, Int) -> Void) {
    var i = 0
    while i + Vector.count <= width {
      body(i, Vector.count)
      i += Vector.count
    }
    if i < width { body(i, width - i) }
  }

  /// clip_kernels.layer_norm: the mean, then the variance about it.
  @_alwaysEmitIntoClient @inline(__always)
  public static func layerNorm(
    _ x: UnsafePointer<Float>?, _ xStride: Int, _ y: UnsafeMutablePointer<Float>?, _ yStride: Int, _ rows: Int,
    _ width: Int, _ weight: UnsafePointer<Float>?, _ bias: UnsafePointer<Float>?, _ epsilon: Float
  ) {
    guard let x, let y, let weight, let bias, width > 0 else { return }
    let size = Float(width)
    for row in 0..<rows {
      let input = x + row * xStride
      let output = y + row * yStride
      let mean = sum(input, width) { $0 } / size
      let center = Vector(repeating: mean)
      let squares = sum(input, width, filler: mean) { ($0 - center) * ($0 - center) }
      let scale = Vector(repeating: 1 / (squares / size + epsilon).squareRoot())
      vectors(width) { i, lanes in
        let value = (Vector.load(input + i, lanes: lanes) - center) * scale
        let shift = Vector.load(bias + i, lanes: lanes)
        shift.adding(value, times: Vector.load(weight + i, lanes: lanes)).store(output + i, lanes: lanes)
      }
    }
  }

  /// The sum of term(x) over a row, in four chains. Lanes beyond the row are `filler`.
  @_alwaysEmitIntoClient @inline(__always)
  static func sum(
    _ x: UnsafePointer<Float>, _ width: Int, filler: Float = 0, _ term: (Vector) -> Vector
  ) -> Float {
    let n = Vector.count
    var a = Vector(repeating: 0)
    var b = a
    var c = a
    var d = a
    var i = 0
    while i + 4 * n <= width {
      a = a + term(Vector.load(x + i))
      b = b + term(Vector.load(x + i + n))
      c = c + term(Vector.load(x + i + 2 * n))
      d = d + term(Vector.load(x + i + 3 * n))
      i += 4 * n
    }
    while i < width {
      a = a + term(Vector.load(x + i, lanes: width - i, filler: filler))
      i += n
    }
    return ((a + b) + (c + d)).sum
  }

  /// clip_kernels.scale_shift.
  @_alwaysEmitIntoClient @inline(__always)
  public static func scaleShift(
    _ x: UnsafePointer<Float>?, _ xStride: Int, _ y: UnsafeMutablePointer<Float>?, _ yStride: Int, _ rows: Int,
    _ width: Int, _ scale: UnsafePointer<Float>?, _ shift: UnsafePointer<Float>?, _ activation: clip_activation
  ) {
    guard let x, let y else { return }
    for row in 0..<rows {
      let input = x + row * xStride
      let output = y + row * yStride
      vectors(width) { i, lanes in
        var value = Vector.load(input + i, lanes: lanes)
        if let scale { value = value * Vector.load(scale + i, lanes: lanes) }
        if let shift { value = value + Vector.load(shift + i, lanes: lanes) }
        value.activated(activation).store(output + i, lanes: lanes)
      }
    }
  }

  /// clip_kernels.add.
  @_alwaysEmitIntoClient @inline(__always)
  public static func add(
    _ x: UnsafePointer<Float>?, _ xStride: Int, _ z: UnsafePointer<Float>?, _ zStride: Int,
    _ y: UnsafeMutablePointer<Float>?, _ yStride: Int, _ rows: Int, _ width: Int
  ) {
    guard let x, let y, let z else { return }
    for row in 0..<rows {
      let left = x + row * xStride
      let right = z + row * zStride
      let output = y + row * yStride
      vectors(width) { i, lanes in
        (Vector.load(left + i, lanes: lanes) + Vector.load(right + i, lanes: lanes)).store(output + i, lanes: lanes)
      }
    }
  }

  /// clip_kernels.normalize. Squares are summed in double, so that they neither overflow nor underflow.
  @_alwaysEmitIntoClient @inline(__always)
  public static func normalize(
    _ x: UnsafePointer<Float>?, _ y: UnsafeMutablePointer<Float>?, _ rows: Int, _ width: Int
  ) {
    guard let x, let y else { return }
    for row in 0..<rows {
      let input = x + row * width
      let output = y + row * width
      var squares = 0.0
      for i in 0..<width { squares += Double(input[i]) * Double(input[i]) }
      let scale = squares == 0 ? 0 : 1 / squares.squareRoot()
      for i in 0..<width { output[i] = Float(Double(input[i]) * scale) }
    }
  }
}
