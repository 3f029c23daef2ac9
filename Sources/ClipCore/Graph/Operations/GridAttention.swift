import CClip

/// Attention over the channels, pixels and scales of a grid: the first two are the parts of CBAM
/// (Woo et al., 2018, https://arxiv.org/abs/1807.06521).
extension OpDescriptor {
  static let channelAttention = OpDescriptor(
    "channel_attention", inputs: 1, settings: [.integer("reduction", 1...Builder.largestWidth)]
  ) { call throws(ClipError) in
    let width = call.shapes[0].width
    let hiddenWidth = width / (try call.integer("reduction"))
    guard hiddenWidth >= 1 else { throw call.expected("a reduction of at most the width \(width)") }
    func weigh(_ pooled: Int) throws(ClipError) -> Int {
      let hidden = try call.op("linear", named: "fc.0", [pooled], [("features", hiddenWidth), ("bias", 0)])
      return try call.op(
        "linear", named: "fc.2", [try call.activate(hidden, CLIP_RELU)], [("features", width), ("bias", 0)])
    }
    let weights = try call.op(
      "add",
      [try weigh(try call.op("mean_rows", call.inputs)), try weigh(try call.op("max_rows", call.inputs))])
    return try call.op("multiply", [call.inputs[0], try call.activate(weights, CLIP_SIGMOID)])
  }

  static let spatialAttention = OpDescriptor(
    "spatial_attention", inputs: 1, settings: [.integer("kernel", 1...4095)]
  ) { call throws(ClipError) in
    let pooled = try call.op(
      "concat", [try call.op("mean_columns", call.inputs), try call.op("max_columns", call.inputs)])
    let kernel = try call.integer("kernel")
    try checkOdd(kernel)
    let weights = try call.squareConv(pooled, "conv", 1, kernel: kernel, bias: false)
    return try call.op("multiply", [call.inputs[0], try call.activate(weights, CLIP_SIGMOID)])
  }

  static let scaleAttention = OpDescriptor(
    "scale_attention", inputs: 1, settings: [.integers("kernel", 1...4095)]
  ) { call throws(ClipError) in
    let kernels = call.integers("kernel")
    guard (1...32).contains(kernels.count) else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "expected 1 to 32 kernel sizes, found \(kernels.count)")
    }
    var scales: [Int] = []
    for (index, kernel) in kernels.enumerated() {
      try checkOdd(kernel)
      scales.append(
        try call.squareConv(call.inputs[0], Name("scales.\(index)"), call.shapes[0].width, kernel: kernel))
    }
    return try call.op("mix", named: "scale_weights", scales)
  }
}

private func checkOdd(_ kernel: Int) throws(ClipError) {
  guard kernel % 2 == 1 else {
    throw ClipError(CLIP_INVALID_ARGUMENT, "expected an odd kernel size, found \(kernel)")
  }
}

extension OpCall {
  fileprivate func activate(_ x: Int, _ activation: clip_activation) throws(ClipError) -> Int {
    try op("activate", [x], [("activation", Int(activation.rawValue))])
  }
}
