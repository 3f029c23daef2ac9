import CClip

/// A clip_op_use in its own memory, and the questions that the host asks the plugin about it.
final class OpUse {
  static let mostFloats = 1 << 28
  private static let mostParameters = 64
  private static let mostRows = 1 << 28

  let pointer: UnsafeMutablePointer<clip_op_use>
  let widths: [Int]
  let settings: [Double]
  private let shapeList: UnsafeMutablePointer<clip_shape>
  private let settingList: UnsafeMutablePointer<Double>

  init(shapes: [Shape], settings: [Double], user: UnsafeMutableRawPointer?) {
    widths = shapes.map { $0.width }
    self.settings = settings
    shapeList = .allocate(capacity: max(1, shapes.count))
    for (index, shape) in shapes.enumerated() { (shapeList + index).initialize(to: clip_shape(shape)) }
    settingList = .allocate(capacity: max(1, settings.count))
    for (index, setting) in settings.enumerated() { (settingList + index).initialize(to: setting) }
    pointer = .allocate(capacity: 1)
    pointer.initialize(
      to: clip_op_use(
        struct_size: UInt32(MemoryLayout<clip_op_use>.size), input_count: UInt32(shapes.count),
        inputs: UnsafePointer(shapeList), settings: UnsafePointer(settingList), setting_count: settings.count,
        user: user))
  }

  deinit {
    shapeList.deallocate()
    settingList.deallocate()
    pointer.deallocate()
  }

  /// The output's shape by the plugin's rule, checked.
  func shape(_ op: UnsafePointer<clip_op>, _ inputs: [Shape]) throws(ClipError) -> Shape {
    var answer = clip_shape()
    var message: UnsafePointer<CChar>?
    guard op.pointee.shape(pointer, &answer, &message) == CLIP_OK else {
      var found = ""
      for input in inputs { found += (found.isEmpty ? "" : ", ") + input.text }
      throw ClipError(
        CLIP_INVALID_ARGUMENT, (message.map { String(cString: $0) } ?? "it takes no such inputs") + ": found " + found)
    }
    let width = Int(answer.width)
    guard (1...Builder.largestWidth).contains(width) else {
      throw ClipError(CLIP_PLUGIN, "shape: expected a width from 1 to \(Builder.largestWidth), found \(width)")
    }
    let shape: Shape
    switch answer.rows {
    case CLIP_ROWS_ONE: shape = Shape(rows: .one, width: width)
    case CLIP_ROWS_TOKENS:
      guard inputs.contains(where: { $0.rows == .tokens }) else {
        throw ClipError(CLIP_PLUGIN, "shape: expected an image's rows, found token rows from inputs that have none")
      }
      shape = Shape(rows: .tokens, width: width)
    case CLIP_ROWS_FIXED:
      let rows = Int(answer.row_count)
      let grid = Shape.Grid(height: Int(answer.grid_height), width: Int(answer.grid_width))
      let isGrid = grid.height != 0 || grid.width != 0
      let (area, overflow) = grid.height.multipliedReportingOverflow(by: grid.width)
      guard (1...OpUse.mostRows).contains(rows), !isGrid || !overflow && area == rows else {
        throw ClipError(
          CLIP_PLUGIN,
          "shape: expected 1 to \(OpUse.mostRows) rows and a grid of as many, found \(rows) and \(grid.height) x \(grid.width)"
        )
      }
      shape = Shape(rows: .fixed(rows), width: width, grid: isGrid ? grid : nil)
    default: throw ClipError(CLIP_PLUGIN, "shape: expected a clip_rows, found \(answer.rows.rawValue)")
    }
    if op.pointee.flags & UInt32(CLIP_OP_ROW_WISE) != 0 {
      for input in inputs where input.rows != shape.rows {
        throw ClipError(
          CLIP_PLUGIN,
          "shape: expected a row-wise op's inputs to have the output's rows, found " + input.text + " for " + shape.text
        )
      }
    }
    return shape
  }

  /// The parameters that the plugin names, checked.
  func parameters(_ op: UnsafePointer<clip_op>, _ prefix: Name) throws(ClipError) -> [Parameter] {
    guard let ask = op.pointee.parameters else { return [] }
    var list = [clip_op_parameter](repeating: clip_op_parameter(), count: OpUse.mostParameters)
    let count = list.withUnsafeMutableBufferPointer { ask(pointer, $0.baseAddress, $0.count) }
    guard (0...OpUse.mostParameters).contains(count) else {
      throw ClipError(CLIP_PLUGIN, "parameters: expected at most \(OpUse.mostParameters), found \(count)")
    }
    var result: [Parameter] = []
    for entry in list.prefix(count) {
      let name = entry.name.map { Name(cString: $0) } ?? ""
      let sides = [Int(entry.shape.0), Int(entry.shape.1), Int(entry.shape.2), Int(entry.shape.3)]
      guard !name.isEmpty, name.utf8.count <= 200, (1...4).contains(entry.rank) else {
        throw ClipError(
          CLIP_PLUGIN, "parameters: expected a name and 1 to 4 sides, found \"" + name.string + "\" of \(entry.rank)")
      }
      var floats = 1
      for side in sides.prefix(Int(entry.rank)) {
        let (size, overflow) = floats.multipliedReportingOverflow(by: side)
        guard side >= 1, !overflow, size <= OpUse.mostFloats else {
          throw ClipError(
            CLIP_PLUGIN,
            "parameters: " + name.string + ": expected 1 to \(OpUse.mostFloats) numbers, found a side of \(side)")
        }
        floats = size
      }
      let full = prefix.isEmpty ? name : prefix + "." + name
      guard !result.contains(where: { $0.name == full }) else {
        throw ClipError(CLIP_PLUGIN, "parameters: expected each name once, found " + name.string + " twice")
      }
      result.append(Parameter(name: full, shape: Array(sides.prefix(Int(entry.rank)))))
    }
    return result
  }

  /// Floats of scratch; more than `mostFloats` if the plugin's answer is no valid size.
  func scratch(_ op: UnsafePointer<clip_op>, rows: Int) -> Int {
    let floats = op.pointee.scratch?(pointer, rows) ?? 0
    return floats < 0 ? Int.max : floats
  }
}

extension clip_shape {
  init(_ shape: Shape) {
    self.init()
    width = UInt32(clamping: shape.width)
    switch shape.rows {
    case .one: (rows, row_count) = (CLIP_ROWS_ONE, 1)
    case .fixed(let count): (rows, row_count) = (CLIP_ROWS_FIXED, UInt32(clamping: count))
    case .tokens: (rows, row_count) = (CLIP_ROWS_TOKENS, 0)
    }
    grid_height = UInt32(clamping: shape.grid?.height ?? 0)
    grid_width = UInt32(clamping: shape.grid?.width ?? 0)
  }
}
