import CClip

/// A convolution of each channel on its own, to one output channel or several (Howard et al., 2017,
/// https://arxiv.org/abs/1704.04861). It reads the grid directly: gathered windows gain nothing, because each element
/// is used once.
final class DepthwiseConvolution: Convolution {
  /// [area, channels].
  private var filters: Memory?
  /// Output channels for each input channel.
  private var multiplier: Int { shape.width / groups }

  /// The residual is read after the result is written, so it may not be overwritten.
  override func mayOverwrite(input index: Int) -> Bool { false }
  override func scratchFloats(_ batch: Batch, _ kernels: Kernels) -> Int { 0 }

  override func load(_ loader: ParameterLoader) throws(ClipError) {
    let (bias, scale) = try affine(loader)
    let rows = try loader.vector(weight)
    let reordered = try Memory(floats: weight.count, for: "a depthwise filter")
    reordered.count(in: loader.meter)
    for channel in 0..<shape.width {
      let factor = scale?.floats[channel] ?? 1
      for tap in 0..<area { reordered.floats[tap * shape.width + channel] = rows.floats[channel * area + tap] * factor }
    }
    filters = reordered
    keep([], bias: bias)
  }

  override func run(_ run: Run) {
    let columns = window.output.width
    run.parallel(self, run.output.rows / columns, grain: max(1, 16384 / (columns * shape.width)))
  }

  override func compute(_ run: Run, _ lines: Range<Int>) {
    guard let filters else { return }
    let x = run.input(0)
    let width = shape.width
    let columns = window.output.width
    for line in lines {
      let target = run.output.data + line * columns * width
      convolve(x.data, line: line, filters.floats, target)
      run.kernels.table.pointee.scale_shift(
        target, width, target, width, columns, width, nil, bias.map { UnsafePointer($0.floats) }, activation)
      if hasResidual {
        let residual = run.input(inputs.count - 1).data + line * columns * width
        run.kernels.add(target, residual, target, rows: columns, width: width)
        if after != CLIP_IDENTITY {
          run.kernels.table.pointee.scale_shift(target, width, target, width, columns, width, nil, nil, after)
        }
      }
    }
  }

  /// One line of one image's output; lines are counted over the batch.
  private func convolve(
    _ x: UnsafePointer<Float>, line: Int, _ filters: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>
  ) {
    let image = x + line / window.output.height * window.input.height * window.input.width * groups
    let top = line % window.output.height * window.stride - window.padding
    let rows = inside(top, window.kernelHeight, window.input.height)
    for column in 0..<window.output.width {
      let left = column * window.stride - window.padding
      let columns = inside(left, window.kernelWidth, window.input.width)
      sumTaps(image, top, left, rows, columns, filters, target + column * shape.width)
    }
  }

  /// The taps of a window at `start` that lie in [0, size).
  private func inside(_ start: Int, _ taps: Int, _ size: Int) -> Range<Int> {
    var range = 0..<taps
    while !range.isEmpty, start + range.lowerBound * window.dilation < 0 { range = (range.lowerBound + 1)..<taps }
    while !range.isEmpty, start + (range.upperBound - 1) * window.dilation >= size {
      range = range.lowerBound..<(range.upperBound - 1)
    }
    return range
  }

  /// All channels of one pixel, eight at a time, summed over the window from the top left.
  private func sumTaps(
    _ image: UnsafePointer<Float>, _ top: Int, _ left: Int, _ rows: Range<Int>, _ columns: Range<Int>,
    _ filters: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>
  ) {
    let width = shape.width
    let multiplier = multiplier
    forEachEight(width) { channel, lanes in
      var sum = SIMD8<Float>.zero
      for ky in rows {
        let line = image + ((top + ky * window.dilation) * window.input.width + left) * groups
        let taps = filters + ky * window.kernelWidth * width + channel
        for kx in columns {
          let pixel = line + kx * window.dilation * groups
          let values = multiplier == 1 ? eight(pixel + channel, lanes) : repeated(pixel, channel, lanes, multiplier)
          sum += values * eight(taps + kx * width, lanes)
        }
      }
      put(sum, target + channel, lanes)
    }
  }

  /// The inputs of eight output channels; `multiplier` of them share one.
  @inline(__always)
  private func repeated(_ pixel: UnsafePointer<Float>, _ channel: Int, _ lanes: Int, _ multiplier: Int) -> SIMD8<Float>
  {
    var values = SIMD8<Float>.zero
    if multiplier == 2, lanes == 8 {
      let four = UnsafeRawPointer(pixel + channel / 2).loadUnaligned(as: SIMD4<Float>.self)
      values.evenHalf = four
      values.oddHalf = four
      return values
    }
    for lane in 0..<lanes { values[lane] = pixel[(channel + lane) / multiplier] }
    return values
  }

  // MARK: Training

  override func bind(_ loader: ParameterLoader) throws(ClipError) {
    filters = try Memory(floats: weight.count, for: "a depthwise filter")
    var bias: Memory?
    if let biasParameter { bias = try loader.vector(biasParameter) }
    keep([], bias: bias)
  }

  override func trainingScratch(_ batch: Batch, _ kernels: Kernels) -> Int { 0 }

  override func forward(_ context: TrainingContext) {
    guard let filters else { return }
    let rows = context.parameter(0)
    for channel in 0..<shape.width {
      for tap in 0..<area { filters.floats[tap * shape.width + channel] = rows[channel * area + tap] }
    }
    run(context.run)
  }

  override func backward(_ context: TrainingContext) {
    if biasParameter != nil, let db = context.parameterGradient(1) {
      context.addColumns(
        context.gradient.data, stride: shape.width, rows: context.gradient.rows, width: shape.width, to: db)
    }
    if context.inputGradient(0) != nil { context.parallel(self, context.batch.items, grain: 1, phase: 0) }
    if context.parameterGradient(0) != nil { context.parallel(self, (shape.width + 15) / 16, grain: 1, phase: 1) }
  }

  /// Phase 0: the input's gradient, divided by items. Phase 1: the filters' gradient, by groups of channels.
  override func backward(_ context: TrainingContext, _ part: Range<Int>, phase: Int) {
    let pixels = window.output.height * window.output.width
    if phase == 0 {
      for item in part { for pixel in 0..<pixels { spread(context, item, pixel, 0..<shape.width, filters: false) } }
    } else {
      let channels = (part.lowerBound * 16)..<min(shape.width, part.upperBound * 16)
      for item in 0..<context.batch.items {
        for pixel in 0..<pixels { spread(context, item, pixel, channels, filters: true) }
      }
    }
  }

  private func spread(
    _ context: TrainingContext, _ item: Int, _ pixel: Int, _ channels: Range<Int>, filters wantsFilters: Bool
  ) {
    let width = shape.width
    let multiplier = multiplier
    let size = window.input.height * window.input.width * groups
    let dy = context.gradient.data + (item * window.output.height * window.output.width + pixel) * width
    let top = pixel / window.output.width * window.stride - window.padding
    let left = pixel % window.output.width * window.stride - window.padding
    for ky in inside(top, window.kernelHeight, window.input.height) {
      for kx in inside(left, window.kernelWidth, window.input.width) {
        let tap = ky * window.kernelWidth + kx
        let place =
          item * size
          + ((top + ky * window.dilation) * window.input.width + left + kx * window.dilation) * groups
        if wantsFilters {
          guard let dw = context.parameterGradient(0) else { return }
          let x = context.run.input(0).data + place
          for channel in channels { dw[channel * area + tap] += dy[channel] * x[channel / multiplier] }
        } else {
          guard let dx = context.inputGradient(0), let filters else { return }
          let taps = filters.floats + tap * width
          if multiplier == 1 {
            putProducts(dy, taps, width, adding: true, to: dx + place)
          } else {
            for channel in channels { dx[place + channel / multiplier] += dy[channel] * taps[channel] }
          }
        }
      }
    }
  }
}
