import CClip

extension Window {
  /// 0 stands for the default: kernel, stride and dilation 1, padding 0. "padding_end" is the padding below and right
  /// of the grid, if different; -1: the same.
  static let settings: [OpDescriptor.Setting] = [
    .integer("kernel_height", 0...4096, default: 0), .integer("kernel_width", 0...4096, default: 0),
    .integer("stride", 0...4096, default: 0), .integer("padding", 0...4096, default: 0),
    .integer("dilation", 0...4096, default: 0), .integer("padding_end", -1...4096, default: -1),
  ]

  /// The window of a call with `settings`, on its first input. One row is a grid of 1 x 1.
  init(_ call: OpCall) throws(ClipError) {
    let shape = call.shapes[0]
    guard let input = shape.rows == .one ? Shape.Grid(height: 1, width: 1) : shape.grid else {
      throw call.expected("a grid")
    }
    let end = try call.integer("padding_end")
    try self.init(
      kernelHeight: max(1, try call.integer("kernel_height")), kernelWidth: max(1, try call.integer("kernel_width")),
      stride: max(1, try call.integer("stride")), padding: try call.integer("padding"),
      paddingEnd: end < 0 ? nil : end,
      dilation: max(1, try call.integer("dilation")), on: input)
  }
}
