import CClip

/// Checks an op alone: its shape rule, where it writes, that its results are the same in each call and on any thread,
/// and its gradient against finite differences.
struct OpCheck {
  let op: clip_op
  let report: Report
  private static let settings: [Double] = [1, 0.5, 2, 0, 3]

  init(_ file: ByteString, _ index: Int, _ report: Report) throws(CLIPError) {
    op = try LoadedPlugin(file).item(
      index, CLIP_KIND_OP, clip_op.self, size: MemoryLayout<clip_op>.size, needed: [\.shape, \.forward]
    ).pointee
    self.report = report
    guard (1...8).contains(op.input_count), op.setting_count <= 64 else {
      throw CLIPError("expected 1 to 8 inputs and at most 64 settings, found something else")
    }
  }

  private var isRowWise: Bool { op.flags & UInt32(CLIP_OP_ROW_WISE) != 0 }

  /// Runs all checks with inputs of many shapes, skipping those that the op refuses.
  func run() throws(CLIPError) {
    var taken = 0, refused = 0, worst = 0.0
    for shapes in OpCheck.shapes(inputs: Int(op.input_count)) {
      for setting in op.setting_count == 0 ? [0] : OpCheck.settings {
        let use = OpTrial(op, shapes, settings: [Double](repeating: setting, count: Int(op.setting_count)))
        // The host does not call a row-wise op with inputs of different row counts.
        guard !isRowWise || use.hasOneRowCount, let output = use.askShape() else {
          refused += 1
          continue
        }
        taken += 1
        let place = use.text + ": "
        if let problem = use.problem(with: output, isRowWise) {
          try report.fail(place + problem)
          continue
        }
        guard let parameters = use.askParameters() else {
          try report.fail(place + "parameters: expected at most 64, named once, of 1 to 4 sides, found something else")
          continue
        }
        try forward(use, output, parameters, place)
        if op.backward != nil { worst = max(worst, try backward(use, output, parameters, place)) }
      }
      if report.failures > 8 { return try report.note("and more") }
    }
    try report.require(taken > 0, "no inputs that this check knows are taken (\(refused) were refused)")
    guard report.failures == 0 else { return }
    try report.pass("\(taken) uses: every number written, and nothing else; the same each time and on 4 threads")
    try report.pass(
      op.backward == nil
        ? "no gradient: training through it is an error"
        : "the gradient is that of finite differences, but for \(worst) of its size")
  }

  private func forward(_ use: OpTrial, _ output: clip_shape, _ parameters: [[Float]], _ place: String) throws(CLIPError)
  {
    let inputs = use.inputs(seed: 5)
    let first = use.forward(inputs, output, parameters)
    try report.require(first.isIntact, place + "forward wrote beside its output or its scratch, or to an input")
    try report.require(
      first.output.allSatisfy { $0.bitPattern != OpTrial.unwritten }, place + "some of the output was not written")
    try report.require(first.output.allSatisfy(\.isFinite), place + "some of the output is not finite")
    try report.require(
      same(use.forward(inputs, output, parameters).output, first.output), place + "called again, it gave other numbers")
    if isRowWise {
      // Computing single rows gives the rows of the whole.
      let rows = use.rows(of: output)
      for row in 0..<rows {
        let alone = use.forward(inputs, output, parameters, rows: row..<(row + 1))
        let width = Int(output.width)
        try report.require(
          same(alone.output, Array(first.output[row * width..<(row + 1) * width])),
          place + "row \(row) alone gave other numbers: it is not row-wise")
      }
    }
    if op.flags & UInt32(CLIP_OP_IN_PLACE) != 0, use.canBeInPlace(output) {
      let inPlace = use.forward(inputs, output, parameters, inPlace: true)
      try report.require(
        same(inPlace.output, first.output), place + "in the first input's place, it gave other numbers")
    }
    var agree = true
    onThreads(4) { _ in
      let other = use.forward(inputs, output, parameters)
      return same(other.output, first.output)
    } result: {
      agree = agree && $0
    }
    try report.require(agree, place + "on 4 threads at once, it gave other numbers")
  }

  /// Compares the derivative along random directions with finite differences. Returns the largest error.
  private func backward(
    _ use: OpTrial, _ output: clip_shape, _ parameters: [[Float]], _ place: String
  ) throws(CLIPError) -> Double {
    let inputs = use.inputs(seed: 7)
    var random = RandomNumbers(seed: 11)
    let forward = use.forward(inputs, output, parameters).output
    let outer = random.floats(forward.count)
    let gradients = use.backward(inputs, output, parameters, forward, outer, start: 0)
    try report.require(gradients.isIntact, place + "backward wrote beside its gradients, or to what it was given")
    let shifted = use.backward(inputs, output, parameters, forward, outer, start: 2)
    for (a, b) in zip(gradients.all, shifted.all)
    where zip(a, b).contains(where: { abs($0 + 2 - $1) > 1e-4 * (1 + abs($0)) }) {
      try report.fail(place + "backward does not add to what is there")
      return 0
    }
    try otherCalls(use, output, place, gradients) { part, wanting in
      use.backward(inputs, output, parameters, forward, outer, start: 0, rows: part, wanting: wanting)
    }
    var worst = 0.0
    for index in 0..<(inputs.count + parameters.count) {
      let direction = random.floats(index < inputs.count ? inputs[index].count : parameters[index - inputs.count].count)
      let step: Float = 1.0 / 512
      func loss(_ sign: Float) -> Double {
        var (x, p) = (inputs, parameters)
        if index < inputs.count {
          for place in direction.indices { x[index][place] += sign * step * direction[place] }
        } else {
          for place in direction.indices { p[index - inputs.count][place] += sign * step * direction[place] }
        }
        return zip(use.forward(x, output, p).output, outer).reduce(0) { $0 + Double($1.0) * Double($1.1) }
      }
      let measured = (loss(1) - loss(-1)) / (2 * Double(step))
      let told = zip(gradients.all[index], direction).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
      let size =
        zip(gradients.all[index], direction).reduce(0.0) { $0 + abs(Double($1.0) * Double($1.1)) } + abs(measured)
        + 1e-3
      let error = abs(measured - told) / size
      worst = max(worst, error)
      let what = index < inputs.count ? "input \(index)" : "parameter \(index - inputs.count)"
      try report.require(
        error < 0.02, place + "the gradient by \(what) is \(told) along a direction, differences give \(measured)")
    }
    return worst
  }

  /// The other calls of training: by rows, without gradients of inputs, on several threads.
  private func otherCalls(
    _ use: OpTrial, _ output: clip_shape, _ place: String, _ whole: OpTrial.Gradients,
    _ backward: @escaping (Range<Int>?, Bool) -> OpTrial.Gradients
  ) throws(CLIPError) {
    let inputs = Int(op.input_count)
    let unwanted = backward(nil, false)
    try report.require(
      zip(unwanted.all, whole.all).dropFirst(inputs).allSatisfy { same($0, $1) },
      place + "where nobody wants the inputs' gradients, those of the parameters are others")
    if isRowWise {
      var sums = whole.all.map { [Float](repeating: 0, count: $0.count) }
      for row in 0..<use.rows(of: output) {
        for (index, values) in backward(row..<(row + 1), true).all.enumerated() {
          for place in values.indices { sums[index][place] += values[place] }
        }
      }
      for (a, b) in zip(sums, whole.all) where zip(a, b).contains(where: { abs($0 - $1) > 1e-4 * (1 + abs($1)) }) {
        return try report.fail(place + "backward row by row adds up to other gradients: it is not row-wise")
      }
    }
    var agree = true
    onThreads(4) { _ in
      zip(backward(nil, true).all, whole.all).allSatisfy { same($0, $1) }
    } result: {
      agree = agree && $0
    }
    try report.require(agree, place + "backward, on 4 threads at once, gave other gradients")
  }

  /// Combinations of shapes: all inputs alike, or the first with one row or one column.
  private static func shapes(inputs count: Int) -> [[clip_shape]] {
    var list: [[clip_shape]] = []
    func shape(_ rows: clip_rows, _ number: UInt32, _ width: UInt32, _ grid: (UInt32, UInt32) = (0, 0)) -> clip_shape {
      clip_shape(rows: rows, row_count: number, width: width, grid_height: grid.0, grid_width: grid.1)
    }
    for width: UInt32 in [1, 3, 8, 64] {
      let kinds = [
        shape(CLIP_ROWS_FIXED, 6, width, (2, 3)), shape(CLIP_ROWS_FIXED, 7, width), shape(CLIP_ROWS_ONE, 1, width),
        shape(CLIP_ROWS_TOKENS, 0, width),
      ]
      for kind in kinds {
        list.append([clip_shape](repeating: kind, count: count))
        guard count > 1 else { continue }
        for other in [
          shape(CLIP_ROWS_ONE, 1, width), shape(kind.rows, kind.row_count, 1, (kind.grid_height, kind.grid_width)),
        ] {
          list.append([kind] + [clip_shape](repeating: other, count: count - 1))
        }
      }
    }
    return list
  }
}
