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

  /// 0 stands for the default: kernel, stride and dilation 1, padding 0.
  static let settings: [OpDescriptor.Setting] = [
    .integer("kernel_height", 0...4096, default: 0), .integer("kernel_width", 0...4096, default: 0),
    .integer("stride", 0...4096, default: 0), .integer("padding", 0...4096, default: 0),
    .integer("dilation", 0...4096, default: 0),
  ]

  /// Of a call that has `settings`, on its first input. One row is a grid of 1 x 1.
  init(_ call: OpCall) throws(ClipError) {
    let shape = call.shapes[0]
    guard let input = shape.rows == .one ? Shape.Grid(height: 1, width: 1) : shape.grid else {
      throw call.expected("a grid")
    }
    kernelHeight = max(1, try call.integer("kernel_height"))
    kernelWidth = max(1, try call.integer("kernel_width"))
    stride = max(1, try call.integer("stride"))
    padding = try call.integer("padding")
    dilation = max(1, try call.integer("dilation"))
    self.input = input
    let height = input.height + 2 * padding - dilation * (kernelHeight - 1) - 1
    let width = input.width + 2 * padding - dilation * (kernelWidth - 1) - 1
    guard height >= 0, width >= 0 else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "a \(kernelHeight) x \(kernelWidth) window does not fit a \(input.height) x \(input.width) grid")
    }
    output = Shape.Grid(height: height / stride + 1, width: width / stride + 1)
  }

  var isPointwise: Bool { kernelHeight == 1 && kernelWidth == 1 && stride == 1 && padding == 0 }

  /// What the window makes of a value: a grid or, of one row, one row.
  func shape(of value: Shape, channels: Int) -> Shape {
    if value.rows == .one, output.height == 1, output.width == 1 { return Shape(rows: .one, width: channels) }
    return .grid(output.height, output.width, channels: channels)
  }
}
