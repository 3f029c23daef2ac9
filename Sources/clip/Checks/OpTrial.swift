import CClip
import Glibc

/// One use of an op, with guards around its buffers. May be used by several threads at once.
final class OpTrial: @unchecked Sendable {
  /// The initial value of outputs: a NaN that no arithmetic produces.
  static let unwritten: UInt32 = 0x7fa5_a5a5
  /// The rows of a value with a row for each token.
  private static let tokenRows = 5
  private static let guardFloats = 32

  private let op: clip_op
  private let shapes: UnsafeMutablePointer<clip_shape>
  private let settings: UnsafeMutablePointer<Double>
  private let use: UnsafeMutablePointer<clip_op_use>
  private let count: Int

  init(_ op: clip_op, _ list: [clip_shape], settings values: [Double]) {
    self.op = op
    count = list.count
    shapes = .allocate(capacity: list.count)
    shapes.initialize(from: list, count: list.count)
    settings = .allocate(capacity: values.count + 1)
    settings.initialize(from: values, count: values.count)
    use = .allocate(capacity: 1)
    use.initialize(
      to: clip_op_use(
        struct_size: UInt32(MemoryLayout<clip_op_use>.size), input_count: UInt32(list.count), inputs: shapes,
        settings: settings, setting_count: values.count, user: op.user))
  }

  deinit {
    shapes.deallocate()
    settings.deallocate()
    use.deallocate()
  }

  var text: String {
    let inputs = (0..<count).map { index -> String in
      let shape = shapes[index]
      let rows = shape.rows == CLIP_ROWS_TOKENS ? "tokens" : "\(shape.row_count)"
      return "\(rows) x \(shape.width)"
    }
    return inputs.joined(separator: " and ")
  }

  func rows(of shape: clip_shape) -> Int {
    switch shape.rows {
    case CLIP_ROWS_ONE: 1
    case CLIP_ROWS_TOKENS: OpTrial.tokenRows
    default: Int(shape.row_count)
    }
  }

  var hasOneRowCount: Bool {
    (0..<count).allSatisfy { shapes[$0].rows == shapes[0].rows && rows(of: shapes[$0]) == rows(of: shapes[0]) }
  }

  private func size(_ shape: clip_shape) -> Int { rows(of: shape) * Int(shape.width) }

  // MARK: Questions

  /// nil if the op refuses the inputs. Asked twice, it must answer the same.
  func askShape() -> clip_shape? {
    var answers: [clip_shape] = []
    for _ in 0..<2 {
      var answer = clip_shape()
      var message: UnsafePointer<CChar>?
      guard op.shape(use, &answer, &message) == CLIP_OK else { return nil }
      answers.append(answer)
    }
    return answers[0].width == answers[1].width && answers[0].rows == answers[1].rows ? answers[0] : nil
  }

  /// Why the host would refuse a shape; nil if it would not.
  func problem(with shape: clip_shape, _ isRowWise: Bool) -> String? {
    guard shape.rows.rawValue <= CLIP_ROWS_TOKENS.rawValue else {
      return "shape: \(shape.rows.rawValue) is no clip_rows"
    }
    guard (1...(1 << 20)).contains(shape.width) else { return "shape: a width of \(shape.width)" }
    let inputs = (0..<count).map { shapes[$0] }
    if shape.rows == CLIP_ROWS_TOKENS, !inputs.contains(where: { $0.rows == CLIP_ROWS_TOKENS }) {
      return "shape: token rows from inputs that have none"
    }
    if shape.rows == CLIP_ROWS_FIXED {
      let grid = UInt64(shape.grid_height) * UInt64(shape.grid_width)
      if !(1...(1 << 28)).contains(shape.row_count) { return "shape: \(shape.row_count) rows" }
      if shape.grid_height | shape.grid_width != 0, grid != UInt64(shape.row_count) {
        return "shape: a grid of \(shape.grid_height) x \(shape.grid_width) with \(shape.row_count) rows"
      }
    }
    if isRowWise, inputs.contains(where: { $0.rows != shape.rows || rows(of: $0) != rows(of: shape) }) {
      return "shape: a row-wise op has the rows of its inputs"
    }
    return nil
  }

  /// Random values of each parameter; nil if the host would refuse the parameters.
  func askParameters() -> [[Float]]? {
    guard let ask = op.parameters else { return [] }
    var list = [clip_op_parameter](repeating: clip_op_parameter(), count: 65)
    let found = ask(use, &list, 64)
    guard found <= 64 else { return nil }
    var names: [String] = []
    var values: [[Float]] = []
    var random = RandomNumbers(seed: 4)
    for entry in list.prefix(found) {
      let name = string(entry.name)
      let sides = [entry.shape.0, entry.shape.1, entry.shape.2, entry.shape.3].prefix(Int(min(entry.rank, 4)))
      guard !name.isEmpty, !names.contains(name), (1...4).contains(entry.rank), !sides.contains(0) else { return nil }
      names.append(name)
      values.append(random.floats(sides.reduce(1) { $0 &* Int($1) }).map { 0.5 + $0 / 4 })
    }
    return values
  }

  func inputs(seed: UInt64) -> [[Float]] {
    var random = RandomNumbers(seed: seed)
    return (0..<count).map { random.floats(size(shapes[$0])) }
  }

  func canBeInPlace(_ output: clip_shape) -> Bool {
    let first = shapes[0]
    return first.width == output.width && rows(of: first) == rows(of: output)
  }

  // MARK: Calls

  struct Forward {
    var output: [Float]
    /// Whether guards, inputs and parameters are unchanged.
    var isIntact: Bool
  }

  /// Calls forward for all rows; for a row-wise op, optionally for some.
  func forward(
    _ inputs: [[Float]], _ shape: clip_shape, _ parameters: [[Float]], rows part: Range<Int>? = nil,
    inPlace: Bool = false
  ) -> Forward {
    let part = part ?? 0..<rows(of: shape)
    let buffers = Buffers(inputs, parameters)
    let scratchCount = op.scratch?(use, part.count) ?? 0
    let scratch = Guarded(count: scratchCount)
    let output = Guarded(count: part.count * Int(shape.width))
    var blocks = (0..<count).map { index -> clip_block in
      let width = Int(shapes[index].width)
      let isPart = part.count != rows(of: shape)
      return clip_block(
        data: buffers.inputs[index].data + (isPart ? part.lowerBound * width : 0),
        rows: isPart ? part.count : rows(of: shapes[index]), width: width)
    }
    let target = inPlace ? buffers.inputs[0] : output
    let block = clip_block(data: target.data, rows: part.count, width: Int(shape.width))
    buffers.withRun(use, &blocks, block, scratchCount > 0 ? scratch.data : nil) { run in op.forward(run) }
    let isIntact = target.isIntact && scratch.isIntact && (inPlace || buffers.isUnchanged(inputs, parameters))
    return Forward(output: Array(UnsafeBufferPointer(start: target.data, count: output.count)), isIntact: isIntact)
  }

  struct Gradients {
    /// The gradients of the inputs, then of the parameters.
    var all: [[Float]]
    var isIntact: Bool
  }

  /// Calls backward for all rows; for a row-wise op, optionally for some. Without `wanting`, gradients of inputs are
  /// not requested.
  func backward(
    _ inputs: [[Float]], _ shape: clip_shape, _ parameters: [[Float]], _ forward: [Float], _ outer: [Float],
    start: Float,
    rows part: Range<Int>? = nil, wanting: Bool = true
  ) -> Gradients {
    let whole = rows(of: shape)
    let part = part ?? 0..<whole
    let isPart = part.count != whole
    let buffers = Buffers(inputs, parameters)
    let scratchCount = op.scratch?(use, part.count) ?? 0
    let scratch = Guarded(count: scratchCount)
    let output = Guarded(forward)
    let gradient = Guarded(outer)
    let results = (inputs + parameters).map { Guarded([Float](repeating: start, count: $0.count)) }
    func place(_ index: Int) -> Int { isPart ? part.lowerBound * Int(shapes[index].width) : 0 }
    var blocks = (0..<count).map { index in
      clip_block(
        data: buffers.inputs[index].data + place(index), rows: isPart ? part.count : rows(of: shapes[index]),
        width: Int(shapes[index].width))
    }
    let first = part.lowerBound * Int(shape.width)
    let block = clip_block(data: output.data + first, rows: part.count, width: Int(shape.width))
    let pointers: [UnsafeMutablePointer<Float>?] = results.indices.map { index in
      index >= count ? results[index].data : wanting ? results[index].data + place(index) : nil
    }
    buffers.withRun(use, &blocks, block, scratchCount > 0 ? scratch.data : nil) { run in
      pointers.withUnsafeBufferPointer { pointers in
        var work = clip_op_gradient()
        work.struct_size = UInt32(MemoryLayout<clip_op_gradient>.size)
        work.run = run
        work.output = UnsafePointer(gradient.data + first)
        work.inputs = pointers.baseAddress
        work.parameters = pointers.baseAddress.map { $0 + count }
        op.backward?(&work)
      }
    }
    let isIntact =
      results.allSatisfy(\.isIntact) && scratch.isIntact && buffers.isUnchanged(inputs, parameters)
      && output.holds(forward) && gradient.holds(outer)
    return Gradients(
      all: results.map { Array(UnsafeBufferPointer(start: $0.data, count: $0.count)) }, isIntact: isIntact)
  }

  /// Floats aligned to 64 bytes, between two guards.
  private final class Guarded {
    let data: UnsafeMutablePointer<Float>
    let count: Int
    private let base: UnsafeMutableRawPointer

    init(count: Int) {
      self.count = count
      let total = count + 2 * OpTrial.guardFloats
      base = .allocate(byteCount: total * 4, alignment: 64)
      let words = base.bindMemory(to: UInt32.self, capacity: total)
      for index in 0..<total { words[index] = OpTrial.unwritten }
      data = (base + OpTrial.guardFloats * 4).assumingMemoryBound(to: Float.self)
    }

    convenience init(_ values: [Float]) {
      self.init(count: values.count)
      for (index, value) in values.enumerated() { data[index] = value }
    }

    deinit { base.deallocate() }

    var isIntact: Bool {
      let words = base.assumingMemoryBound(to: UInt32.self)
      return (0..<OpTrial.guardFloats).allSatisfy {
        words[$0] == OpTrial.unwritten && words[OpTrial.guardFloats + count + $0] == OpTrial.unwritten
      }
    }

    /// Whether the floats still equal `values`.
    func holds(_ values: [Float]) -> Bool {
      isIntact && values.indices.allSatisfy { data[$0].bitPattern == values[$0].bitPattern }
    }
  }

  /// The inputs and parameters of one call.
  private final class Buffers {
    let inputs: [Guarded]
    let parameters: [Guarded]

    init(_ inputs: [[Float]], _ parameters: [[Float]]) {
      self.inputs = inputs.map { Guarded($0) }
      self.parameters = parameters.map { Guarded($0) }
    }

    func isUnchanged(_ inputs: [[Float]], _ parameters: [[Float]]) -> Bool {
      zip(self.inputs + self.parameters, inputs + parameters).allSatisfy { buffer, values in
        buffer.holds(values)
      }
    }

    func withRun(
      _ use: UnsafePointer<clip_op_use>, _ blocks: inout [clip_block], _ output: clip_block,
      _ scratch: UnsafeMutablePointer<Float>?, _ body: (UnsafePointer<clip_op_run>) -> Void
    ) {
      let pointers: [UnsafePointer<Float>?] = parameters.map { UnsafePointer($0.data) }
      blocks.withUnsafeBufferPointer { blocks in
        pointers.withUnsafeBufferPointer { pointers in
          var run = clip_op_run()
          run.struct_size = UInt32(MemoryLayout<clip_op_run>.size)
          run.input_count = UInt32(blocks.count)
          run.use = use
          run.inputs = blocks.baseAddress
          run.output = output
          run.parameters = pointers.baseAddress
          run.scratch = scratch
          body(&run)
        }
      }
    }
  }
}

/// Runs `body` on `count` threads at once and passes each result to `result` on the calling thread.
func onThreads(_ count: Int, _ body: @escaping (Int) -> Bool, result: (Bool) -> Void) {
  final class Job {
    let body: (Int) -> Bool
    let index: Int
    var result = false
    init(_ body: @escaping (Int) -> Bool, _ index: Int) {
      self.body = body
      self.index = index
    }
  }
  let jobs = (0..<count).map { Job(body, $0) }
  var threads: [pthread_t] = []
  for job in jobs {
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        let job = Unmanaged<Job>.fromOpaque(context).takeUnretainedValue()
        job.result = job.body(job.index)
        return nil
      }, Unmanaged.passUnretained(job).toOpaque())
    if code == 0 { threads.append(thread) } else { job.result = job.body(job.index) }
  }
  for thread in threads { pthread_join(thread, nil) }
  for job in jobs { result(job.result) }
}
