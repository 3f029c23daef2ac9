import CClip

extension OpDescriptor {
  /// A feature pyramid (Lin et al., 2017, https://arxiv.org/abs/1612.03144) over grids from fine to coarse. Its levels,
  /// resized to the finest, are averaged.
  static let featurePyramid = OpDescriptor(
    "feature_pyramid", inputs: 1...32, settings: [.integer("features", 1...Builder.largestWidth)]
  ) { call throws(ClipError) in
    guard let finest = call.shapes[0].grid else { throw call.expected("grids") }
    let features = try call.integer("features")
    var outputs: [Int] = []
    var inner: Int?
    for level in call.inputs.indices.reversed() {
      let lateral = try call.squareConv(call.inputs[level], Name("lateral_convs.\(level)"), features, kernel: 1)
      guard let grid = try call.builder.shape(lateral).grid else { throw call.expected("grids") }
      let sum =
        if let coarser = inner {
          try call.op("add", [lateral, try call.resize(coarser, grid, CLIP_RESIZE_NEAREST)])
        } else { lateral }
      inner = sum
      let smooth = try call.squareConv(sum, Name("output_convs.\(level)"), features, kernel: 3)
      outputs.insert(try call.resize(smooth, finest, CLIP_RESIZE_BILINEAR), at: 0)
    }
    return try call.op("mix", outputs)
  }
}

extension OpCall {
  /// A convolution with an odd kernel that keeps the sides.
  func squareConv(_ x: Int, _ name: Name, _ features: Int, kernel: Int, bias: Bool = true) throws(ClipError) -> Int {
    try op(
      "conv", named: name, [x],
      [
        ("features", features), ("kernel_height", kernel), ("kernel_width", kernel), ("padding", kernel / 2),
        ("bias", bias ? 1 : 0),
      ])
  }

  fileprivate func resize(_ x: Int, _ grid: Shape.Grid, _ mode: clip_resize) throws(ClipError) -> Int {
    try op("resize", [x], [("height", grid.height), ("width", grid.width), ("mode", Int(mode.rawValue))])
  }
}
