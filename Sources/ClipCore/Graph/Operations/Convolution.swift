import CClip

extension OpDescriptor {
  static let conv = OpDescriptor(
    "conv", inputs: 1, named: .required,
    settings: [
      .integer("features", 1...Builder.largestWidth), .flag("bias", default: true),
      .integer("groups", 0...Builder.largestWidth, default: 0),
    ] + Window.settings
  ) { call throws(ClipError) in
    let shape = call.shapes[0]
    let (features, groups) = (try call.integer("features"), max(1, try call.integer("groups")))
    guard shape.width % groups == 0, features % groups == 0 else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "expected groups that divide \(shape.width) and \(features) channels, found \(groups)")
    }
    return try call.add(
      Convolution.make(
        input: call.inputs[0], shape: shape, window: try Window(call), groups: groups, name: call.name,
        features: features, hasBias: try call.flag("bias")))
  }
}

/// A 2-D convolution as a matrix product over the pixels under each window (im2col), which are gathered as rows are
/// packed. With groups, each group of output channels reads its own group of input channels (Xie et al., 2017,
/// https://arxiv.org/abs/1611.05431): one product for each group.
class Convolution: MatrixOperation {
  final let window: Window
  final let groups: Int
  final let weight: Parameter
  final let biasParameter: Parameter?
  /// A batch norm that is folded into weights and bias.
  final var norm: BatchNorm?
  final private let inputWidth: Int

  /// The kind of convolution for `groups`, which divides both channel counts.
  static func make(
    input: Int, shape: Shape, window: Window, groups: Int, name: Name, features: Int, hasBias: Bool
  ) -> Convolution {
    let kind: Convolution.Type =
      groups == 1
      ? (WinogradConvolution.suits(shape, window, features: features) ? WinogradConvolution.self : Convolution.self)
      : groups == shape.width ? DepthwiseConvolution.self : Convolution.self
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
    var weights: [WeightMatrix] = []
    for group in 0..<groups {
      weights.append(
        try loader.matrix(
          weight, rows: (group * features)..<((group + 1) * features), scale: scale, channels: groupWidth, area: area))
    }
    keep(weights, bias: bias)
  }

  /// The bias, and the factor of each row of the weights, for convolution and norm together.
  final func affine(_ loader: ParameterLoader) throws(ClipError) -> (bias: Memory?, scale: Memory?) {
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

  /// The number of pixels of a window.
  final var area: Int { window.area }
  /// Input channels of a group.
  final var groupWidth: Int { inputWidth / groups }
  /// Output channels of a group.
  final private var features: Int { shape.width / groups }
  override var depth: Int { area * groupWidth }

  override var leftKind: LeftOperand.Kind { window.isPointwise ? .rows : .windows }

  final private func windows(_ group: Int) -> Windows {
    Windows(window: window, pixelWidth: inputWidth, channels: (group * groupWidth)..<((group + 1) * groupWidth))
  }

  override func left(_ run: Run, group: Int) -> LeftOperand {
    let x = UnsafePointer(run.input(0).data)
    if window.isPointwise { return .rows(Matrix(data: x + group * groupWidth, stride: inputWidth)) }
    return .windows(windows(group), x)
  }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override func bind(_ loader: ParameterLoader) throws(ClipError) {
    keep([], bias: try biasParameter.map(loader.vector))
  }
  override func backwardReads(input index: Int) -> Bool { true }

  /// Whether [channels, area] and [area, channels] differ.
  final private var reorders: Bool { area > 1 && groupWidth > 1 }
  final private var weightFloats: Int { (features * depth + 15) & ~15 }
  /// Rows of windows that `backward` has in memory at a time: about 4 MB.
  final private var blockRows: Int { max(1, (1 << 20) / depth) }
  final private func windowFloats(_ rows: Int) -> Int { (min(blockRows, rows) * depth + 15) & ~15 }

  /// One group's weights in the order of its windows, [features, area, channels]. Reordered weights are written to
  /// `scratch`.
  final private func weights(
    _ context: TrainingContext, group: Int, _ scratch: UnsafeMutablePointer<Float>
  ) -> Matrix {
    let weights = context.parameter(0) + group * features * depth
    guard reorders else { return Matrix(data: UnsafePointer(weights), stride: depth) }
    for feature in 0..<features {
      let source = weights + feature * depth
      let target = scratch + feature * depth
      for channel in 0..<groupWidth {
        for tap in 0..<area { target[tap * groupWidth + channel] = source[channel * area + tap] }
      }
    }
    return Matrix(data: UnsafePointer(scratch), stride: depth)
  }

  /// Forward: weights and the product. Backward: windows and their gradient, weights and their gradient, and products
  /// of a block.
  override func trainingScratch(_ batch: Batch, _ kernels: Kernels) -> Int {
    let all = batch.totalRows(shape.rows)
    let forward = ProductPlan(size(rows: all, groups: groups, packsRight: true), kernels, threads: kernels.threads)
    var backward = 0
    for rows in [min(blockRows, all), all % blockRows] where rows > 0 {
      backward = max(backward, LayerProducts(rows: rows, columns: features, depth: depth).backwardFloats(kernels))
    }
    return max(weightFloats + forward.scratchFloats, 2 * windowFloats(all) + 2 * weightFloats + backward)
  }

  override func forward(_ context: TrainingContext) {
    for group in 0..<groups {
      let weights = weights(context, group: group, context.scratch)
      let right = RightOperand.matrix(weights, .rows, columns: features, depth: depth)
      context.run.executor.multiply(product(context.run, right, group: group), context.scratch + weightFloats)
    }
  }

  override func backward(_ context: TrainingContext) {
    let rows = context.gradient.rows
    if biasParameter != nil, let db = context.parameterGradient(1) {
      context.addColumns(context.gradient.data, stride: shape.width, rows: rows, width: shape.width, to: db)
    }
    for group in 0..<groups { backwardGroup(context, group) }
  }

  /// dW += dy' windows; the windows' gradient dy W is added to the pixels that they were copied from.
  final private func backwardGroup(_ context: TrainingContext, _ group: Int) {
    let rows = context.gradient.rows
    let executor = context.run.executor
    let windows = windows(group)
    let x = UnsafePointer(context.run.input(0).data)
    let copies = context.scratch
    let dwindows = copies + windowFloats(rows)
    let reordered = dwindows + windowFloats(rows)
    let dweights = reordered + weightFloats
    let scratch = dweights + weightFloats
    let w = weights(context, group: group, reordered)
    let gradient = context.parameterGradient(0).map { $0 + group * features * depth }
    for first in stride(from: 0, to: rows, by: blockRows) {
      let block = first..<min(rows, first + blockRows)
      let products = LayerProducts(rows: block.count, columns: features, depth: depth)
      let dy = Matrix(
        data: UnsafePointer(context.gradient.data) + first * shape.width + group * features, stride: shape.width)
      if let gradient {
        var left = Matrix(data: x + first * inputWidth + group * groupWidth, stride: inputWidth)
        if !window.isPointwise {
          windows.copy(block, of: x, to: copies, executor)
          left = Matrix(data: UnsafePointer(copies), stride: depth)
        }
        products.weightGradient(
          dy, left, into: reorders ? dweights : gradient, adds: !reorders || first > 0, executor, scratch)
      }
      guard let dx = context.inputGradient(0) else { continue }
      if window.isPointwise {
        products.inputGradient(
          dy, w, into: dx + first * inputWidth + group * groupWidth, stride: inputWidth, adds: true, executor, scratch)
      } else {
        products.inputGradient(dy, w, into: dwindows, stride: depth, adds: false, executor, scratch)
        windows.add(dwindows, block, to: dx, executor)
      }
    }
    guard reorders, let gradient else { return }
    for feature in 0..<features {
      for channel in 0..<groupWidth {
        for tap in 0..<area {
          gradient[feature * depth + channel * area + tap] += dweights[feature * depth + tap * groupWidth + channel]
        }
      }
    }
  }
}
