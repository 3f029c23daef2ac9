import CClip

/// Sizes of a sliding window, checked: kernel and stride at least 1, the output at least 1 x 1.
struct Window {
  let kernelHeight: Int
  let kernelWidth: Int
  let stride: Int
  let padding: Int
  let dilation: Int
  let input: Shape.Grid
  let output: Shape.Grid

  init(_ window: clip_window, on input: Shape.Grid) throws(ClipError) {
    func limited(_ value: UInt32, _ fallback: Int, _ what: StaticString) throws(ClipError) -> Int {
      guard value <= 4096 else { throw ClipError(CLIP_INVALID_ARGUMENT, "\(what): expected at most 4096, found \(value)") }
      return value == 0 ? fallback : Int(value)
    }
    kernelHeight = try limited(window.kernel_height, 1, "kernel height")
    kernelWidth = try limited(window.kernel_width, 1, "kernel width")
    stride = try limited(window.stride, 1, "stride")
    padding = try limited(window.padding, 0, "padding")
    dilation = try limited(window.dilation, 1, "dilation")
    self.input = input
    let height = input.height + 2 * padding - dilation * (kernelHeight - 1) - 1
    let width = input.width + 2 * padding - dilation * (kernelWidth - 1) - 1
    guard height >= 0, width >= 0 else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "a \(kernelHeight) x \(kernelWidth) window does not fit a \(input.height) x \(input.width) grid")
    }
    output = Shape.Grid(height: height / stride + 1, width: width / stride + 1)
  }

  var isPointwise: Bool { kernelHeight == 1 && kernelWidth == 1 && stride == 1 && padding == 0 }
}

/// A 2-D convolution, run as a matrix product over the pixels under each window (im2col), a
/// block of rows at a time.
final class Convolution: MatrixProduct {
  let window: Window
  let weight: Parameter
  let biasParameter: Parameter?
  /// A batch norm folded into weights and bias.
  var norm: BatchNorm?
  private let inputWidth: Int

  init(input: Int, shape: Shape, window: Window, name: Name, features: Int, hasBias: Bool) {
    self.window = window
    inputWidth = shape.width
    weight = Parameter(
      name: name + ".weight", shape: [features, shape.width, window.kernelHeight, window.kernelWidth])
    biasParameter = hasBias ? Parameter(name: name + ".bias", shape: [features]) : nil
    super.init(inputs: [input], shape: .grid(window.output.height, window.output.width, channels: features))
  }

  override var name: StaticString { "conv" }
  override var parameters: [Parameter] { biasParameter.map { [weight, $0] } ?? [weight] }

  override func load(_ loader: ParameterLoader) throws(ClipError) {
    var bias: Memory?
    if let biasParameter { bias = try loader.vector(biasParameter) }
    var scale: Memory?
    if let norm {
      let affine = try norm.affine(loader)
      if let bias {
        for channel in 0..<shape.width { affine.shift.floats[channel] += bias.floats[channel] * affine.scale.floats[channel] }
      }
      bias = affine.shift
      scale = affine.scale
    }
    let area = window.kernelHeight * window.kernelWidth
    keep(try loader.matrix(weight, scale: scale, channels: inputWidth, area: area), bias: bias)
  }

  private var depth: Int { window.kernelHeight * window.kernelWidth * inputWidth }

  /// Rows of windows laid out at a time: about 4 MB, so that they stay in the cache.
  private var blockRows: Int { max(1, (1 << 20) / depth) }

  override func scratchFloats(_ batch: Batch, _ kernels: Kernels) -> Int {
    window.isPointwise ? 0 : min(blockRows, batch.totalRows(shape.rows)) * depth
  }

  override func run(_ run: Run) {
    let x = run.input(0)
    if window.isPointwise {
      multiply(run, x.data, stride: x.width, rows: x.rows, firstRow: 0)
      return
    }
    let rows = run.output.rows
    var first = 0
    while first < rows {
      let count = min(blockRows, rows - first)
      let start = first
      run.parallel(count, grain: max(1, 8192 / depth)) { part in
        for row in part { self.layOut(x.data, row: start + row, to: run.scratch + row * self.depth) }
      }
      multiply(run, run.scratch, stride: depth, rows: count, firstRow: first)
      first += count
    }
  }

  /// Copies the pixels under one output pixel's window, row by row; zeros outside the picture.
  private func layOut(_ x: UnsafePointer<Float>, row: Int, to target: UnsafeMutablePointer<Float>) {
    let pixels = window.output.height * window.output.width
    let item = row / pixels
    let pixel = row % pixels
    let top = pixel / window.output.width * window.stride - window.padding
    let left = pixel % window.output.width * window.stride - window.padding
    let picture = x + item * window.input.height * window.input.width * inputWidth
    var target = target
    for ky in 0..<window.kernelHeight {
      let y = top + ky * window.dilation
      guard y >= 0, y < window.input.height else {
        target.update(repeating: 0, count: window.kernelWidth * inputWidth)
        target += window.kernelWidth * inputWidth
        continue
      }
      let line = picture + y * window.input.width * inputWidth
      if window.dilation == 1, left >= 0, left + window.kernelWidth <= window.input.width {
        target.update(from: line + left * inputWidth, count: window.kernelWidth * inputWidth)
        target += window.kernelWidth * inputWidth
        continue
      }
      for kx in 0..<window.kernelWidth {
        let column = left + kx * window.dilation
        if column >= 0, column < window.input.width {
          target.update(from: line + column * inputWidth, count: inputWidth)
        } else {
          target.update(repeating: 0, count: inputWidth)
        }
        target += inputWidth
      }
    }
  }
}
