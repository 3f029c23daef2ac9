import CClip
import CSystem

/// Sizes of a sliding window, checked: kernel and stride at least 1, the output at least 1 x 1.
struct Window {
  let kernelHeight: Int
  let kernelWidth: Int
  let stride: Int
  let padding: Int
  let dilation: Int
  let input: Shape.Grid
  let output: Shape.Grid

  init(_ window: clip_window, on input: Shape.Grid) throws(ClipError) {
    func limited(_ value: UInt32, _ fallback: Int, _ what: StaticString) throws(ClipError) -> Int {
      guard value <= 4096 else {
        throw ClipError(CLIP_INVALID_ARGUMENT, "\(what): expected at most 4096, found \(value)")
      }
      return value == 0 ? fallback : Int(value)
    }
    kernelHeight = try limited(window.kernel_height, 1, "kernel height")
    kernelWidth = try limited(window.kernel_width, 1, "kernel width")
    stride = try limited(window.stride, 1, "stride")
    padding = try limited(window.padding, 0, "padding")
    dilation = try limited(window.dilation, 1, "dilation")
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

/// A 2-D convolution, run as a matrix product over the pixels under each window (im2col), which
/// are laid out as the rows are packed.
class Convolution: MatrixProduct {
  let window: Window
  let groups: Int
  let weight: Parameter
  let biasParameter: Parameter?
  /// A batch norm folded into weights and bias.
  var norm: BatchNorm?
  private let inputWidth: Int

  /// The kind of convolution that `groups`, which divides both channel counts, asks for.
  static func make(
    input: Int, shape: Shape, window: Window, groups: Int, name: Name, features: Int, hasBias: Bool
  ) -> Convolution {
    let kind: Convolution.Type =
      groups == 1
      ? (WinogradConvolution.suits(shape, window, features: features) ? WinogradConvolution.self : Convolution.self)
      : groups == shape.width && groups == features ? DepthwiseConvolution.self : GroupedConvolution.self
    return kind.init(
      input: input, shape: shape, window: window, groups: groups, name: name, features: features, hasBias: hasBias)
  }

  required init(input: Int, shape: Shape, window: Window, groups: Int, name: Name, features: Int, hasBias: Bool) {
    self.window = window
    self.groups = groups
    inputWidth = shape.width
    weight = Parameter(
      name: name + ".weight", shape: [features, shape.width / groups, window.kernelHeight, window.kernelWidth])
    biasParameter = hasBias ? Parameter(name: name + ".bias", shape: [features]) : nil
    super.init(inputs: [input], shape: window.shape(of: shape, channels: features))
  }

  override var name: StaticString { "conv" }
  override var parameters: [Parameter] { biasParameter.map { [weight, $0] } ?? [weight] }

  override func load(_ loader: ParameterLoader) throws(ClipError) {
    let (bias, scale) = try affine(loader)
    keep(try loader.matrix(weight, scale: scale, channels: groupWidth, area: area), bias: bias)
  }

  /// The bias, and what each row of the weights is multiplied with, of convolution and norm together.
  func affine(_ loader: ParameterLoader) throws(ClipError) -> (bias: Memory?, scale: Memory?) {
    var bias: Memory?
    if let biasParameter { bias = try loader.vector(biasParameter) }
    guard let norm else { return (bias, nil) }
    let affine = try norm.affine(loader)
    if let bias {
      for channel in 0..<shape.width {
        affine.shift.floats[channel] += bias.floats[channel] * affine.scale.floats[channel]
      }
    }
    return (affine.shift, affine.scale)
  }

  /// Pixels of a window.
  var area: Int { window.kernelHeight * window.kernelWidth }
  /// Input channels that one output channel sees.
  var groupWidth: Int { inputWidth / groups }
  var depth: Int { area * groupWidth }

  override var makesRows: Bool { !window.isPointwise }

  override func packRows(
    _ run: Run, _ rows: Range<Int>, of block: Range<Int>, group: Int, line: UnsafeMutablePointer<Float>,
    into packed: UnsafeMutablePointer<Float>
  ) {
    let x = run.input(0)
    let first = group * groupWidth
    if window.isPointwise {
      run.kernels.packRows(
        x.data + rows.lowerBound * x.width + first, stride: x.width, rows, of: block, depth: depth, storage, packed)
      return
    }
    for row in rows {
      layOut(x.data, first..<(first + groupWidth), row: row, to: line)
      run.kernels.packRows(
        UnsafePointer(line), stride: depth, row..<(row + 1), of: block, depth: depth, storage, packed)
    }
  }

  /// How the weights are held.
  var storage: clip_storage { weights?.storage ?? CLIP_STORAGE_F32 }

  /// Copies the pixels under one output pixel's window, row by row; zeros outside the picture.
  private func layOut(
    _ x: UnsafePointer<Float>, _ channels: Range<Int>, row: Int, to target: UnsafeMutablePointer<Float>
  ) {
    let pixels = window.output.height * window.output.width
    let item = row / pixels
    let pixel = row % pixels
    let top = pixel / window.output.width * window.stride - window.padding
    let left = pixel % window.output.width * window.stride - window.padding
    let picture = x + item * window.input.height * window.input.width * inputWidth
    let width = channels.count
    var target = target
    for ky in 0..<window.kernelHeight {
      let y = top + ky * window.dilation
      guard y >= 0, y < window.input.height else {
        memset(target, 0, 4 * window.kernelWidth * width)
        target += window.kernelWidth * width
        continue
      }
      let line = picture + y * window.input.width * inputWidth + channels.lowerBound
      if window.dilation == 1, groups == 1, left >= 0, left + window.kernelWidth <= window.input.width {
        memcpy(target, line + left * width, 4 * window.kernelWidth * width)
        target += window.kernelWidth * width
        continue
      }
      for kx in 0..<window.kernelWidth {
        let column = left + kx * window.dilation
        if column >= 0, column < window.input.width {
          memcpy(target, line + column * inputWidth, 4 * width)
        } else {
          memset(target, 0, 4 * width)
        }
        target += width
      }
    }
  }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override func bind(_ loader: ParameterLoader) throws(ClipError) {}
  override func backwardReads(input index: Int) -> Bool { true }

  private var features: Int { shape.width / groups }
  private var weightFloats: Int { (features * depth + 15) & ~15 }
  /// Whether [channels, area] and [area, channels] differ.
  private var turns: Bool { area > 1 && groupWidth > 1 }

  /// Windows and their gradient, turned weights and their gradient, what the products take.
  override func trainingScratch(_ batch: Batch, _ kernels: Kernels) -> Int {
    let all = batch.totalRows(shape.rows)
    let windows = (min(blockRows, all) * depth + 15) & ~15
    var most = 0
    for rows in [min(blockRows, all), max(1, all % blockRows)] {
      most = max(
        most, Products.forwardFloats(rows: rows, features, depth, kernels),
        Products.backwardFloats(rows: rows, features, depth, kernels))
    }
    return 2 * windows + 2 * weightFloats + most
  }

  /// One group's weights as windows lie, [features, area, channels].
  private func turned(_ context: TrainingContext, group: Int, _ scratch: UnsafeMutablePointer<Float>) -> Products.Matrix
  {
    let weights = context.parameter(0) + group * features * depth
    guard turns else { return Products.Matrix(data: weights, stride: depth) }
    for feature in 0..<features {
      let source = weights + feature * depth
      let target = scratch + feature * depth
      for channel in 0..<groupWidth {
        for tap in 0..<area { target[tap * groupWidth + channel] = source[channel * area + tap] }
      }
    }
    return Products.Matrix(data: scratch, stride: depth)
  }

  /// The windows of some output rows, of one group's channels.
  private func windows(_ context: TrainingContext, group: Int, rows: Range<Int>) -> Products.Matrix {
    let channels = (group * groupWidth)..<((group + 1) * groupWidth)
    if window.isPointwise {
      let x = context.run.input(0)
      return Products.Matrix(data: x.data + rows.lowerBound * x.width + channels.lowerBound, stride: x.width)
    }
    let pieces = max(1, min(context.run.threads.width * 4, rows.count * depth / 8192))
    context.run.threads.run(pieces, LayOut(op: self, context: context, channels: channels, rows: rows, pieces: pieces))
    return Products.Matrix(data: context.scratch, stride: depth)
  }

  private struct LayOut: Work {
    let op: Convolution
    let context: TrainingContext
    let channels: Range<Int>
    let rows: Range<Int>
    let pieces: Int

    func part(_ piece: Int) {
      let x = context.run.input(0).data
      for row in rows.count.share(piece, of: pieces) {
        op.layOut(x, channels, row: rows.lowerBound + row, to: context.scratch + row * op.depth)
      }
    }
  }

  /// Rows of windows laid out at a time: about 4 MB.
  private var blockRows: Int { max(1, (1 << 20) / depth) }

  private func blocks(_ rows: Int) -> [Range<Int>] {
    stride(from: 0, to: rows, by: blockRows).map { $0..<min(rows, $0 + blockRows) }
  }

  override func forward(_ context: TrainingContext) {
    let rows = context.run.output.rows
    let weights = context.scratch + (min(blockRows, rows) * depth + 15) & ~15
    for group in 0..<groups {
      let w = turned(context, group: group, weights)
      let packed = context.products.pack(w, .rows, columns: features, depth: depth, into: weights + weightFloats)
      for block in blocks(rows) {
        let bias = biasParameter == nil ? nil : UnsafePointer(context.parameter(1) + group * features)
        context.products.multiply(
          windows(context, group: group, rows: block), packed,
          context.run.output.data + block.lowerBound * shape.width + group * features, cStride: shape.width,
          rows: block.count, adding: false, bias: bias)
      }
    }
  }

  override func backward(_ context: TrainingContext) {
    let rows = context.gradient.rows
    if biasParameter != nil, let db = context.parameterGradient(1) {
      context.addColumns(context.gradient.data, stride: shape.width, rows: rows, width: shape.width, to: db)
    }
    for group in 0..<groups { backwardGroup(context, group) }
  }

  private func backwardGroup(_ context: TrainingContext, _ group: Int) {
    let rows = context.gradient.rows
    let dwindows = context.scratch + (min(blockRows, rows) * depth + 15) & ~15
    let weights = dwindows + (min(blockRows, rows) * depth + 15) & ~15
    let dweights = weights + weightFloats
    let scratch = dweights + weightFloats
    let w = turned(context, group: group, weights)
    let gradient = context.parameterGradient(0).map { $0 + group * features * depth }
    if turns { memset(dweights, 0, features * depth * 4) }
    for block in blocks(rows) {
      let dy = Products.Matrix(
        data: context.gradient.data + block.lowerBound * shape.width + group * features, stride: shape.width)
      if let gradient {
        context.products.weights(
          dy, windows(context, group: group, rows: block), rows: block.count, features: features, depth: depth,
          into: turns ? dweights : gradient, scratch)
      }
      guard let dx = context.inputGradient(0) else { continue }
      if window.isPointwise {
        context.products.backward(
          dy, rows: block.count, w, features: features, depth: depth,
          into: dx + block.lowerBound * inputWidth + group * groupWidth, stride: inputWidth, scratch)
      } else {
        context.products.backward(
          dy, rows: block.count, w, features: features, depth: depth, into: dwindows, stride: depth, adding: false,
          scratch)
        scatter(context, dwindows, block, group)
      }
    }
    guard turns, let gradient else { return }
    for feature in 0..<features {
      for channel in 0..<groupWidth {
        for tap in 0..<area {
          gradient[feature * depth + channel * area + tap] += dweights[feature * depth + tap * groupWidth + channel]
        }
      }
    }
  }

  /// Adds the windows' gradients to the pixels they were copied from, item by item.
  private func scatter(_ context: TrainingContext, _ dwindows: UnsafePointer<Float>, _ rows: Range<Int>, _ group: Int) {
    let pixels = window.output.height * window.output.width
    let items = (rows.lowerBound / pixels)..<((rows.upperBound - 1) / pixels + 1)
    context.run.threads.run(
      items.count,
      Scatter(op: self, context: context, windows: dwindows, rows: rows, firstItem: items.lowerBound, group: group))
  }

  private struct Scatter: Work {
    let op: Convolution
    let context: TrainingContext
    let windows: UnsafePointer<Float>
    let rows: Range<Int>
    let firstItem: Int
    let group: Int

    func part(_ piece: Int) {
      guard let dx = context.inputGradient(0) else { return }
      let window = op.window
      let pixels = window.output.height * window.output.width
      let item = firstItem + piece
      let picture = dx + item * window.input.height * window.input.width * op.inputWidth + group * op.groupWidth
      for row in max(rows.lowerBound, item * pixels)..<min(rows.upperBound, (item + 1) * pixels) {
        let top = row % pixels / window.output.width * window.stride - window.padding
        let left = row % pixels % window.output.width * window.stride - window.padding
        let source = windows + (row - rows.lowerBound) * op.depth
        for ky in 0..<window.kernelHeight {
          let y = top + ky * window.dilation
          guard y >= 0, y < window.input.height else { continue }
          for kx in 0..<window.kernelWidth {
            let column = left + kx * window.dilation
            guard column >= 0, column < window.input.width else { continue }
            addFloats(
              source + (ky * window.kernelWidth + kx) * op.groupWidth, op.groupWidth,
              to: picture + (y * window.input.width + column) * op.inputWidth)
          }
        }
      }
    }
  }
}
