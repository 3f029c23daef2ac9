import CClip

extension OpDescriptor {
  static let averagePool = OpDescriptor(
    "avg_pool", inputs: 1, settings: Window.settings + [.flag("counts_padding", default: true)]
  ) { call throws(ClipError) in
    try call.add(
      Pooling(
        input: call.inputs[0], shape: call.shapes[0], window: try Window(call),
        try call.flag("counts_padding") ? .mean : .meanInside))
  }
  static let maxPool = OpDescriptor("max_pool", inputs: 1, settings: Window.settings) { call throws(ClipError) in
    try call.add(Pooling(input: call.inputs[0], shape: call.shapes[0], window: try Window(call), .maximum))
  }
}

/// The mean or maximum under a sliding window. The mean counts padding as zeros, or leaves it out, as the maximum does.
final class Pooling: Operation {
  enum Kind { case mean, meanInside, maximum }

  let kind: Kind
  let window: Window

  init(input: Int, shape: Shape, window: Window, _ kind: Kind) {
    self.kind = kind
    self.window = window
    super.init(inputs: [input], shape: window.shape(of: shape, channels: shape.width))
  }

  override var name: StaticString { kind == .maximum ? "max_pool" : "avg_pool" }

  override func run(_ run: Run) {
    run.parallel(self, run.output.rows, grain: max(1, 4096 / shape.width))
  }

  override func compute(_ run: Run, _ rows: Range<Int>) {
    let x = run.input(0)
    for row in rows { pool(x.data, row, run.output.data + row * x.width, x.width) }
  }

  private func pool(_ x: UnsafePointer<Float>, _ row: Int, _ target: UnsafeMutablePointer<Float>, _ width: Int) {
    let pixels = window.output.height * window.output.width
    let pixel = row % pixels
    let top = pixel / window.output.width * window.stride - window.padding
    let left = pixel % window.output.width * window.stride - window.padding
    let image = x + row / pixels * window.input.height * window.input.width * width
    target.update(repeating: kind == .maximum ? -.infinity : 0, count: width)
    var inside = 0
    for ky in 0..<window.kernelHeight {
      let y = top + ky * window.dilation
      guard y >= 0, y < window.input.height else { continue }
      for kx in 0..<window.kernelWidth {
        let column = left + kx * window.dilation
        guard column >= 0, column < window.input.width else { continue }
        let source = image + (y * window.input.width + column) * width
        inside += 1
        if kind != .maximum {
          addFloats(source, width, to: target)
        } else {
          for channel in 0..<width where !(target[channel] >= source[channel]) { target[channel] = source[channel] }
        }
      }
    }
    if kind != .maximum {
      let scale = 1 / Float(kind == .mean ? window.kernelHeight * window.kernelWidth : max(1, inside))
      for channel in 0..<width { target[channel] *= scale }
    }
  }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override func backwardReads(input index: Int) -> Bool { kind == .maximum }
  override func backward(_ context: TrainingContext) { context.parallel(self, context.batch.items, grain: 1) }

  /// A maximum's gradient goes to the first pixel that has it, as in PyTorch.
  override func backward(_ context: TrainingContext, _ items: Range<Int>, phase: Int) {
    guard let dx = context.inputGradient(0) else { return }
    let width = shape.width
    let pixels = window.output.height * window.output.width
    let size = window.input.height * window.input.width * width
    for item in items {
      let x = context.run.input(0).data + item * size
      for pixel in 0..<pixels {
        spread(context.gradient.data + (item * pixels + pixel) * width, pixel, x, dx + item * size)
      }
    }
  }

  private func spread(
    _ dy: UnsafePointer<Float>, _ pixel: Int, _ x: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>
  ) {
    let width = shape.width
    let top = pixel / window.output.width * window.stride - window.padding
    let left = pixel % window.output.width * window.stride - window.padding
    var places: [Int] = []
    for ky in 0..<window.kernelHeight {
      let y = top + ky * window.dilation
      guard y >= 0, y < window.input.height else { continue }
      for kx in 0..<window.kernelWidth {
        let column = left + kx * window.dilation
        if column >= 0, column < window.input.width { places.append((y * window.input.width + column) * width) }
      }
    }
    if kind != .maximum {
      let scale = 1 / Float(kind == .mean ? window.kernelHeight * window.kernelWidth : max(1, places.count))
      for place in places { addFloats(dy, width, times: scale, to: dx + place) }
      return
    }
    guard let start = places.first else { return }
    for channel in 0..<width {
      var best = start
      for place in places where !(x[best + channel] >= x[place + channel]) { best = place }
      dx[best + channel] += dy[channel]
    }
  }
}
