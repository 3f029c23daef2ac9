import CClip
import CSystem

/// An op of a plugin; see clip_op. The plugin's answers are checked here, once, while the graph is built.
final class PluginOp: Operation {
  private let op: UnsafePointer<clip_op>
  private let use: OpUse
  private let prefix: Name
  private let list: [Parameter]
  private var values: [Memory] = []
  private var pointers: Memory?
  /// Keeps the op's plugin loaded.
  private let plugin: AnyObject?

  /// Asks the plugin about this use of its op. Parameters are named under `prefix`.
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

  override var name: StaticString { "op of a plugin" }
  override var label: String { String(cString: op.pointee.id) }
  override var parameters: [Parameter] { list }
  override var isRowWise: Bool { op.pointee.flags & UInt32(CLIP_OP_ROW_WISE) != 0 }
  override func mayOverwrite(input index: Int) -> Bool {
    index == 0 && op.pointee.flags & UInt32(CLIP_OP_IN_PLACE) != 0
  }

  override func picking(_ selector: RowSelector, inputs: [Int]) -> Operation? {
    guard isRowWise, inputs.count == self.inputs.count else { return nil }
    let shapes = use.widths.map { Shape(rows: .one, width: $0) }
    do throws(ClipError) {
      let one = try PluginOp(op, plugin: plugin, inputs: inputs, shapes: shapes, settings: use.settings, prefix: prefix)
      let isSame =
        one.shape.width == shape.width && one.list.elementsEqual(list) { $0.name == $1.name && $0.shape == $1.shape }
      return isSame ? one : nil
    } catch {
      return nil
    }
  }

  override func load(_ loader: ParameterLoader) throws(ClipError) {
    let memory = try Memory(
      byteCount: list.count * MemoryLayout<UnsafePointer<Float>?>.stride, for: "an op's parameters")
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

  /// The number of units of work: ranges of rows of a row-wise op, else items.
  private func units(_ batch: Batch) -> Int { isRowWise ? batch.totalRows(shape.rows) : batch.items }

  /// The fewest units in a piece.
  private var grain: Int { isRowWise ? max(1, 4096 / max(shape.width, use.widths.max() ?? 1)) : 1 }

  private func pieces(_ batch: Batch, _ threads: Int) -> Int { max(1, min(4 * threads, units(batch) / grain)) }

  /// The header of a piece's scratch: 24 bytes for each input.
  private static var headerFloats: Int { 48 }

  /// Scratch floats for one of `pieces`: the host's `header`, then the plugin's; Int.max if it asks for too many.
  private func scratchOfPiece(_ batch: Batch, _ pieces: Int, header: Int) -> Int {
    var most = 0
    if isRowWise {
      let rows = units(batch) / pieces
      most = max(use.scratch(op, rows: rows), use.scratch(op, rows: rows + 1))
    } else if shape.rows == .tokens {
      for item in 0..<batch.items { most = max(most, use.scratch(op, rows: batch.rows(of: item, in: .tokens))) }
    } else {
      most = use.scratch(op, rows: batch.rows(of: 0, in: shape.rows))
    }
    return most > OpUse.mostFloats ? Int.max : header + (most + 15) & ~15
  }

  private func scratch(_ pieces: Int, of size: Int) -> Int {
    let (floats, overflow) = pieces.multipliedReportingOverflow(by: size)
    return overflow ? Int.max : floats
  }

  override func scratchFloats(_ batch: Batch, _ kernels: Kernels) -> Int {
    let pieces = pieces(batch, kernels.threads)
    return scratch(pieces, of: scratchOfPiece(batch, pieces, header: PluginOp.headerFloats))
  }

  override func run(_ run: Run) { run.parallel(self, pieces(run.batch, run.kernels.threads), grain: 1) }

  override func compute(_ run: Run, _ part: Range<Int>) {
    let pieces = pieces(run.batch, run.kernels.threads)
    let size = scratchOfPiece(run.batch, pieces, header: PluginOp.headerFloats)
    for piece in part {
      let memory = run.scratch + piece * size
      calls(run.batch, piece, of: pieces) { rows in
        var work = work(run, memory, size > PluginOp.headerFloats ? memory + PluginOp.headerFloats : nil, rows)
        op.pointee.forward(&work)
      }
    }
  }

  /// Runs `body` for each call of a piece, with its range of rows.
  private func calls(_ batch: Batch, _ piece: Int, of pieces: Int, _ body: ((Rows) -> Range<Int>) -> Void) {
    let units = units(batch)
    let stretch = units.share(piece, of: pieces)
    if isRowWise { return body { _ in stretch } }
    for item in stretch {
      body { rows in
        let first = batch.firstRow(of: item, in: rows)
        return first..<(first + batch.rows(of: item, in: rows))
      }
    }
  }

  /// The arguments of one call. The blocks of the inputs are written to `memory`.
  private func work(
    _ run: Run, _ memory: UnsafeMutablePointer<Float>, _ scratch: UnsafeMutablePointer<Float>?,
    _ stretch: (Rows) -> Range<Int>
  ) -> clip_op_run {
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
    work.scratch = scratch
    return work
  }

  // MARK: Training

  override var isDifferentiable: Bool { op.pointee.backward != nil }
  override func backwardReads(input index: Int) -> Bool { true }
  override var backwardReadsOutput: Bool { true }

  /// The header of a piece's scratch in `backward`: blocks, pointers to the gradients of 8 inputs and 64 parameters,
  /// and the piece's own gradients of parameters.
  private static var gradientHeaderFloats: Int { headerFloats + 16 + 128 }
  private var gradientFloats: Int { list.reduce(0) { $0 + ($1.count + 15) & ~15 } }

  /// Each piece sums the parameters' gradients over its rows; pieces are added in order. So the number of pieces
  /// depends on the batch, not on the threads. The sums take at most 64 MB.
  private func gradientPieces(_ batch: Batch) -> Int {
    max(1, min(units(batch) / grain, 64, (1 << 24) / max(1, gradientFloats)))
  }

  private func gradientScratch(_ batch: Batch) -> Int {
    scratchOfPiece(batch, gradientPieces(batch), header: PluginOp.gradientHeaderFloats + gradientFloats)
  }

  override func trainingScratch(_ batch: Batch, _ kernels: Kernels) -> Int {
    max(scratchFloats(batch, kernels), scratch(gradientPieces(batch), of: gradientScratch(batch)))
  }

  override func backward(_ context: TrainingContext) {
    let pieces = gradientPieces(context.batch)
    let size = gradientScratch(context.batch)
    context.parallel(self, pieces, grain: 1)
    var place = context.scratch + PluginOp.gradientHeaderFloats
    for (index, parameter) in list.enumerated() {
      if let gradient = context.parameterGradient(index) {
        for piece in 0..<pieces { addFloats(place + piece * size, parameter.count, to: gradient) }
      }
      place += (parameter.count + 15) & ~15
    }
  }

  override func backward(_ context: TrainingContext, _ part: Range<Int>, phase: Int) {
    let pieces = gradientPieces(context.batch)
    let size = gradientScratch(context.batch)
    for piece in part {
      let memory = context.scratch + piece * size
      let sums = memory + PluginOp.gradientHeaderFloats
      let scratch = sums + gradientFloats
      memset(sums, 0, gradientFloats * 4)
      let byInput = UnsafeMutableRawPointer(memory + PluginOp.headerFloats)
        .assumingMemoryBound(to: UnsafeMutablePointer<Float>?.self)
      let byParameter = byInput + 8
      var place = sums
      for (index, parameter) in list.enumerated() {
        byParameter[index] = place
        place += (parameter.count + 15) & ~15
      }
      calls(context.batch, piece, of: pieces) { rows in
        var work = work(context.run, memory, memory + size > scratch ? scratch : nil, rows)
        for index in inputs.indices {
          byInput[index] = context.inputGradient(index).map {
            $0 + rows(context.run.inputShape(index).rows).lowerBound * use.widths[index]
          }
        }
        withUnsafePointer(to: &work) { work in
          var gradient = clip_op_gradient()
          gradient.struct_size = UInt32(MemoryLayout<clip_op_gradient>.size)
          gradient.run = work
          gradient.output = UnsafePointer(context.gradient.data + rows(shape.rows).lowerBound * shape.width)
          gradient.inputs = UnsafePointer(byInput)
          gradient.parameters = UnsafePointer(byParameter)
          op.pointee.backward?(&gradient)
        }
      }
    }
  }
}

extension OpDescriptor {
  /// The op of a plugin.
  init(_ item: PluginRegistry.Item) {
    let op = item.table.assumingMemoryBound(to: clip_op.self)
    var settings: [Setting] = []
    for index in 0..<Int(op.pointee.setting_count) {
      guard let name = op.pointee.setting_names?[index] else { break }
      let most = Double.greatestFiniteMagnitude
      settings.append(.real(Name(cString: name), -most...most))
    }
    let order = settings.map { $0.name }
    self.init(Name(cString: item.id), inputs: Int(op.pointee.input_count), named: .optional, settings: settings) {
      call throws(ClipError) in
      var values: [Double] = []
      for name in order { values.append(try call.real(name)) }
      return try call.add(
        try PluginOp(
          op, plugin: item.plugin, inputs: call.inputs, shapes: call.shapes, settings: values, prefix: call.name))
    }
  }
}
