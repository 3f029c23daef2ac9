import CClip
import CSystem

/// Sizes of a sliding window, checked: kernel and stride at least 1, the output at least 1 x 1.
struct Window {
  let kernelHeight: Int
  let kernelWidth: Int
  let stride: Int
  /// Before the grid and after it, on both sides.
  let padding: Int
  let paddingEnd: Int
  let dilation: Int
  let input: Shape.Grid
  let output: Shape.Grid

  init(
    kernelHeight: Int, kernelWidth: Int, stride: Int, padding: Int, paddingEnd: Int? = nil, dilation: Int,
    on input: Shape.Grid
  ) throws(ClipError) {
    self.kernelHeight = kernelHeight
    self.kernelWidth = kernelWidth
    self.stride = stride
    self.padding = padding
    self.paddingEnd = paddingEnd ?? padding
    self.dilation = dilation
    self.input = input
    let height = input.height + padding + self.paddingEnd - dilation * (kernelHeight - 1) - 1
    let width = input.width + padding + self.paddingEnd - dilation * (kernelWidth - 1) - 1
    guard height >= 0, width >= 0 else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "a \(kernelHeight) x \(kernelWidth) window does not fit a \(input.height) x \(input.width) grid")
    }
    output = Shape.Grid(height: height / stride + 1, width: width / stride + 1)
  }

  var isPointwise: Bool { kernelHeight == 1 && kernelWidth == 1 && stride == 1 && padding == 0 && paddingEnd == 0 }

  /// The number of pixels of a window.
  var area: Int { kernelHeight * kernelWidth }

  /// The shape of the output for a value: a grid; for a value of one row, one row.
  func shape(of value: Shape, channels: Int) -> Shape {
    if value.rows == .one, output.height == 1, output.width == 1 { return Shape(rows: .one, width: channels) }
    return .grid(output.height, output.width, channels: channels)
  }
}

/// The matrix whose row i has the pixels under the window at output pixel i, [kernel height, kernel width, channels]
/// (im2col). Of the `pixelWidth` channels of a pixel it has `channels`.
struct Windows {
  let window: Window
  let pixelWidth: Int
  let channels: Range<Int>

  private var pixels: Int { window.output.height * window.output.width }

  /// Copies row `row` of the images at `x` to `target`; zeros outside of an image.
  func copy(_ row: Int, of x: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>) {
    let (item, pixel) = (row / pixels, row % pixels)
    let top = pixel / window.output.width * window.stride - window.padding
    let left = pixel % window.output.width * window.stride - window.padding
    let image = x + item * window.input.height * window.input.width * pixelWidth
    let width = channels.count
    var target = target
    for ky in 0..<window.kernelHeight {
      let y = top + ky * window.dilation
      guard y >= 0, y < window.input.height else {
        memset(target, 0, 4 * window.kernelWidth * width)
        target += window.kernelWidth * width
        continue
      }
      let line = image + y * window.input.width * pixelWidth + channels.lowerBound
      if window.dilation == 1, width == pixelWidth, left >= 0, left + window.kernelWidth <= window.input.width {
        memcpy(target, line + left * width, 4 * window.kernelWidth * width)
        target += window.kernelWidth * width
        continue
      }
      for kx in 0..<window.kernelWidth {
        let column = left + kx * window.dilation
        if column >= 0, column < window.input.width {
          memcpy(target, line + column * pixelWidth, 4 * width)
        } else {
          memset(target, 0, 4 * width)
        }
        target += width
      }
    }
  }

  /// Adds row `row`, given at `source`, to the pixels of `x` under its window.
  func add(_ source: UnsafePointer<Float>, _ row: Int, to x: UnsafeMutablePointer<Float>) {
    let (item, pixel) = (row / pixels, row % pixels)
    let top = pixel / window.output.width * window.stride - window.padding
    let left = pixel % window.output.width * window.stride - window.padding
    let image = x + item * window.input.height * window.input.width * pixelWidth + channels.lowerBound
    let width = channels.count
    for ky in 0..<window.kernelHeight {
      let y = top + ky * window.dilation
      guard y >= 0, y < window.input.height else { continue }
      for kx in 0..<window.kernelWidth {
        let column = left + kx * window.dilation
        guard column >= 0, column < window.input.width else { continue }
        addFloats(
          source + (ky * window.kernelWidth + kx) * width, width,
          to: image + (y * window.input.width + column) * pixelWidth)
      }
    }
  }

  /// Copies `rows` to `target`, dense.
  func copy(
    _ rows: Range<Int>, of x: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>, _ executor: Executor
  ) {
    let depth = window.area * channels.count
    let pieces = max(1, min(executor.width * 4, rows.count * depth / 8192))
    executor.run(pieces, Copying(windows: self, x: x, rows: rows, depth: depth, pieces: pieces, target: target))
  }

  /// Adds `rows`, given densely at `source`, to `x`. A piece of work is one image.
  func add(
    _ source: UnsafePointer<Float>, _ rows: Range<Int>, to x: UnsafeMutablePointer<Float>, _ executor: Executor
  ) {
    let items = (rows.lowerBound / pixels)..<((rows.upperBound - 1) / pixels + 1)
    executor.run(items.count, Adding(windows: self, source: source, rows: rows, firstItem: items.lowerBound, x: x))
  }

  private struct Copying: Work {
    let windows: Windows
    let x: UnsafePointer<Float>
    let rows: Range<Int>
    let depth: Int
    let pieces: Int
    let target: UnsafeMutablePointer<Float>

    func part(_ piece: Int) {
      for row in rows.count.share(piece, of: pieces) {
        windows.copy(rows.lowerBound + row, of: x, to: target + row * depth)
      }
    }
  }

  private struct Adding: Work {
    let windows: Windows
    let source: UnsafePointer<Float>
    let rows: Range<Int>
    let firstItem: Int
    let x: UnsafeMutablePointer<Float>

    func part(_ piece: Int) {
      let item = firstItem + piece
      let depth = windows.window.area * windows.channels.count
      for row in max(rows.lowerBound, item * windows.pixels)..<min(rows.upperBound, (item + 1) * windows.pixels) {
        windows.add(source + (row - rows.lowerBound) * depth, row, to: x)
      }
    }
  }
}
