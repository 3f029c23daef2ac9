import CClip
import CSystem

extension OpDescriptor {
  static let windowSettings: [Setting] = [
    .integer("window_height", 1...4096), .integer("window_width", 1...4096),
    .integer("shift_height", 0...4095, default: 0), .integer("shift_width", 0...4095, default: 0),
    // The shift is applied before the padding.
    .flag("shifts_first", default: false),
    // A window has pixels that lie a grid of windows apart, instead of neighbours.
    .flag("dilated", default: false),
  ]

  /// Divides a grid into windows, one after another, each with its rows of pixels; zeros where a window extends over
  /// the edge.
  static let windowPartition = OpDescriptor("window_partition", inputs: 1, settings: windowSettings) {
    call throws(ClipError) in
    guard let grid = call.shapes[0].grid else { throw call.expected("a grid") }
    let sources = try WindowGrid(call, grid).sources
    return try call.add(
      Rearrangement(
        call, sources, from: grid.height * grid.width,
        to: Shape(rows: .fixed(sources.count), width: call.shapes[0].width)))
  }

  /// Restores the grid of height x width from its windows.
  static let windowMerge = OpDescriptor(
    "window_merge", inputs: 1,
    settings: [.integer("height", 1...16384), .integer("width", 1...16384)] + windowSettings
  ) { call throws(ClipError) in
    let grid = Shape.Grid(height: try call.integer("height"), width: try call.integer("width"))
    let windows = try WindowGrid(call, grid)
    guard call.shapes[0].rows == .fixed(windows.rows) else {
      throw call.expected("\(windows.rows) rows, the windows of a \(grid.height) x \(grid.width) grid")
    }
    let sources = windows.sources
    var places = [Int32](repeating: 0, count: grid.height * grid.width)
    for (row, source) in sources.enumerated() where source >= 0 { places[Int(source)] = Int32(row) }
    return try call.add(
      Rearrangement(
        call, places, from: sources.count,
        to: .grid(grid.height, grid.width, channels: call.shapes[0].width)))
  }

  /// Joins each 2 x 2 pixels to one: top left, bottom left, top right, bottom right; zeros over the edge (Liu et al.,
  /// 2021, https://arxiv.org/abs/2103.14030).
  static let patchMerging = OpDescriptor("patch_merging", inputs: 1) { call throws(ClipError) in
    guard let grid = call.shapes[0].grid, call.shapes[0].width * 4 <= Builder.largestWidth else {
      throw call.expected("a grid at most \(Builder.largestWidth / 4) wide")
    }
    let (height, width) = ((grid.height + 1) / 2, (grid.width + 1) / 2)
    var sources: [Int32] = []
    for place in 0..<(height * width * 4) {
      let (y, x) = (place / 4 / width * 2 + place % 2, place / 4 % width * 2 + place % 4 / 2)
      sources.append(y < grid.height && x < grid.width ? Int32(y * grid.width + x) : -1)
    }
    return try call.add(
      Rearrangement(
        call, sources, from: grid.height * grid.width,
        to: .grid(height, width, channels: call.shapes[0].width * 4)))
  }
}

/// The division of a grid into windows, after a cyclic shift up and left and padding to whole windows.
struct WindowGrid {
  let grid: Shape.Grid
  let window: Shape.Grid
  let shift: Shape.Grid
  let shiftsFirst: Bool
  let isDilated: Bool

  init(_ call: OpCall, _ grid: Shape.Grid) throws(ClipError) {
    self.grid = grid
    window = Shape.Grid(height: try call.integer("window_height"), width: try call.integer("window_width"))
    shift = Shape.Grid(height: try call.integer("shift_height"), width: try call.integer("shift_width"))
    shiftsFirst = try call.flag("shifts_first")
    isDilated = try call.flag("dilated")
    guard window.height <= grid.height, window.width <= grid.width, shift.height < window.height,
      shift.width < window.width
    else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "expected a window inside the \(grid.height) x \(grid.width) grid and a shift inside the window, found "
          + "\(window.height) x \(window.width) and \(shift.height) x \(shift.width)")
    }
  }

  /// The number of windows down and across.
  var counts: Shape.Grid {
    Shape.Grid(
      height: (grid.height + window.height - 1) / window.height, width: (grid.width + window.width - 1) / window.width)
  }

  /// The rows of all windows.
  var rows: Int { counts.height * counts.width * window.height * window.width }

  /// The grid's row for each row of the windows; -1 for padding.
  var sources: [Int32] {
    var sources: [Int32] = []
    let counts = counts
    for down in 0..<counts.height {
      for across in 0..<counts.width {
        for y in 0..<window.height {
          for x in 0..<window.width {
            let top = source(
              isDilated ? y * counts.height + down : down * window.height + y, shift.height, grid.height,
              counts.height * window.height)
            let left = source(
              isDilated ? x * counts.width + across : across * window.width + x, shift.width, grid.width,
              counts.width * window.width)
            sources.append(top < 0 || left < 0 ? -1 : Int32(top * grid.width + left))
          }
        }
      }
    }
    return sources
  }

  /// The grid's line or column of one in the windows; -1 for padding.
  private func source(_ at: Int, _ shift: Int, _ side: Int, _ padded: Int) -> Int {
    if shiftsFirst { return at < side ? (at + shift) % side : -1 }
    let from = (at + shift) % padded
    return from < side ? from : -1
  }
}

/// Reorders the rows of the input, with zeros between.
private final class Rearrangement: Operation {
  /// The input row of each output row of an item; below 0 for a row of zeros.
  private let sources: [Int32]
  private let inputRows: Int
  private let rowWidth: Int

  /// A row of `shape` may consist of several `sources`.
  init(_ call: OpCall, _ sources: [Int32], from inputRows: Int, to shape: Shape) {
    self.sources = sources
    self.inputRows = inputRows
    rowWidth = call.shapes[0].width
    super.init(inputs: [call.inputs[0]], shape: shape)
  }

  override var name: StaticString { "rearrangement" }
  override func run(_ run: Run) {
    run.parallel(self, run.batch.items * sources.count, grain: max(1, 16384 / rowWidth))
  }

  override func compute(_ run: Run, _ rows: Range<Int>) {
    let x = run.input(0).data
    for row in rows {
      let target = run.output.data + row * rowWidth
      let source = Int(sources[row % sources.count])
      if source < 0 {
        memset(target, 0, rowWidth * 4)
      } else {
        memcpy(target, x + (row / sources.count * inputRows + source) * rowWidth, rowWidth * 4)
      }
    }
  }

  override var isDifferentiable: Bool { true }
  override var isCheap: Bool { true }
  override func backward(_ context: TrainingContext) {
    context.parallel(self, context.batch.items * sources.count, grain: max(1, 16384 / rowWidth))
  }

  /// No two rows have the same source.
  override func backward(_ context: TrainingContext, _ rows: Range<Int>, phase: Int) {
    guard let dx = context.inputGradient(0) else { return }
    for row in rows {
      let source = Int(sources[row % sources.count])
      guard source >= 0 else { continue }
      addFloats(
        context.gradient.data + row * rowWidth, rowWidth,
        to: dx + (row / sources.count * inputRows + source) * rowWidth)
    }
  }
}
