import CClip

/// An op that a plugin brings; see clip_op. What the plugin answers is checked here, once, while the graph is built.
final class Custom: Operation {
  private let op: UnsafePointer<clip_op>
  private let use: OpUse
  private let prefix: Name
  private let list: [Parameter]
  private var values: [Memory] = []
  private var pointers: Memory?
  /// Keeps the op's plugin loaded.
  private let plugin: AnyObject?

  /// Asks the plugin what this use of its op gives. Parameters are named under `prefix`.
  convenience init(
    _ op: UnsafePointer<clip_op>, plugin: AnyObject?, inputs: [Int], shapes: [Shape], settings: [Double], prefix: Name
  ) throws(ClipError) {
    let use = OpUse(shapes: shapes, settings: settings, user: op.pointee.user)
    let shape = try use.shape(op, shapes)
    let list = try use.parameters(op, prefix)
    self.init(op, plugin, inputs, shape, use, prefix, list)
  }

  private init(
    _ op: UnsafePointer<clip_op>, _ plugin: AnyObject?, _ inputs: [Int], _ shape: Shape, _ use: OpUse, _ prefix: Name,
    _ list: [Parameter]
  ) {
    self.op = op
    self.plugin = plugin
    self.use = use
    self.prefix = prefix
    self.list = list
    super.init(inputs: inputs, shape: shape)
  }

  override var name: StaticString { "custom" }
  override var parameters: [Parameter] { list }
  override var isRowWise: Bool { op.pointee.flags & UInt32(CLIP_OP_ROW_WISE) != 0 }
  override func mayOverwrite(input index: Int) -> Bool {
    index == 0 && op.pointee.flags & UInt32(CLIP_OP_IN_PLACE) != 0
  }

  override func picking(_ selector: RowSelector, inputs: [Int]) -> Operation? {
    guard isRowWise, inputs.count == self.inputs.count else { return nil }
    let shapes = use.widths.map { Shape(rows: .one, width: $0) }
    do throws(ClipError) {
      let one = try Custom(op, plugin: plugin, inputs: inputs, shapes: shapes, settings: use.settings, prefix: prefix)
      let isSame = one.shape.width == shape.width && one.list.elementsEqual(list) { $0.name == $1.name && $0.shape == $1.shape }
      return isSame ? one : nil
    } catch {
      return nil
    }
  }

  override func load(_ loader: ParameterLoader) throws(ClipError) {
    let memory = try Memory(byteCount: list.count * MemoryLayout<UnsafePointer<Float>?>.stride, for: "an op's parameters")
    for (index, parameter) in list.enumerated() {
      let value = try loader.vector(parameter)
      values.append(value)
      memory.base.storeBytes(
        of: UnsafePointer(value.floats), toByteOffset: index * MemoryLayout<UnsafePointer<Float>?>.stride,
        as: UnsafePointer<Float>.self)
    }
    pointers = memory
  }

  // MARK: Running

  /// Stretches of rows of a row-wise op, else items: what the work is counted in.
  private func units(_ batch: Batch) -> Int { isRowWise ? batch.totalRows(shape.rows) : batch.items }

  private func pieces(_ batch: Batch, _ threads: Int) -> Int {
    let grain = isRowWise ? max(1, 4096 / max(shape.width, use.widths.max() ?? 1)) : 1
    return max(1, min(4 * threads, units(batch) / grain))
  }

  /// In front of a piece's scratch: the blocks of its inputs, 24 bytes each.
  private static var headerFloats: Int { 48 }

  /// Floats of one piece, Int.max where the plugin asks for more than can be had.
  private func scratchOfPiece(_ batch: Batch, _ threads: Int) -> Int {
    var most = 0
    if isRowWise {
      let pieces = pieces(batch, threads)
      let rows = units(batch) / pieces
      most = max(use.scratch(op, rows: rows), use.scratch(op, rows: rows + 1))
    } else if shape.rows == .tokens {
      for item in 0..<batch.items { most = max(most, use.scratch(op, rows: batch.rows(of: item, in: .tokens))) }
    } else {
      most = use.scratch(op, rows: batch.rows(of: 0, in: shape.rows))
    }
    return most > OpUse.mostFloats ? Int.max : Custom.headerFloats + (most + 15) & ~15
  }

  override func scratchFloats(_ batch: Batch, _ kernels: Kernels) -> Int {
    let (floats, overflow) = pieces(batch, kernels.threads)
      .multipliedReportingOverflow(by: scratchOfPiece(batch, kernels.threads))
    return overflow ? Int.max : floats
  }

  override func run(_ run: Run) { run.parallel(self, pieces(run.batch, run.kernels.threads), grain: 1) }

  override func compute(_ run: Run, _ part: Range<Int>) {
    let units = units(run.batch)
    let pieces = pieces(run.batch, run.kernels.threads)
    let size = scratchOfPiece(run.batch, run.kernels.threads)
    for piece in part {
      let stretch = (piece * units / pieces)..<((piece + 1) * units / pieces)
      let memory = run.scratch + piece * size
      if isRowWise {
        call(run, memory, size) { _ in stretch }
      } else {
        for item in stretch {
          call(run, memory, size) { rows in
            let first = run.batch.firstRow(of: item, in: rows)
            return first..<(first + run.batch.rows(of: item, in: rows))
          }
        }
      }
    }
  }

  /// Calls forward on the rows that `stretch` names for values of the given rows.
  private func call(_ run: Run, _ memory: UnsafeMutablePointer<Float>, _ size: Int, _ stretch: (Rows) -> Range<Int>) {
    let blocks = UnsafeMutableRawPointer(memory).assumingMemoryBound(to: clip_block.self)
    for index in inputs.indices {
      let input = run.input(index)
      let rows = stretch(run.inputShape(index).rows)
      blocks[index] = clip_block(data: input.data + rows.lowerBound * input.width, rows: rows.count, width: input.width)
    }
    let rows = stretch(shape.rows)
    var work = clip_op_run()
    work.struct_size = UInt32(MemoryLayout<clip_op_run>.size)
    work.input_count = UInt32(inputs.count)
    work.use = UnsafePointer(use.pointer)
    work.inputs = UnsafePointer(blocks)
    work.output = clip_block(
      data: run.output.data + rows.lowerBound * shape.width, rows: rows.count, width: shape.width)
    work.parameters = pointers.map { UnsafePointer($0.base.assumingMemoryBound(to: UnsafePointer<Float>?.self)) }
    work.scratch = size > Custom.headerFloats ? memory + Custom.headerFloats : nil
    op.pointee.forward?(&work)
  }
}

/// A clip_op_use in memory of its own, and the questions that are asked about it.
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
        inputs: UnsafePointer(shapeList), settings: UnsafePointer(settingList), setting_count: settings.count, user: user))
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
    guard let status = op.pointee.shape?(pointer, &answer, &message), status == CLIP_OK else {
      var found = ""
      for input in inputs { found += (found.isEmpty ? "" : ", ") + input.text }
      throw ClipError(CLIP_INVALID_ARGUMENT, (message.map { String(cString: $0) } ?? "it takes no such inputs") + ": found " + found)
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
        throw ClipError(CLIP_PLUGIN, "shape: expected a picture's rows, found token rows from inputs that have none")
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
          "shape: expected 1 to \(OpUse.mostRows) rows and a grid of as many, found \(rows) and \(grid.height) x \(grid.width)")
      }
      shape = Shape(rows: .fixed(rows), width: width, grid: isGrid ? grid : nil)
    default: throw ClipError(CLIP_PLUGIN, "shape: expected a clip_rows, found \(answer.rows.rawValue)")
    }
    if op.pointee.flags & UInt32(CLIP_OP_ROW_WISE) != 0 {
      for input in inputs where input.rows != shape.rows {
        throw ClipError(CLIP_PLUGIN, "shape: expected a row-wise op's inputs to have the output's rows, found " + input.text + " for " + shape.text)
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
        throw ClipError(CLIP_PLUGIN, "parameters: expected a name and 1 to 4 sides, found \"" + name.string + "\" of \(entry.rank)")
      }
      var floats = 1
      for side in sides.prefix(Int(entry.rank)) {
        let (size, overflow) = floats.multipliedReportingOverflow(by: side)
        guard side >= 1, !overflow, size <= OpUse.mostFloats else {
          throw ClipError(CLIP_PLUGIN, "parameters: " + name.string + ": expected 1 to \(OpUse.mostFloats) numbers, found a side of \(side)")
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

  /// Floats of scratch, more than `mostFloats` where the plugin's answer is no size.
  func scratch(_ op: UnsafePointer<clip_op>, rows: Int) -> Int {
    let floats = op.pointee.scratch?(pointer, rows) ?? 0
    return floats < 0 ? Int.max : floats
  }
}

extension clip_shape {
  fileprivate init(_ shape: Shape) {
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

extension Builder {
  /// Whether a table has what an op needs.
  static func isComplete(_ op: clip_op) -> Bool {
    op.shape != nil && op.forward != nil && (1...8).contains(op.input_count) && op.setting_count <= 64
  }

  /// See clip_builder's custom.
  func custom(
    _ id: Name, _ name: Name, _ values: UnsafePointer<clip_value>?, _ count: Int, _ settings: UnsafePointer<Double>?,
    _ settingCount: Int
  ) -> clip_value {
    guard error == nil else { return -1 }
    let place = "custom " + id.string
    guard let item = plugins.find(CLIP_KIND_OP, id) else {
      fail(CLIP_NOT_FOUND, "custom: expected the op " + id.string + ", found " + plugins.ids(CLIP_KIND_OP))
      return -1
    }
    let op = item.table.assumingMemoryBound(to: clip_op.self)
    guard let values, count == Int(op.pointee.input_count) else {
      fail(CLIP_PLUGIN, place + ": expected \(op.pointee.input_count) inputs, found \(values == nil ? 0 : count)")
      return -1
    }
    guard settingCount == Int(op.pointee.setting_count), settingCount == 0 || settings != nil else {
      fail(CLIP_PLUGIN, place + ": expected \(op.pointee.setting_count) settings, found \(settings == nil ? 0 : settingCount)")
      return -1
    }
    var shapes: [Shape] = []
    for index in 0..<count {
      guard let shape = shape(values[index], "custom") else { return -1 }
      shapes.append(shape)
    }
    var numbers: [Double] = []
    if let settings { for index in 0..<settingCount { numbers.append(settings[index]) } }
    do throws(ClipError) {
      let node = try Custom(
        op, plugin: item.plugin, inputs: (0..<count).map { Int(values[$0]) }, shapes: shapes, settings: numbers,
        prefix: name.isEmpty ? name : scoped(name))
      return add(node)
    } catch {
      record(error.at(place))
      return -1
    }
  }
}
